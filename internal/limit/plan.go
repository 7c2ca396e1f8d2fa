package limit

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Plan bounds the keys that are on it. The zero value limits nothing.
type Plan struct {
	Limits []Limit `mapstructure:"limits"`
	// Concurrency is how many requests a key can have under way at once; 0
	// means any number.
	Concurrency int `mapstructure:"concurrency"`
}

// Validate reports every rule that the plan breaks as a whole.
func (p Plan) Validate() error {
	var err error
	if p.Concurrency < 0 {
		err = fmt.Errorf("concurrency: %d is negative: must be 0 (any number) or more", p.Concurrency)
	}
	return errors.Join(err, ValidateLimits(p.Limits))
}

// DefaultPlan is the built-in plan of keys that name none.
const DefaultPlan = "free"

// BuiltinPlans returns the plans that exist without being configured.
func BuiltinPlans() map[string]Plan {
	perMinute := func(on Traffic, n int64) Limit {
		return Limit{On: on, Unit: Requests, Max: n, Window: Window(time.Minute)}
	}
	return map[string]Plan{
		"free":       {Limits: []Limit{perMinute(Ingest, 100), perMinute(API, 60)}, Concurrency: 5},
		"pro":        {Limits: []Limit{perMinute(Ingest, 1000), perMinute(API, 300)}, Concurrency: 20},
		"enterprise": {},
	}
}

// Plans are the plans that keys can be on. It is immutable and safe for
// concurrent use; make it with NewPlans.
type Plans struct {
	plans       map[string]Plan
	defaultPlan string
	policies    map[string]*Policy
}

var planName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// NewPlans adds plans to the built-in ones, or replaces those of the same name.
func NewPlans(configured map[string]Plan, defaultPlan string) (*Plans, error) {
	all := BuiltinPlans()
	maps.Copy(all, configured)
	p := &Plans{plans: all, defaultPlan: defaultPlan, policies: map[string]*Policy{}}
	for _, name := range p.Names() {
		if !planName.MatchString(name) {
			return nil, fmt.Errorf("plans: name %.80q: must be 1 to 64 letters, digits and . _ -, beginning with a letter or digit", name)
		}
		if err := all[name].Validate(); err != nil {
			return nil, fmt.Errorf("plans::%s: %w", name, err)
		}
		if err := CheckLimits(all[name].Limits); err != nil {
			return nil, fmt.Errorf("plans::%s::%w", name, err)
		}
		p.policies[name] = newPolicy(all[name], nil)
	}
	if !p.Has(defaultPlan) {
		return nil, fmt.Errorf("default_plan: %w", p.Unknown(defaultPlan))
	}
	return p, nil
}

// Names lists the plans by name.
func (p *Plans) Names() []string { return slices.Sorted(maps.Keys(p.plans)) }

// Default is the plan of keys that name none.
func (p *Plans) Default() string { return p.defaultPlan }

// Has reports whether there is a plan of that name.
func (p *Plans) Has(name string) bool { _, ok := p.plans[name]; return ok }

// Unknown returns the error for a name that no plan has.
func (p *Plans) Unknown(name string) error {
	return fmt.Errorf("unknown plan %.80q: must be one of %s", name, strings.Join(p.Names(), ", "))
}

// Plan returns the plan of that name.
func (p *Plans) Plan(name string) (Plan, bool) {
	plan, ok := p.plans[name]
	plan.Limits = slices.Clone(plan.Limits)
	return plan, ok
}

// Policy returns what applies to a key on that plan with limits of its own. A
// key without a plan, or on one that is no longer configured, is on the default
// one. It is nil where nothing is limited.
func (p *Plans) Policy(name string, own []Limit) *Policy {
	if !p.Has(name) {
		name = p.defaultPlan
	}
	if len(own) == 0 {
		return p.policies[name]
	}
	return newPolicy(p.plans[name], own)
}
