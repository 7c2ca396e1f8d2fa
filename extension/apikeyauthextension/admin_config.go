package apikeyauthextension

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/config/confighttp"
)

// AdminConfig is the server of the admin API and its pages.
type AdminConfig struct {
	confighttp.ServerConfig `mapstructure:",squash"`
	// UI are the pages.
	UI UIConfig `mapstructure:"ui"`
}

// UIConfig says who gets to see the pages, and for how long.
type UIConfig struct {
	// Enabled serves the pages beside the API.
	Enabled bool `mapstructure:"enabled"`
	// SessionIdle is how long somebody stays signed in who does nothing.
	SessionIdle time.Duration `mapstructure:"session_idle"`
	// SessionMax is how long anybody stays signed in.
	SessionMax time.Duration `mapstructure:"session_max"`
	// UserAttribute is the attribute of the collector's authenticator that holds
	// the email or id of a user, who then needs no key for the pages: claims.email
	// of oidc, say. Empty means that everybody signs in with a key.
	UserAttribute string `mapstructure:"user_attribute"`
}

// Validate implements confmap.Validator.
func (c *AdminConfig) Validate() error {
	var errs []error
	if c.UI.UserAttribute != "" && !c.Auth.HasValue() {
		errs = append(errs, fmt.Errorf("ui::user_attribute: %q has no effect without auth: name an authenticator there, such as oidc, or leave it out", c.UI.UserAttribute))
	}
	if c.UI.SessionIdle <= 0 {
		errs = append(errs, fmt.Errorf("ui::session_idle: %s: must be more than 0, such as 1h", c.UI.SessionIdle))
	}
	if c.UI.SessionMax <= 0 {
		errs = append(errs, fmt.Errorf("ui::session_max: %s: must be more than 0, such as 12h", c.UI.SessionMax))
	}
	return errors.Join(errs...)
}
