package store

import "time"

// Audit is one entry of the audit log: who did what to what. It never holds a
// secret.
type Audit struct {
	Seq    uint64    `json:"seq"` // 1, 2, 3 … without gaps; assigned by the backend
	Time   time.Time `json:"time"`
	Actor  Actor     `json:"actor"`
	Action string    `json:"action"` // "key.create", "key.update", "key.revoke", …
	// Target is the id of the record that was changed.
	Target  string            `json:"target"`
	Changes map[string]Change `json:"changes,omitempty"` // by field
}

// Actor is who caused a change. All fields are empty for the collector itself.
type Actor struct {
	KeyID   string `json:"keyId,omitempty"`
	UserID  string `json:"userId,omitempty"`
	Address string `json:"address,omitempty"`
}

// Change is a field before and after, as shown by the admin API.
type Change struct {
	From any `json:"from,omitempty"`
	To   any `json:"to,omitempty"`
}

// AuditFilter selects audit records; zero fields select all.
type AuditFilter struct {
	Target string
	Action string
	From   time.Time // inclusive
	To     time.Time // exclusive
}

// Matches reports whether the record passes the filter.
func (f AuditFilter) Matches(a *Audit) bool {
	return (f.Target == "" || f.Target == a.Target) &&
		(f.Action == "" || f.Action == a.Action) &&
		(f.From.IsZero() || !a.Time.Before(f.From)) &&
		(f.To.IsZero() || a.Time.Before(f.To))
}

// AuditPage is a part of the audit log.
type AuditPage struct {
	Records []Audit
	Next    string // empty on the last page
}
