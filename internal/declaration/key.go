package declaration

import (
	"cmp"
	"crypto/sha256"
	"strings"
	"time"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// Key is a key in a document. The document holds the digest of the key and
// never the key itself; `gatectl keys mint` prints both.
type Key struct {
	// ID is "key_" and 20 letters a-z or digits 2-7; derived from the digest
	// where it is empty.
	ID          string `mapstructure:"id" json:"id,omitempty"`
	Name        string `mapstructure:"name" json:"name"`
	Description string `mapstructure:"description" json:"description,omitempty"`
	// Digest is "sha256:" and the 64 hex digits of the whole key's SHA-256.
	Digest string `mapstructure:"digest" json:"digest"`
	// Hint is shown to people in place of the key.
	Hint string `mapstructure:"hint" json:"hint,omitempty"`
	// Type is user or system; system where it is empty.
	Type string `mapstructure:"type" json:"type,omitempty"`
	// Environment is live or test; live where it is empty.
	Environment string `mapstructure:"environment" json:"environment,omitempty"`
	// OwnerID is the user that a user key belongs to: one of the document or
	// one that is there already. The built-in administrator where it is empty.
	OwnerID string `mapstructure:"owner_id" json:"ownerId,omitempty"`
	// Role bounds a system key; admin where it is empty, so that the scopes
	// alone decide.
	Role string `mapstructure:"role" json:"role,omitempty"`
	// Scopes or Preset say what the key may do; one of them is required.
	Scopes []string `mapstructure:"scopes" json:"scopes,omitempty"`
	Preset string   `mapstructure:"preset" json:"preset,omitempty"`
	// Projects are those that the key may send to; all where it is empty.
	Projects []string `mapstructure:"projects" json:"projects,omitempty"`
	// Plan is the plan of the key; the default one where it is empty.
	Plan string `mapstructure:"plan" json:"plan,omitempty"`
	// Limits stand in place of the plan's on the same traffic and unit.
	Limits []limit.Limit `mapstructure:"limits" json:"limits,omitempty"`
	// AllowedIPs are the addresses and CIDRs from which the key may be used.
	AllowedIPs []string `mapstructure:"allowed_ips" json:"allowedIps,omitempty"`
	// ExpectedCountries are ISO 3166-1 alpha-2 codes.
	ExpectedCountries []string `mapstructure:"expected_countries" json:"expectedCountries,omitempty"`
	// ExpiresAt is the end of the key, in RFC 3339; never where it is left out.
	ExpiresAt time.Time `mapstructure:"expires_at" json:"expiresAt,omitzero"`
}

// Validate implements confmap.Validator. It leaves out the rules of each single
// limit, which has a Validate of its own, and of plans, which it does not know.
func (k *Key) Validate() error {
	_, err := k.record()
	return err
}

// record returns the key to keep, or every reason why it cannot be.
func (k *Key) record() (store.Key, error) {
	p := &parser{}
	digest := parse(p, k.Digest, credential.ParseDigest, "digest")
	key := store.Key{
		ID: cmp.Or(k.ID, store.KeyIDFor(store.Digest(digest))), Name: k.Name, Description: k.Description, OwnerID: k.OwnerID,
		Plan: k.Plan, Limits: k.Limits, ExpiresAt: k.ExpiresAt.UTC(),
		Type:        parse(p, cmp.Or(k.Type, string(identity.SystemKey)), identity.ParseKeyType, "type"),
		Environment: parse(p, cmp.Or(k.Environment, string(identity.Live)), identity.ParseEnvironment, "environment"),
		Role:        parse(p, cmp.Or(k.Role, string(identity.AdminRole)), identity.ParseRole, "role"),
		Scopes:      k.scopes(p),
		Projects:    p.projects(k.Projects),
		AllowedIPs:  p.addresses(k.AllowedIPs),
		Secrets:     []store.Secret{{Digest: store.Digest(digest), Hint: k.Hint}},
	}
	key.ExpectedCountries = p.countries(k.ExpectedCountries)
	k.checkOwner(p, &key)
	k.checkTexts(p)
	p.check(store.IsKeyID(key.ID), "id", "%.80q is not a key id: must be key_ and 20 letters a-z or digits 2-7, or left out", key.ID)
	p.check(k.Hint == "" || sha256.Sum256([]byte(k.Hint)) != digest, "hint", "is the key itself: leave it out, and replace the key if others could read this")
	p.add(limit.ValidateLimits(k.Limits))
	return key, p.err()
}

func (k *Key) checkTexts(p *parser) {
	p.check(strings.TrimSpace(k.Name) != "", "name", "must not be empty: say what the key is for")
	p.line(k.Name, maxName, "name")
	p.line(k.Hint, maxName, "hint")
	p.line(k.Plan, maxName, "plan")
	p.line(k.OwnerID, maxName, "owner_id")
	p.description(k.Description)
}

func (k *Key) checkOwner(p *parser, key *store.Key) {
	if key.Type != identity.UserKey {
		p.check(k.OwnerID == "", "owner_id", "%.80q on a system key: system keys have no owner; leave it out or set type to user", k.OwnerID)
		return
	}
	p.check(k.Role == "", "role", "%.80q on a user key: its owner's role counts; leave it out or set type to system", k.Role)
	key.Role = ""
	key.OwnerID = cmp.Or(k.OwnerID, store.BuiltinUserID)
}

// scopes leaves out those that others imply, as the admin API does.
func (k *Key) scopes(p *parser) []identity.Scope {
	if (k.Preset == "") == (len(k.Scopes) == 0) {
		p.check(false, "scopes", "set either scopes or preset, and not both")
		return nil
	}
	listed := p.scopes(k.Scopes)
	if k.Preset != "" {
		listed = parse(p, k.Preset, identity.Preset, "preset")
	}
	return identity.NewScopeSet(listed...).List()
}
