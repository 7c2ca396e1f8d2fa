package store

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
)

// Digest is the SHA-256 of a whole API key, which is all that is kept of it.
type Digest [32]byte

// digestPrefix starts the text form of a digest, as in the configuration.
const digestPrefix = "sha256:"

// MarshalText returns the digest as "sha256:" and 64 lower-case hex digits.
func (d Digest) MarshalText() ([]byte, error) {
	return hex.AppendEncode([]byte(digestPrefix), d[:]), nil
}

// UnmarshalText reads what MarshalText wrote; upper-case digits are accepted.
// The error does not repeat the text, which may be a secret in the wrong place.
func (d *Digest) UnmarshalText(text []byte) error {
	digits, ok := bytes.CutPrefix(text, []byte(digestPrefix))
	if !ok || len(digits) != hex.EncodedLen(len(d)) {
		return errors.New("invalid digest: must be sha256: and 64 hex digits")
	}
	var decoded Digest
	if _, err := hex.Decode(decoded[:], digits); err != nil {
		return errors.New("invalid digest: must be sha256: and 64 hex digits")
	}
	*d = decoded
	return nil
}

// Key is an API key as it is kept. Times are UTC; a zero time means never.
type Key struct {
	ID                string               `json:"id"`
	Name              string               `json:"name"`
	Description       string               `json:"description,omitempty"`
	Type              identity.KeyType     `json:"type"`
	Environment       identity.Environment `json:"environment"`
	OwnerID           string               `json:"ownerId,omitempty"` // empty for system keys
	Role              identity.Role        `json:"role"`
	Scopes            []identity.Scope     `json:"scopes"`
	Projects          []string             `json:"projects,omitempty"` // empty: every project
	Plan              string               `json:"plan,omitempty"`     // empty: the default plan
	Limits            []limit.Limit        `json:"limits,omitempty"`   // in place of the plan's on the same traffic and unit
	AllowedIPs        []netip.Prefix       `json:"allowedIps,omitempty"`
	ExpectedCountries []string             `json:"expectedCountries,omitempty"`
	Secrets           []Secret             `json:"secrets"` // newest first
	CreatedAt         time.Time            `json:"createdAt"`
	CreatedBy         string               `json:"createdBy,omitempty"` // user or key id
	UpdatedAt         time.Time            `json:"updatedAt"`
	ExpiresAt         time.Time            `json:"expiresAt,omitzero"`
	RevokedAt         time.Time            `json:"revokedAt,omitzero"`
	// Declared keys come from a document that declares all of them, and are
	// read-only elsewhere.
	Declared bool `json:"declared,omitempty"`
	// Applied marks a declared key that the configuration does not hold: its
	// document was applied while the collector ran.
	Applied bool `json:"applied,omitempty"`
	// Withdrawn marks a declared key that left the configuration. It is
	// refused like a disabled one and comes back with its declaration.
	Withdrawn bool `json:"withdrawn,omitempty"`
	// Bootstrap marks the administrator's first key.
	Bootstrap bool `json:"bootstrap,omitempty"`
	// Retired are the digests of the bootstrap key's former secrets, newest
	// first, so that a configuration that still holds one does not bring it back.
	Retired []Digest `json:"retired,omitempty"`
	// Spent are the requests of late that have made a secret which the key has
	// no more, newest first.
	Spent []SpentRequest `json:"spent,omitempty"`
	// Revision grows with every write of any record of the store. Assigned by
	// the backend.
	Revision uint64 `json:"revision"`
}

// Secret is one of a key's secrets, without the secret.
type Secret struct {
	Digest    Digest    `json:"digest"`
	Hint      string    `json:"hint,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"` // end of its grace period
	// Request is what made the secret, where that can be repeated; nil
	// otherwise.
	Request *Request `json:"request,omitempty"`
}

// Secret returns the key's secret with that digest.
func (k *Key) Secret(digest Digest) (Secret, bool) {
	i := slices.IndexFunc(k.Secrets, func(s Secret) bool { return s.Digest == digest })
	if i < 0 {
		return Secret{}, false
	}
	return k.Secrets[i], true
}

// Hint returns the newest secret's hint, empty where none is known.
func (k *Key) Hint() string {
	if len(k.Secrets) == 0 {
		return ""
	}
	return k.Secrets[0].Hint
}

// Status is the state of a key as people see it.
type Status string

// The states of a key. Revoked is final and outranks expired, which outranks
// disabled (owner deactivated or deleted, or declaration withdrawn).
const (
	Active   Status = "active"
	Expired  Status = "expired"
	Revoked  Status = "revoked"
	Disabled Status = "disabled"
)

// StatusAt returns the key's state at now. The owner is the record of OwnerID;
// nil means that there is none, which disables a user key.
func (k *Key) StatusAt(now time.Time, owner *User) Status {
	switch {
	case !k.RevokedAt.IsZero():
		return Revoked
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
		return Expired
	case k.Withdrawn:
		return Disabled
	case k.Type == identity.UserKey && (owner == nil || !owner.Enabled()):
		return Disabled
	}
	return Active
}

// KeyFilter selects keys; zero fields select all.
type KeyFilter struct {
	Status  Status
	Type    identity.KeyType
	OwnerID string
	// Declared selects declared keys alone.
	Declared bool
	// Query is searched, without case, in name, description, id and hints.
	Query string
	// Now is the time at which Status is judged; required with Status.
	Now time.Time
}

// Matches reports whether the key, whose owner's record is given, passes the
// filter.
func (f KeyFilter) Matches(k *Key, owner *User) bool {
	return (f.Type == "" || f.Type == k.Type) &&
		(f.OwnerID == "" || f.OwnerID == k.OwnerID) &&
		(!f.Declared || k.Declared) &&
		(f.Status == "" || f.Status == k.StatusAt(f.Now, owner)) &&
		(f.Query == "" || k.mentions(strings.ToLower(f.Query)))
}

func (k *Key) mentions(query string) bool {
	texts := []string{k.Name, k.Description, k.ID}
	for _, s := range k.Secrets {
		texts = append(texts, s.Hint)
	}
	return slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(strings.ToLower(t), query) })
}

// KeyPage is a part of a listing of keys.
type KeyPage struct {
	Keys []Key
	Next string // empty on the last page
}
