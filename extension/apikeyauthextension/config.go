package apikeyauthextension

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"

	"github.com/otlpgate/otlpgate/internal/clientip"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/declaration"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/provision"
)

// Config configures the extension. Its zero value is not usable: start from
// the factory's default.
type Config struct {
	// Storage is where keys are kept.
	Storage StorageConfig `mapstructure:"storage"`
	// Credentials says where in a request a key is looked for.
	Credentials CredentialsConfig `mapstructure:"credentials"`
	// Cache bounds what is held in memory.
	Cache CacheConfig `mapstructure:"cache"`
	// EarlyRefusal refuses gRPC requests before they are decoded, by the one
	// tap handle that a server can have. Turn it off where another middleware
	// of the same receiver needs the tap handle.
	EarlyRefusal bool `mapstructure:"early_refusal"`
	// TrustedProxies are the addresses and CIDRs whose Forwarded and
	// X-Forwarded-For headers are believed.
	TrustedProxies []string `mapstructure:"trusted_proxies"`
	// Plans bound the keys that are on them. They add to the built-in ones, or
	// replace those of the same name.
	Plans map[string]limit.Plan `mapstructure:"plans"`
	// DefaultPlan is the plan of keys that name none.
	DefaultPlan string `mapstructure:"default_plan"`
	// Limits says how limits are answered and kept.
	Limits LimitsConfig `mapstructure:"limits"`
	// Usage says how the use of keys is kept.
	Usage UsageConfig `mapstructure:"usage"`
	// AccessLog says what the access log holds.
	AccessLog AccessLogConfig `mapstructure:"access_log"`
	// GeoIP says how the countries of addresses are known.
	GeoIP GeoIPConfig `mapstructure:"geoip"`
	// Alerts says what is amiss with a key, and who is told.
	Alerts AlertsConfig `mapstructure:"alerts"`
	// Bootstrap says how the first administrator gets in.
	Bootstrap BootstrapConfig `mapstructure:"bootstrap"`
	// Users are declared here instead of made through the API, where they are
	// read-only.
	Users []declaration.User `mapstructure:"users"`
	// Keys are declared like users.
	Keys []declaration.Key `mapstructure:"keys"`
	// Admin is the server of the admin API and its pages.
	Admin AdminConfig `mapstructure:"admin"`
}

// StorageConfig says where keys are kept.
type StorageConfig struct {
	// Directory holds the embedded database. It is made, readable by its owner
	// alone, where it does not exist.
	Directory string `mapstructure:"directory"`
}

// CredentialsConfig says where in a request a key is looked for.
type CredentialsConfig struct {
	// Headers are the HTTP headers and gRPC metadata that may carry a key.
	Headers []string `mapstructure:"headers"`
	// Prefix begins every key.
	Prefix string `mapstructure:"prefix"`
}

// CacheConfig bounds what is held in memory.
type CacheConfig struct {
	// MaxKeys is how many keys are held.
	MaxKeys int64 `mapstructure:"max_keys"`
	// NegativeTTL is how long an unknown key is remembered as such; 0 never.
	NegativeTTL time.Duration `mapstructure:"negative_ttl"`
}

// BootstrapConfig says how the first administrator gets in.
type BootstrapConfig struct {
	// AdminKey is a system key from `gatectl keys mint`. Where it is empty one
	// is minted on the first start and written to a file in the storage
	// directory.
	AdminKey configopaque.String `mapstructure:"admin_key"`
}

var _ component.Config = (*Config)(nil)

// Validate checks what the sections cannot check on their own.
func (c *Config) Validate() error {
	var errs []error
	if _, err := clientip.ParsePrefixes(c.TrustedProxies); err != nil {
		errs = append(errs, fmt.Errorf("trusted_proxies: %w", err))
	}
	plans, err := c.wellFormedPlans()
	if err != nil {
		errs = append(errs, err)
	}
	if key := string(c.Bootstrap.AdminKey); key != "" {
		if _, err := provision.ParseAdminKey(c.format(), key); err != nil {
			errs = append(errs, fmt.Errorf("bootstrap::admin_key: %w", err))
		}
	}
	if c.Admin.NetAddr.Endpoint == "" {
		errs = append(errs, errors.New("admin::endpoint: must not be empty: name an address such as localhost:4319"))
	}
	return errors.Join(append(errs, c.declared().ValidateTogether(plans))...)
}

// declared is the document that the configuration holds.
func (c *Config) declared() declaration.Document {
	return declaration.Document{Users: c.Users, Keys: c.Keys}
}

func (c *Config) format() credential.Format { return credential.Format{Prefix: c.Credentials.Prefix} }

// Validate implements confmap.Validator.
func (c *StorageConfig) Validate() error {
	if c.Directory == "" {
		return errors.New("directory: must not be empty: name a directory that survives restarts")
	}
	return nil
}

// Validate implements confmap.Validator.
func (c *CredentialsConfig) Validate() error {
	var errs []error
	if _, err := credential.NewHeaders(c.Headers); err != nil {
		errs = append(errs, fmt.Errorf("headers: %w", err))
	}
	if err := (credential.Format{Prefix: c.Prefix}).Validate(); err != nil {
		errs = append(errs, fmt.Errorf("prefix: %w", err))
	}
	return errors.Join(errs...)
}

// maxCachedKeys bounds what the cache takes as soon as it is made: some 50 bytes
// for each key that it could hold.
const maxCachedKeys = 100_000_000

// Validate implements confmap.Validator.
func (c *CacheConfig) Validate() error {
	var errs []error
	if c.MaxKeys > maxCachedKeys {
		errs = append(errs, fmt.Errorf("max_keys: %d is too large: must be at most %d, and best the number of keys in use", c.MaxKeys, maxCachedKeys))
	}
	if c.MaxKeys < 1 {
		errs = append(errs, fmt.Errorf("max_keys: %d is too small: must be at least 1, and best the number of keys in use", c.MaxKeys))
	}
	if c.NegativeTTL < 0 {
		errs = append(errs, fmt.Errorf("negative_ttl: %s is negative: must be 0 (off) or more", c.NegativeTTL))
	}
	return errors.Join(errs...)
}
