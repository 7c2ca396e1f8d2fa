package apikeyauthextension

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/otlpgate/otlpgate/internal/limit"
)

// LimitsConfig says how limits are answered and kept. What they are is a matter
// of plans and keys.
type LimitsConfig struct {
	// OverLimitStatus is the HTTP status of ingest over a limit: 429, or 503 for
	// exporters that drop what 429 refuses.
	OverLimitStatus int `mapstructure:"over_limit_status"`
	// FlushInterval is how often the counts of long windows are written: what a
	// crash can lose of them.
	FlushInterval time.Duration `mapstructure:"flush_interval"`
}

const (
	minLimitsFlush = time.Second
	maxLimitsFlush = 10 * time.Minute
)

// Validate implements confmap.Validator.
func (c *LimitsConfig) Validate() error {
	var errs []error
	if c.OverLimitStatus != http.StatusTooManyRequests && c.OverLimitStatus != http.StatusServiceUnavailable {
		errs = append(errs, fmt.Errorf("over_limit_status: %d is no status for it: must be 429, or 503 for exporters that drop what 429 refuses", c.OverLimitStatus))
	}
	if c.FlushInterval < minLimitsFlush || c.FlushInterval > maxLimitsFlush {
		errs = append(errs, fmt.Errorf("flush_interval: %s is out of range: must be %s to %s", c.FlushInterval, minLimitsFlush, maxLimitsFlush))
	}
	return errors.Join(errs...)
}

// plans returns what keys can be on.
func (c *Config) plans() (*limit.Plans, error) { return limit.NewPlans(c.Plans, c.DefaultPlan) }

// wellFormedPlans is plans with those left empty that their own Validate
// refuses, so that no error is reported twice.
func (c *Config) wellFormedPlans() (*limit.Plans, error) {
	plans := make(map[string]limit.Plan, len(c.Plans))
	for name, plan := range c.Plans {
		if !wellFormed(plan) {
			plan = limit.Plan{}
		}
		plans[name] = plan
	}
	return limit.NewPlans(plans, c.DefaultPlan)
}

func wellFormed(plan limit.Plan) bool {
	return plan.Validate() == nil && limit.CheckLimits(plan.Limits) == nil
}
