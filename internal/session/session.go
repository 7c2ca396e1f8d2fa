// Package session keeps who is signed in to the pages of the admin endpoint. It
// knows of sessions and nothing of cookies.
package session

import (
	"context"
	"time"

	"github.com/otlpgate/otlpgate/internal/credential"
)

// Subject is whose session it is. Exactly one of its fields is set.
type Subject struct {
	// Key is the SHA-256 of the key that was presented. The key itself is not kept.
	Key credential.Digest
	// UserID is a user whom the collector's own authenticator vouches for.
	UserID string
}

// Session is one that has been resumed.
type Session struct {
	Subject Subject
	// BeganAt is when it was begun.
	BeganAt time.Time
	// EndsAt is when it ends if nothing resumes it again.
	EndsAt time.Time

	token token
}

// record is a session as it is kept. The lock of its Sessions guards it.
type record struct {
	token   token
	subject Subject
	holder  string
	began   time.Time
	seen    time.Time
	spent   []token // of forms, the oldest first
}

// end is when the session ends if nothing resumes it again.
func (r *record) end(o *Options) time.Time {
	idle, absolute := r.seen.Add(o.Idle), r.began.Add(o.Absolute)
	if idle.Before(absolute) {
		return idle
	}
	return absolute
}

type contextKey struct{}

// NewContext returns a context that carries a session.
func NewContext(ctx context.Context, s Session) context.Context {
	return context.WithValue(ctx, contextKey{}, s)
}

// FromContext returns the session of a context. It reports false where there is
// none.
func FromContext(ctx context.Context) (Session, bool) {
	s, ok := ctx.Value(contextKey{}).(Session)
	return s, ok
}
