package apikeyauthextension

import (
	"errors"
	"fmt"
	"time"

	"github.com/otlpgate/otlpgate/internal/access"
)

// UsageConfig says how the use of keys is kept.
type UsageConfig struct {
	// FlushInterval is how often what was learned is written: what a crash can
	// lose of it. It is that of the access log too.
	FlushInterval time.Duration `mapstructure:"flush_interval"`
	// Retention is how long usage by the day is kept.
	Retention Span `mapstructure:"retention"`
	// MetricsPerKey adds metrics that have the key's id as an attribute.
	MetricsPerKey bool `mapstructure:"metrics_per_key"`
}

// AccessLogConfig says what the access log holds.
type AccessLogConfig struct {
	// Detail says which requests have a line of their own: denied, all or none.
	// The others are counted by key, endpoint, address and minute.
	Detail access.Detail `mapstructure:"detail"`
	// Retention is how long lines and counts are kept.
	Retention Span `mapstructure:"retention"`
	// Emit writes each line to the collector's own log too, from where its
	// telemetry settings can ship it.
	Emit bool `mapstructure:"emit"`
}

// GeoIPConfig says how the countries of addresses are known.
type GeoIPConfig struct {
	// Database is a MaxMind database (.mmdb) of countries or cities. It is read
	// again when it is replaced. Empty: countries are not known.
	Database string `mapstructure:"database"`
}

const (
	minUsageFlush = time.Second
	maxUsageFlush = 10 * time.Minute
	minUsageKept  = 35 * day
	minAccessKept = time.Hour
	maxRetention  = 3650 * day
)

// Validate implements confmap.Validator.
func (c *UsageConfig) Validate() error {
	var errs []error
	if c.FlushInterval < minUsageFlush || c.FlushInterval > maxUsageFlush {
		errs = append(errs, fmt.Errorf("flush_interval: %s is out of range: must be %s to %s", c.FlushInterval, minUsageFlush, maxUsageFlush))
	}
	return errors.Join(append(errs, c.Retention.between("retention", minUsageKept, maxRetention))...)
}

// Validate implements confmap.Validator.
func (c *AccessLogConfig) Validate() error {
	var errs []error
	if err := c.Detail.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("detail: %w", err))
	}
	return errors.Join(append(errs, c.Retention.between("retention", minAccessKept, maxRetention))...)
}
