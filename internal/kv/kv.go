// Package kv is the contract of where usage, access logs and alerts are kept: an
// ordered map that forgets what has expired. Unlike package store it holds
// nothing that decides who may enter, so it may lose what was written last, and
// all of it may be thrown away. Backends live in its sub-packages; kvtest holds
// the suite that each must pass.
package kv

import (
	"context"
	"errors"
	"time"
)

// Errors that every backend returns, wrapped with the operation.
var (
	// ErrNotFound means that there is nothing under a key, or that it has expired.
	ErrNotFound = errors.New("not found")
	// ErrTooLarge means that a group or an entry can never be written.
	ErrTooLarge = errors.New("too large")
	// ErrDamaged means that what is under a key is not what was written.
	ErrDamaged = errors.New("damaged entry")
	// ErrClosed means that the store has been closed.
	ErrClosed = errors.New("store is closed")
)

// The bounds of what is written, in bytes.
const (
	MaxKey   = 1 << 10
	MaxValue = 64 << 10
	// MaxGroup bounds the keys and values of a group together.
	MaxGroup = 512 << 10
)

// MaxEntries bounds the entries of a group.
const MaxEntries = 4096

// Entry is a value under a key.
type Entry struct {
	// Key orders entries, byte by byte. It must not be empty.
	Key []byte
	// Value must not be empty, but for nil, which removes the entry.
	Value []byte
	// ExpiresAt is when the entry is forgotten, to the second; zero never.
	ExpiresAt time.Time
}

// Range selects the keys that start with Prefix and, behind it, lie from From
// (inclusive) to To (exclusive). A nil From or To is no bound.
type Range struct {
	Prefix []byte
	From   []byte
	To     []byte
	// Newest walks backwards, from the last key to the first.
	Newest bool
}

// Store keeps entries.
//
// Implementations MUST be safe for concurrent use. What Write has acknowledged
// MUST be seen by every later read and MUST survive the end of the process,
// however it ends; a power cut may take what was written since the last Sync.
// Values that are handed out MUST be whole as they were written: damage shows as
// an error or as an entry that is not there, never as another value.
type Store interface {
	// Get returns the value under a key or ErrNotFound. It may be kept.
	Get(ctx context.Context, key []byte) ([]byte, error)
	// Walk calls visit with the key behind the prefix and the value of each entry,
	// as of one moment, until it returns false or an error, which Walk returns as
	// it is. What visit is given is valid until it returns. Visit may call the
	// store, but for Close. A store that is closed meanwhile ends the walk before
	// the next entry, with ErrClosed, and so does a context, with its error.
	Walk(ctx context.Context, r Range, visit func(suffix, value []byte) (bool, error)) error
	// Write writes groups, each of them whole or not at all, in their order, and
	// returns how many are written: all of them unless it returns an error. Of a
	// key that a group names twice the last entry counts.
	Write(ctx context.Context, groups [][]Entry) (written int, err error)
	// Sync makes what was written survive a power cut.
	Sync(ctx context.Context) error
	// Close waits for the calls under way and releases the store. It is idempotent;
	// other methods that are called once it has begun return ErrClosed.
	Close() error
}
