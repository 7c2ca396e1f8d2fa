package store

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gowebpki/jcs"
)

// Sealed returns the record, which must be in normal form and numbered, as the
// one that follows a record with the hash previous, zero for the first.
//
// Its hash is the SHA-256 of the record as the admin API shows it, without the
// field hash, in the canonical form of JSON (RFC 8785). So whoever reads the
// log can verify it with public tools.
func (a Audit) Sealed(previous Digest) (Audit, error) {
	a.PreviousHash = previous
	text, err := json.Marshal(a.View())
	if err == nil {
		a.Hash, err = AuditHash(text)
	}
	if err != nil {
		return Audit{}, fmt.Errorf("hash of the audit record: %w: %w", err, ErrInvalid)
	}
	return a, nil
}

// AuditHash returns the hash that a record of the audit log must have. It takes
// the JSON object that the admin API shows; a field hash in it does not count.
func AuditHash(record []byte) (Digest, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(record, &fields); err != nil {
		return Digest{}, err
	}
	if fields == nil {
		return Digest{}, errors.New("not an object")
	}
	delete(fields, "hash")
	text, err := json.Marshal(fields)
	if err != nil {
		return Digest{}, err
	}
	canonical, err := jcs.Transform(text)
	if err != nil {
		return Digest{}, err
	}
	return sha256.Sum256(canonical), nil
}

// AuditView is a record of the audit log as the admin API shows it: no field is
// left out, and what is not set is null.
type AuditView struct {
	Seq          uint64                `json:"seq"`
	Time         time.Time             `json:"time"`
	Actor        ActorView             `json:"actor"`
	Action       string                `json:"action"`
	Target       *string               `json:"target"`
	Outcome      Outcome               `json:"outcome"`
	Reason       *string               `json:"reason"`
	Changes      map[string]ChangeView `json:"changes"`
	PreviousHash *Digest               `json:"previousHash"`
	Hash         *Digest               `json:"hash"`
}

// ActorView is an Actor as the admin API shows it.
type ActorView struct {
	KeyID   *string `json:"keyId"`
	UserID  *string `json:"userId"`
	Address *string `json:"address"`
}

// ChangeView is a Change as the admin API shows it.
type ChangeView struct {
	From any `json:"from"`
	To   any `json:"to"`
}

// View returns the record as the admin API shows it.
func (a *Audit) View() AuditView {
	v := AuditView{
		Seq: a.Seq, Time: a.Time, Action: a.Action, Target: textOrNull(a.Target), Outcome: a.Outcome, Reason: textOrNull(a.Reason),
		Actor:        ActorView{textOrNull(a.Actor.KeyID), textOrNull(a.Actor.UserID), textOrNull(a.Actor.Address)},
		Changes:      make(map[string]ChangeView, len(a.Changes)),
		PreviousHash: digestOrNull(a.PreviousHash), Hash: digestOrNull(a.Hash),
	}
	for field, c := range a.Changes {
		v.Changes[field] = ChangeView(c)
	}
	return v
}

func textOrNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func digestOrNull(d Digest) *Digest {
	if d == (Digest{}) {
		return nil
	}
	return &d
}
