// Package accesslog keeps what became of requests, to be looked at one by one:
// lines of single requests, and counts of those that are alike and of one minute.
package accesslog

import (
	"time"

	"github.com/otlpgate/otlpgate/internal/access"
)

// Entry is a line of the log. Its Volume is that of one request, or of all that
// it counts.
type Entry struct {
	// ID is the same whenever the entry is read.
	ID string
	// Time is when the request ended, to the microsecond; of a count the minute.
	Time time.Time
	// Counted marks the count of requests that have no line of their own.
	Counted bool
	access.Group
	access.Volume
	UserAgent string
	Country   string
}

// Filter selects entries; zero fields select all.
type Filter struct {
	// KeyID selects the requests with a key; Keys those with one of several, or
	// with none where it is empty and not nil.
	KeyID string
	Keys  map[string]bool
	// Viewer names Keys in cursors, which so outlive a change of them.
	Viewer string
	// Type is that of the key: "user", "system", or NoKey.
	Type    string
	Outcome access.Outcome
	// Endpoint selects a signal, or a call of the admin API.
	Endpoint string
	// Secret selects one of the secrets of KeyID, as access.Group has it.
	Secret *[8]byte
	// From is inclusive and To exclusive. Counts are selected by their minute.
	From, To time.Time
}

// NoKey is the type of requests without a key that exists.
const NoKey = "none"

func (f *Filter) matches(e *Entry) bool {
	return f.matchesKey(e) &&
		(f.Outcome == "" || f.Outcome == e.Outcome) &&
		(f.Endpoint == "" || f.Endpoint == e.Endpoint) &&
		(f.From.IsZero() || !e.Time.Before(f.from(e))) &&
		(f.To.IsZero() || e.Time.Before(f.To))
}

func (f *Filter) matchesKey(e *Entry) bool {
	kind := string(e.KeyType)
	if e.KeyID == "" {
		kind = NoKey
	}
	return (f.KeyID == "" || f.KeyID == e.KeyID) &&
		(f.Secret == nil || *f.Secret == e.Secret) &&
		(f.Keys == nil || f.Keys[e.KeyID]) &&
		(f.Type == "" || f.Type == kind)
}

// from is the earliest time of an entry: of a count, whose requests may have
// ended at any time of it, that of the whole minute.
func (f *Filter) from(e *Entry) time.Time {
	if e.Counted {
		return f.From.Truncate(time.Minute)
	}
	return f.From
}

// Page is a part of a listing.
type Page struct {
	Entries []Entry
	// Next is empty on the last page. A page may have fewer entries than were
	// asked for, even none, and not be the last: it took too long to find more.
	Next string
}
