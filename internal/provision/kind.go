package provision

import (
	"context"
	"iter"
	"time"

	"github.com/otlpgate/otlpgate/internal/store"
)

// kind is what users and keys differ in when they are reconciled.
type kind[T any] struct {
	name     Kind
	section  string // of the document
	identity string // the field, beside the id, that no two records share

	declareAction, withdrawAction string // in the audit log

	get    func(ctx context.Context, id string) (T, error)
	create func(ctx context.Context, record T, audit store.Audit) (T, error)
	update func(ctx context.Context, id string, edit func(*T) (store.Audit, error)) (T, error)
	// list walks the declared records.
	list func(ctx context.Context) iter.Seq2[T, error]
	// holders returns the records, but for the one with that id, that have the
	// identity of wanted.
	holders func(ctx context.Context, wanted *T) ([]T, error)
	// release takes from holder what wanted is to have.
	release func(holder, wanted *T)
	// merge returns what a declaration makes of current, but for its state.
	merge   func(current, declared *T) T
	normal  func(T) (T, error)
	changes func(before, after *T) map[string]store.Change
	state   func(*T) state
}

// state points to the fields that both kinds have.
type state struct {
	id, name                     *string
	declared, applied, withdrawn *bool
	createdAt, updatedAt         *time.Time
	// endedAt is when the record ended for good: a user was deleted, a key
	// revoked.
	endedAt *time.Time
}

func (s state) ended() bool { return !s.endedAt.IsZero() }
