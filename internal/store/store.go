// Package store defines the records that otlpgate keeps and the contract of
// the backends that keep them. Backends live in its sub-packages; storetest
// holds the suite that each must pass.
package store

import (
	"context"
	"errors"
)

// Errors that every backend returns, wrapped with the operation and the value.
var (
	// ErrNotFound means that no record has that id or digest.
	ErrNotFound = errors.New("not found")
	// ErrExists means that the id, digest or email is taken.
	ErrExists = errors.New("already exists")
	// ErrBadCursor means that a cursor was not made by this listing.
	ErrBadCursor = errors.New("invalid cursor")
	// ErrInvalid means that a record cannot be kept as it is; see Key.Normal.
	ErrInvalid = errors.New("invalid record")
	// ErrClosed means that the store has been closed.
	ErrClosed = errors.New("store is closed")
)

// Keys keeps API keys.
//
// Implementations MUST be safe for concurrent use; MUST have made a write
// durable before they return; MUST write the record, its indexes and the audit
// record in one transaction; MUST assign Revision and the audit record's Seq
// and hashes (Audit.Sealed), one record after the other, and as its Target the id
// of the changed record, so that whoever follows the log learns of every change;
// MUST keep and return records in their normal form (Key.Normal, User.Normal,
// Audit.Normal) and refuse those that have none with ErrInvalid; and MUST never
// delete a key record, since a backend that loses a deletion would bring a
// revoked key back. A write whose context ends before it is committed writes
// nothing and returns the context's error; so does one that Check refuses at its
// turn. What an edit or a look-up has seen when a write is refused MUST be durable
// before the error is returned: the caller may answer by it.
type Keys interface {
	// CreateKey stores a new key. It returns ErrExists where the id or any
	// secret's digest is taken.
	CreateKey(ctx context.Context, key Key, audit Audit) (Key, error)
	// UpdateKey loads the key, lets edit change it and stores the result.
	// Edit may run more than once, must not keep the pointer nor write to the
	// store, and its error is returned as it is with nothing written. Changing
	// ID or CreatedAt is ErrInvalid. Digests the edit removes stop resolving; ErrExists where it adds
	// one that is taken.
	UpdateKey(ctx context.Context, id string, edit func(*Key) (Audit, error)) (Key, error)
	// Key returns the key with that id or ErrNotFound.
	Key(ctx context.Context, id string) (Key, error)
	// KeyByDigest returns the key that has a secret with that digest, whatever
	// the secret's or key's state, or ErrNotFound.
	KeyByDigest(ctx context.Context, digest Digest) (Key, error)
	// ListKeys returns the keys that match filter, newest first (CreatedAt,
	// then ID, descending). A key that exists throughout the listing is on
	// exactly one of its pages, whatever Page.Scan is.
	ListKeys(ctx context.Context, filter KeyFilter, page Page) (KeyPage, error)
}

// Users keeps users, under the same obligations as Keys.
type Users interface {
	// CreateUser stores a new user. It returns ErrExists where the id or the
	// email (compared as by EmailKey; the empty email and those of deleted
	// users are never taken) is taken.
	CreateUser(ctx context.Context, user User, audit Audit) (User, error)
	// UpdateUser is to users what UpdateKey is to keys.
	UpdateUser(ctx context.Context, id string, edit func(*User) (Audit, error)) (User, error)
	// User returns the user with that id, deleted ones included, or ErrNotFound.
	User(ctx context.Context, id string) (User, error)
	// UserByEmail returns the user, not deleted, with that email or ErrNotFound.
	UserByEmail(ctx context.Context, email string) (User, error)
	// ListUsers returns the users that are not deleted and match filter, oldest
	// first (CreatedAt, then ID). Those that are deleted count for Page.Scan.
	ListUsers(ctx context.Context, filter UserFilter, page Page) (UserPage, error)
}

// AuditLog reads what CreateKey and the like wrote.
type AuditLog interface {
	// AppendAudit writes a record that belongs to no change of another record:
	// an attempt that was refused, or an act such as a backup. It is numbered and
	// chained like those of changes.
	AppendAudit(ctx context.Context, audit Audit) (Audit, error)
	// ListAudit returns audit records, newest first. What a filter by time leaves
	// out counts for Page.Scan too: clocks are set back, so that the order of the
	// records is not that of their times.
	ListAudit(ctx context.Context, filter AuditFilter, page Page) (AuditPage, error)
}

// Store is a whole backend.
type Store interface {
	Keys
	Users
	AuditLog
	Uses
	Replies
	// Close releases the backend. It is idempotent; later calls of other
	// methods return ErrClosed.
	Close() error
}

// Page selects a part of a listing.
type Page struct {
	// Limit is the largest number of records to return; 0 means DefaultLimit,
	// and more than MaxLimit means MaxLimit.
	Limit int
	// Cursor is the Next of the page before, empty for the first.
	Cursor string
	// Scan is how many records to look at, at most, whether they match or not; 0
	// or less means all. Where it ends a page, that may have fewer records than
	// Limit, or none, and a Next that leads on behind the last that was looked at.
	// The pages of a listing together are the same with any Scan.
	Scan int
}

// The bounds of Page.Limit.
const (
	DefaultLimit = 50
	MaxLimit     = 500
)

// Size returns the limit within its bounds.
func (p Page) Size() int {
	if p.Limit <= 0 {
		return DefaultLimit
	}
	return min(p.Limit, MaxLimit)
}
