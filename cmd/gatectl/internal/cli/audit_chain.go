package cli

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/store"
)

// chain verifies an audit log that is read from its newest record back.
type chain struct {
	anchors map[uint64]anchor

	newest   anchor // zero: nothing was read yet
	verified uint64
	// next is the record before the last one that was read: what the last one
	// says of it. The first record of a log is followed by the zero value.
	next anchor
	// matched are the anchors that were found.
	matched map[uint64]bool
}

// anchor is a record of the log with the hash that it has, or must have.
type anchor struct {
	seq  uint64
	hash credential.Digest
}

func (a anchor) String() string { return fmt.Sprintf("%d:%s", a.seq, a.hash) }

// link is what a record says of its place in the log.
type link struct {
	Seq          uint64             `json:"seq"`
	PreviousHash *credential.Digest `json:"previousHash"`
	Hash         *credential.Digest `json:"hash"`
}

// add verifies the next older record, as the admin API shows it. Its errors
// name the record.
func (v *chain) add(record []byte) error {
	var l link
	if err := json.Unmarshal(record, &l); err != nil || l.Seq == 0 {
		return fmt.Errorf("what follows %s is no record of an audit log", v.place())
	}
	if err := v.checkPlace(l); err != nil {
		return err
	}
	if err := v.checkHash(record, l); err != nil {
		return err
	}
	at := anchor{l.Seq, *l.Hash}
	if err := v.checkAnchors(at); err != nil {
		return err
	}
	if v.newest.seq == 0 {
		v.newest = at
	}
	v.next = anchor{seq: l.Seq - 1}
	if l.PreviousHash != nil {
		v.next.hash = *l.PreviousHash
	}
	v.verified++
	return nil
}

// place names the last record that was read.
func (v *chain) place() string {
	if v.newest.seq == 0 {
		return "the head of the log"
	}
	return fmt.Sprintf("record %d", v.next.seq+1)
}

// checkPlace checks that no record was left out, or put in.
func (v *chain) checkPlace(l link) error {
	switch {
	case v.newest.seq > 0 && l.Seq != v.next.seq:
		return fmt.Errorf("record %d is missing: record %d comes after record %d", v.next.seq, v.next.seq+1, l.Seq)
	case l.Seq == 1 && l.PreviousHash != nil:
		return errors.New("record 1 names a record before it, and must be the first")
	case l.Seq > 1 && l.PreviousHash == nil:
		return fmt.Errorf("record %d names no record before it, and %d must be there", l.Seq, l.Seq-1)
	}
	return nil
}

// checkHash checks that the record was not edited.
func (v *chain) checkHash(record []byte, l link) error {
	want, err := store.AuditHash(record)
	switch {
	case err != nil:
		return fmt.Errorf("record %d cannot be hashed: %w", l.Seq, err)
	case l.Hash == nil:
		return fmt.Errorf("record %d has no hash", l.Seq)
	case *l.Hash != credential.Digest(want):
		return fmt.Errorf("record %d was changed: its hash is %s, and that of its content is %s", l.Seq, l.Hash, credential.Digest(want))
	case v.newest.seq > 0 && *l.Hash != v.next.hash:
		return fmt.Errorf("record %d was changed: its hash is %s, and record %d names %s", l.Seq, l.Hash, l.Seq+1, v.next.hash)
	}
	return nil
}

// checkAnchors checks that what was verified before is still there.
func (v *chain) checkAnchors(at anchor) error {
	if v.newest.seq == 0 {
		for seq := range v.anchors {
			if seq > at.seq {
				return fmt.Errorf("record %d is missing: it was there at an earlier verification, and the log ends with record %d now", seq, at.seq)
			}
		}
	}
	want, ok := v.anchors[at.seq]
	if !ok {
		return nil
	}
	if want.hash != at.hash {
		return fmt.Errorf("record %d was changed: its hash is %s, and was %s at an earlier verification", at.seq, at.hash, want.hash)
	}
	if v.matched == nil {
		v.matched = map[uint64]bool{}
	}
	v.matched[at.seq] = true
	return nil
}

// end checks that the log was read to its first record.
func (v *chain) end() error {
	switch {
	case v.newest.seq == 0 && len(v.anchors) > 0:
		return errors.New("the log is empty, and was not at an earlier verification")
	case v.newest.seq > 0 && v.next.seq > 0:
		return fmt.Errorf("record %d is missing: the log begins with record %d", v.next.seq, v.next.seq+1)
	}
	return nil
}
