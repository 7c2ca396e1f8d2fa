package store

import (
	"context"
	"iter"
	"time"
)

// Use is the latest use of one of a key's secrets.
type Use struct {
	KeyID  string
	Secret SecretRef
	At     time.Time
}

// SecretRef tells the secrets of one key apart: the first bytes of the digest.
type SecretRef [8]byte

// Ref returns the reference of the secret with that digest.
func (d Digest) Ref() SecretRef { return SecretRef(d[:8]) }

// Uses keeps when secrets were last used. What it keeps is told late and may be
// lost in part by a crash; it decides nothing.
//
// Implementations MUST be safe for concurrent use. Uses are no changes: they
// have no revision and no audit record.
type Uses interface {
	// KeepUses replaces what was kept of those secrets, but for uses that are
	// older than the one kept. Times are kept to the microsecond. Uses of an id
	// that no key can have are reported as ErrInvalid once the others are kept.
	KeepUses(ctx context.Context, uses []Use) error
	// LastUses returns what is kept of the key's secrets, in no order; none is
	// no error. What was kept of a secret is dropped with it, but one told late
	// may be of a secret that the key has no more.
	LastUses(ctx context.Context, keyID string) ([]Use, error)
	// AllUses walks what is kept of the secrets of all keys, in no order, up to
	// the first error. Whoever walks must not hold it up, nor call the store.
	AllUses(ctx context.Context) iter.Seq2[Use, error]
}
