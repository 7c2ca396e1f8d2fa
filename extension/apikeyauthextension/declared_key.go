package apikeyauthextension

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/otlpgate/otlpgate/internal/clientip"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// DeclaredKey is a key in the configuration. The configuration holds the
// digest of the key and never the key itself; `gatectl keys mint` prints both.
type DeclaredKey struct {
	// ID is "key_" and 20 letters a-z or digits 2-7; derived from the digest
	// where it is empty.
	ID          string `mapstructure:"id"`
	Name        string `mapstructure:"name"`
	Description string `mapstructure:"description"`
	// Digest is "sha256:" and the 64 hex digits of the whole key's SHA-256.
	Digest string `mapstructure:"digest"`
	// Hint is shown to people in place of the key.
	Hint string `mapstructure:"hint"`
	// Type is user or system; system where it is empty.
	Type string `mapstructure:"type"`
	// Environment is live or test; live where it is empty.
	Environment string `mapstructure:"environment"`
	// OwnerID is the user that a user key belongs to; the built-in
	// administrator where it is empty.
	OwnerID string `mapstructure:"owner_id"`
	// Role bounds a system key; admin where it is empty, so that the scopes
	// alone decide.
	Role string `mapstructure:"role"`
	// Scopes or Preset say what the key may do; one of them is required.
	Scopes []string `mapstructure:"scopes"`
	Preset string   `mapstructure:"preset"`
	// Projects are those that the key may send to; all where it is empty.
	Projects []string `mapstructure:"projects"`
	// Plan is the plan of the key; default_plan where it is empty.
	Plan string `mapstructure:"plan"`
	// Limits stand in place of the plan's on the same traffic and unit.
	Limits []limit.Limit `mapstructure:"limits"`
	// AllowedIPs are the addresses and CIDRs from which the key may be used.
	AllowedIPs []string `mapstructure:"allowed_ips"`
	// ExpectedCountries are ISO 3166 alpha-2 codes.
	ExpectedCountries []string `mapstructure:"expected_countries"`
	// ExpiresAt is the end of the key, in RFC 3339; never where it is left out.
	ExpiresAt time.Time `mapstructure:"expires_at"`
}

// Validate implements confmap.Validator.
func (d *DeclaredKey) Validate() error {
	_, err := d.record()
	return err
}

// record returns the key to keep, or every reason why it cannot be.
func (d *DeclaredKey) record() (store.Key, error) {
	p := parser{}
	key := store.Key{
		ID: d.ID, Name: d.Name, Description: d.Description, OwnerID: d.OwnerID, Projects: d.Projects, Plan: d.Plan,
		Limits: d.Limits, ExpectedCountries: d.ExpectedCountries,
		Type:        parse(&p, "type", or(d.Type, string(identity.SystemKey)), identity.ParseKeyType),
		Environment: parse(&p, "environment", or(d.Environment, string(identity.Live)), identity.ParseEnvironment),
		Role:        parse(&p, "role", or(d.Role, string(identity.AdminRole)), identity.ParseRole),
		Scopes:      d.scopes(&p),
		AllowedIPs:  parse(&p, "allowed_ips", d.AllowedIPs, parsePrefixes),
		ExpiresAt:   d.ExpiresAt.UTC(),
	}
	digest := parse(&p, "digest", d.Digest, credential.ParseDigest)
	key.Secrets = []store.Secret{{Digest: store.Digest(digest), Hint: d.Hint}}
	if key.ID == "" {
		key.ID = store.KeyIDFor(store.Digest(digest))
	}
	d.checkOwner(&p, &key)
	p.check(store.IsKeyID(key.ID), "id: %q is not a key id: must be key_ and 20 letters a-z or digits 2-7, or left out", key.ID)
	if err := limit.ValidateLimits(d.Limits); err != nil {
		p.errs = append(p.errs, err)
	}
	p.check(strings.TrimSpace(d.Name) != "", "name: must not be empty: say what the key is for")
	return key, errors.Join(p.errs...)
}

func (d *DeclaredKey) checkOwner(p *parser, key *store.Key) {
	if key.Type != identity.UserKey {
		p.check(d.OwnerID == "", "owner_id: %q on a system key: system keys have no owner; leave it out or set type to user", d.OwnerID)
		return
	}
	p.check(d.Role == "", "role: %q on a user key: its owner's role counts; leave it out or set type to system", d.Role)
	key.Role = ""
	key.OwnerID = or(d.OwnerID, store.BuiltinUserID)
}

func (d *DeclaredKey) scopes(p *parser) []identity.Scope {
	if (d.Preset == "") == (len(d.Scopes) == 0) {
		p.check(false, "scopes: set either scopes or preset, and not both")
		return nil
	}
	if d.Preset != "" {
		return parse(p, "preset", d.Preset, identity.Preset)
	}
	scopes := make([]identity.Scope, len(d.Scopes))
	for i, name := range d.Scopes {
		scopes[i] = parse(p, fmt.Sprintf("scopes::%d", i), name, identity.ParseScope)
	}
	return scopes
}

// parser collects the errors of a declaration, so that all show at once.
type parser struct{ errs []error }

func (p *parser) check(ok bool, format string, args ...any) {
	if !ok {
		p.errs = append(p.errs, fmt.Errorf(format, args...))
	}
}

func parse[In, Out any](p *parser, field string, value In, f func(In) (Out, error)) Out {
	out, err := f(value)
	if err != nil {
		p.errs = append(p.errs, fmt.Errorf("%s: %w", field, err))
	}
	return out
}

func parsePrefixes(texts []string) ([]netip.Prefix, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	return clientip.ParsePrefixes(texts)
}

func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
