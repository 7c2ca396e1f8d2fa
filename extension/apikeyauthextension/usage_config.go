package apikeyauthextension

import (
	"fmt"
	"time"
)

// UsageConfig says how the use of keys is kept.
type UsageConfig struct {
	// FlushInterval is how often what was learned is written: what a crash can
	// lose of it.
	FlushInterval time.Duration `mapstructure:"flush_interval"`
}

const (
	minUsageFlush = time.Second
	maxUsageFlush = 10 * time.Minute
)

// Validate implements confmap.Validator.
func (c *UsageConfig) Validate() error {
	if c.FlushInterval < minUsageFlush || c.FlushInterval > maxUsageFlush {
		return fmt.Errorf("flush_interval: %s is out of range: must be %s to %s", c.FlushInterval, minUsageFlush, maxUsageFlush)
	}
	return nil
}
