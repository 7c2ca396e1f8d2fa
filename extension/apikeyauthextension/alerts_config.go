package apikeyauthextension

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"go.opentelemetry.io/collector/config/confighttp"
)

// AlertsConfig says what is amiss with a key, and who is told.
type AlertsConfig struct {
	// UnusedAfter is for how long an active key must not have been used; 0: never.
	UnusedAfter Span `mapstructure:"unused_after"`
	// ErrorRate says how many requests may be refused or fail.
	ErrorRate ErrorRateConfig `mapstructure:"error_rate"`
	// ExpiringWithin is how long before a key expires; 0: never.
	ExpiringWithin Span `mapstructure:"expiring_within"`
	// OldSecretWithin is how long before the end of its grace period a secret
	// that was replaced must not be used any more, at most; 0: never. Of a short
	// grace period it is the last quarter.
	OldSecretWithin Span `mapstructure:"old_secret_within"`
	// UnexpectedCountry tells of keys that are used from a country that their
	// expectedCountries do not hold, or that is new to them. It takes
	// geoip::database.
	UnexpectedCountry bool `mapstructure:"unexpected_country"`
	// Alertmanager is told through its v2 API. Its endpoint is the address
	// without /api/v2; empty: nobody is told.
	Alertmanager confighttp.ClientConfig `mapstructure:"alertmanager"`
	// Webhook gets a JSON document for each alert that begins or ends; empty:
	// nobody is told.
	Webhook confighttp.ClientConfig `mapstructure:"webhook"`
}

// ErrorRateConfig says how many requests may be refused or fail.
type ErrorRateConfig struct {
	// Over is the part of requests that may; 100%: all of them.
	Over Percent `mapstructure:"over"`
	// MinRequests is how many requests it takes to judge.
	MinRequests int64 `mapstructure:"min_requests"`
	// Window is the time that is looked back.
	Window Span `mapstructure:"window"`
}

const (
	minRateWindow = time.Minute
	maxRateWindow = 20 * time.Hour // minutes are kept for a day
)

// Validate implements confmap.Validator.
func (c *AlertsConfig) Validate() error {
	return errors.Join(
		c.UnusedAfter.between("unused_after", 0, maxRetention),
		c.ExpiringWithin.between("expiring_within", 0, maxRetention),
		c.OldSecretWithin.between("old_secret_within", 0, maxRetention),
		checkReceiver("alertmanager", c.Alertmanager.Endpoint, "http://localhost:9093"),
		checkReceiver("webhook", c.Webhook.Endpoint, "https://example.com/otlpgate"),
	)
}

// checkReceiver refuses an endpoint that nothing could be sent to. It does not
// repeat it, since that of a webhook may be a secret.
func checkReceiver(field, endpoint, example string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("%s::endpoint: must begin with http:// or https:// and name a host, such as %s", field, example)
	}
	return nil
}

// Validate implements confmap.Validator.
func (c *ErrorRateConfig) Validate() error {
	var errs []error
	if c.Over < 0 || c.Over > 1 {
		errs = append(errs, fmt.Errorf("over: %g is no part of a whole: must be a percentage, such as 5%%", float64(c.Over)))
	}
	if c.MinRequests < 1 {
		errs = append(errs, fmt.Errorf("min_requests: %d is too few to judge by: must be at least 1", c.MinRequests))
	}
	return errors.Join(append(errs, c.Window.between("window", minRateWindow, maxRateWindow))...)
}
