package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/store"
)

const day = 24 * time.Hour

// event is something that happened at a time.
type event struct {
	at time.Time
	do func(context.Context) error
}

// timeline returns all that happened, in its order.
func (w *world) timeline() []event {
	var events []event
	for _, p := range w.people {
		events = append(events, w.join(p)...)
	}
	for _, k := range w.keys {
		events = append(events, w.grow(k)...)
	}
	events = slices.Concat(events, w.documents(), w.backups(), w.attempts(), w.throng())
	slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
	return events
}

// spanOf returns a span of days.
func spanOf(days float64) time.Duration { return time.Duration(days * float64(day)) }

// The company's first day in the tables, and since when they are to be taken
// literally: what happened before moves apart where usage goes further back.
const (
	firstDay = 330.0
	literal  = 100.0
)

// founded returns how many days ago the company began.
func (w *world) founded() float64 { return max(firstDay, float64(w.Days)+30) }

// back returns the time some days ago, as the tables count them.
func (w *world) back(ago float64) time.Time {
	if ago > literal {
		ago = literal + (ago-literal)*(w.founded()-literal)/(firstDay-literal)
	}
	return w.Now.Add(-spanOf(ago)).Truncate(time.Microsecond)
}

// workday returns the time some days ago, brought to an hour at which people
// work: no later, and less than four days earlier. What was today is told as it is.
func (w *world) workday(ago float64) time.Time {
	t := w.back(ago)
	if ago < 1 {
		return t
	}
	micros := newDice(w.Seed, fmt.Sprint("workday ", ago)).Int64N((9 * time.Hour).Microseconds())
	t = t.Truncate(day).Add(-day + 8*time.Hour + time.Duration(micros)*time.Microsecond)
	for weekend(t) {
		t = t.Add(-day)
	}
	return t
}

// later returns a time, but none before another.
func later(t, other time.Time) time.Time {
	if t.After(other) {
		return t
	}
	return other.Add(17 * time.Minute)
}

// by is who does something: a person with a key of theirs, or a system key.
type by struct {
	person *person
	key    string // name of the system key; empty: the bootstrap key
}

// administrator returns who administers at a time: in the beginning there is but
// the bootstrap key.
func (w *world) administrator(at time.Time) by {
	for _, handle := range []string{"tomasz", "ines"} {
		p := w.person(handle)
		if w.key(p.acts).record.ID != "" && p.record.Role == p.role && at.UnixMicro()%3 > 0 {
			return by{person: p}
		}
	}
	if p := w.person("ines"); w.key(p.acts).record.ID != "" {
		return by{person: p}
	}
	return by{}
}

// record returns the key that is used.
func (b by) record(w *world) *store.Key {
	switch {
	case b.person != nil:
		return &w.key(b.person.acts).record
	case b.key != "":
		return &w.key(b.key).record
	}
	return &w.bootstrap
}

func (b by) origin() origin {
	if b.person != nil {
		return b.person.desk
	}
	return at("PT", 0, 1, 1)
}

func (b by) actor(w *world) store.Actor {
	record, from := b.record(w), b.origin()
	return store.Actor{KeyID: record.ID, UserID: record.OwnerID, Address: addressIn(from.country, from.first).String()}
}

// creator returns who stands for what is made: the user, or the system key.
func (b by) creator(w *world) string {
	record := b.record(w)
	if record.OwnerID != "" {
		return record.OwnerID
	}
	return record.ID
}

// The calls of the admin API, by their patterns.
const (
	postKeys    = "POST /api/v1/api-keys"
	getKeys     = "GET /api/v1/api-keys"
	getKey      = "GET /api/v1/api-keys/{id}"
	patchKey    = "PATCH /api/v1/api-keys/{id}"
	deleteKey   = "DELETE /api/v1/api-keys/{id}"
	rotateKey   = "POST /api/v1/api-keys/{id}/rotate"
	getUsage    = "GET /api/v1/api-keys/{id}/usage"
	postUsers   = "POST /api/v1/users"
	getUsers    = "GET /api/v1/users"
	patchUser   = "PATCH /api/v1/users/{id}"
	deleteUser  = "DELETE /api/v1/users/{id}"
	getLogs     = "GET /api/v1/access-logs"
	getAlerts   = "GET /api/v1/alerts"
	getAudit    = "GET /api/v1/audit-log"
	getAllUsage = "GET /api/v1/usage"
	getTop      = "GET /api/v1/usage/top"
	getBackup   = "GET /api/v1/backup"
	postApply   = "POST /api/v1/apply"
	introspect  = "POST /api/v1/introspect"
	verify      = "GET /api/v1/verify"
)

// called lets usage know of a call that was carried out.
func (w *world) called(b by, at time.Time, endpoint string) {
	w.callRefused(b, at, endpoint, access.Accepted, "", statusOfCall(endpoint))
}

func statusOfCall(endpoint string) int {
	switch endpoint {
	case postKeys, postUsers:
		return 201
	case deleteKey, deleteUser:
		return 204
	}
	return 200
}

// callRefused lets usage know how a call ended.
func (w *world) callRefused(b by, at time.Time, endpoint string, outcome access.Outcome, reason string, status int) {
	record, from := b.record(w), b.origin()
	if record.ID == "" || at.Before(w.firstUsage()) {
		return
	}
	g := access.Group{
		KeyID: record.ID, KeyType: record.Type, Secret: record.Secrets[0].Digest.Ref(), Endpoint: endpoint, Transport: access.HTTP,
		Outcome: outcome, Reason: reason, Status: status, Address: addressIn(from.country, from.first),
	}
	v := access.Volume{Requests: 1, Bytes: 240, Duration: 9 * time.Millisecond}
	w.note(&g, at, v, source{record.Name, w.strangers.dice, step{at, time.Microsecond}, gatectl, from.country})
}
