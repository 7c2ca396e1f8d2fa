package store

import "time"

// Outcome tells a change from an attempt.
type Outcome string

// Success is the outcome of what was done, Refused of what a caller tried and
// may not.
const (
	Success Outcome = "success"
	Refused Outcome = "refused"
)

// Audit is one entry of the audit log: who did what to what. It never holds a
// secret. The entries form a chain: each holds the hash of the one before, so
// that one that is edited or left out in the middle shows; see Sealed. That the
// newest are missing, or all were made anew, shows only to whoever has kept a
// hash elsewhere.
type Audit struct {
	Seq    uint64    `json:"seq"` // 1, 2, 3 … without gaps; assigned by the backend
	Time   time.Time `json:"time"`
	Actor  Actor     `json:"actor"`
	Action string    `json:"action"` // "key.create", "key.update", "key.revoke", …
	// Target is the id of the record that was, or was to be, changed; empty
	// where there is none.
	Target string `json:"target,omitempty"`
	// Outcome is Success where it is empty.
	Outcome Outcome `json:"outcome"`
	// Reason is the code of the answer to what was refused.
	Reason  string            `json:"reason,omitempty"`
	Changes map[string]Change `json:"changes,omitempty"` // by field
	// PreviousHash is the Hash of the entry before, zero for the first one, and
	// Hash that of this entry. Assigned by the backend.
	PreviousHash Digest `json:"previousHash,omitzero"`
	Hash         Digest `json:"hash,omitzero"`
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
	Target  string
	Action  string
	Actor   string // id of a key or a user
	Outcome Outcome
	From    time.Time // inclusive
	To      time.Time // exclusive
}

// Matches reports whether the record passes the filter.
func (f AuditFilter) Matches(a *Audit) bool {
	return (f.Target == "" || f.Target == a.Target) &&
		(f.Action == "" || f.Action == a.Action) &&
		(f.Actor == "" || f.Actor == a.Actor.KeyID || f.Actor == a.Actor.UserID) &&
		(f.Outcome == "" || f.Outcome == a.Outcome) &&
		(f.From.IsZero() || !a.Time.Before(f.From)) &&
		(f.To.IsZero() || a.Time.Before(f.To))
}

// AuditPage is a part of the audit log.
type AuditPage struct {
	Records []Audit
	Next    string // empty on the last page
}
