package limit

import "slices"

// Policy is what applies to one key. Immutable; nil limits nothing.
type Policy struct {
	limits      []Limit
	concurrency int
	long        bool // some window is long
	// fields are the values of the RateLimit-Policy field, by traffic.
	fields [trafficCount]string
}

// newPolicy puts a key's own limits in place of those of its plan that are on
// the same traffic and unit, whatever their window: whoever gives a key 5000
// requests an hour does not mean 100 a minute as well.
func newPolicy(plan Plan, own []Limit) *Policy {
	limits := slices.DeleteFunc(slices.Clone(plan.Limits), func(l Limit) bool {
		return slices.ContainsFunc(own, func(o Limit) bool { return o.On == l.On && o.Unit == l.Unit })
	})
	limits = append(limits, own...)
	if len(limits) == 0 && plan.Concurrency == 0 {
		return nil
	}
	p := &Policy{
		limits: limits, concurrency: plan.Concurrency,
		long: slices.ContainsFunc(limits, func(l Limit) bool { return l.Window.Long() }),
	}
	for on := range p.fields {
		p.fields[on] = p.fieldsOf(Traffic(on))
	}
	return p
}

// NewPolicy returns the policy of a plan alone, nil where it limits nothing.
func NewPolicy(plan Plan) *Policy { return newPolicy(plan, nil) }

// Limits returns the limits that apply.
func (p *Policy) Limits() []Limit {
	if p == nil {
		return nil
	}
	return slices.Clone(p.limits)
}

// Concurrency is how many requests may be under way at once; 0 means any
// number.
func (p *Policy) Concurrency() int {
	if p == nil {
		return 0
	}
	return p.concurrency
}

// Within reports whether the policy admits nothing that the other would not:
// each of the other's limits has one of its own on the same traffic, unit and
// window that is no larger, and so has the concurrency. It may report false
// where limits of different windows amount to the same.
func (p *Policy) Within(other *Policy) bool {
	if bound := other.Concurrency(); bound > 0 && (p.Concurrency() == 0 || p.Concurrency() > bound) {
		return false
	}
	limits := p.Limits()
	return !slices.ContainsFunc(other.Limits(), func(bound Limit) bool {
		return !slices.ContainsFunc(limits, func(l Limit) bool { return l.SameWindow(bound) && l.Max <= bound.Max })
	})
}
