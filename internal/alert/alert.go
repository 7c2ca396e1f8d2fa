// Package alert tells what is amiss with keys: it judges them now and then, keeps
// what it found, and tells whoever wants to know.
package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/otlpgate/otlpgate/internal/identity"
)

// Kind is what is amiss.
type Kind string

// The kinds of alerts.
const (
	KeyUnused         Kind = "key_unused"
	ErrorRate         Kind = "error_rate"
	UnexpectedCountry Kind = "unexpected_country"
	KeyExpiring       Kind = "key_expiring"
	OldSecretUsed     Kind = "old_secret_used"
)

// Kinds lists them.
func Kinds() []Kind {
	return []Kind{KeyUnused, ErrorRate, UnexpectedCountry, KeyExpiring, OldSecretUsed}
}

// severity says how much an alert of the kind matters.
func (k Kind) severity() string {
	if k == KeyUnused {
		return "info"
	}
	return "warning"
}

// lingers is for how long what is amiss must be over before an alert ends. A rate
// goes up and down around its threshold, and whoever is told should not be told
// each time.
func (k Kind) lingers() time.Duration {
	if k == ErrorRate {
		return 5 * time.Minute
	}
	return 0
}

// State tells alerts that are firing from those that have ended.
type State string

// The states of an alert.
const (
	Firing   State = "firing"
	Resolved State = "resolved"
)

// Alert is something amiss with a key. There is one for each kind, key and
// subject. Its JSON is what the store keeps, and what a webhook gets.
type Alert struct {
	// ID is made of kind, key and subject.
	ID       string           `json:"id"`
	Kind     Kind             `json:"kind"`
	State    State            `json:"state"`
	Severity string           `json:"severity"` // info or warning
	KeyID    string           `json:"keyId"`
	KeyName  string           `json:"keyName"`
	KeyType  identity.KeyType `json:"keyType"`
	OwnerID  string           `json:"ownerId,omitempty"`
	// Subject is what of the key it is about: a country, or the hint of a secret.
	// Empty where that is the key itself.
	Subject     string    `json:"subject,omitempty"`
	Summary     string    `json:"summary"`
	Description string    `json:"description"` // what it means, and what to do
	StartedAt   time.Time `json:"startedAt"`
	ResolvedAt  time.Time `json:"resolvedAt,omitzero"`
	UpdatedAt   time.Time `json:"updatedAt"`
	// OverSince is since when what is amiss is over, while the alert lingers.
	OverSince time.Time `json:"overSince,omitzero"`
}

func idOf(kind Kind, keyID, subject string) string {
	sum := sha256.Sum256([]byte(string(kind) + "\x00" + keyID + "\x00" + subject))
	return "alert_" + hex.EncodeToString(sum[:10])
}
