package badgerstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// A transaction of transient entries is committed when it holds this many or
// this many bytes, far below what Badger takes. A change of a key waits for one
// transaction at most.
const (
	maxTransientRecords = 1024
	maxTransientBytes   = 64 << 10
)

// transient says how the entries of a family that stands apart from changes
// (see layout.go) are made of what the store is given.
type transient[T any] struct {
	// encode returns the entry of an item; one without a value forgets. Where
	// it fails, the item is left out.
	encode func(*T) (*badger.Entry, error)
	// stale reports whether the store has a newer entry. Nil: it never has.
	stale func(*snapshot, *badger.Entry) (bool, error)
}

// keep makes the entries of items durable, one transaction after the other.
// Items that encode has refused are reported once the others are kept.
func (k transient[T]) keep(ctx context.Context, s *Store, items []T) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	var refused error
	for len(items) > 0 {
		if err := ctx.Err(); err != nil {
			return errors.Join(refused, err)
		}
		entries, rest, err := k.take(items)
		refused, items = errors.Join(refused, err), rest
		if err := s.commitTransient(entries, k.stale); err != nil {
			return errors.Join(refused, err)
		}
	}
	return refused
}

// take returns the entries of as many items as fit into a transaction, the rest
// of the items, and why items were left out.
func (k transient[T]) take(items []T) (entries []*badger.Entry, rest []T, refused error) {
	size := 0
	for i := range items {
		if i == maxTransientRecords || size >= maxTransientBytes {
			return entries, items[i:], refused
		}
		e, err := k.encode(&items[i])
		if err != nil {
			refused = errors.Join(refused, err)
			continue
		}
		entries = append(entries, e)
		size += len(e.Key) + len(e.Value)
	}
	return entries, nil, refused
}

// commitTransient makes entries durable between two batches of changes. An open
// batch goes first, as its callers have waited longer and must not be
// acknowledged on top of a commit that ended unknown.
//
// Transient entries share Badger's log with keys. Where their sync fails, the
// log may have a hole, and whatever is written behind it is lost at the next
// start however well it was synced: so that stops changes of keys too.
func (s *Store) commitTransient(entries []*badger.Entry, stale func(*snapshot, *badger.Entry) (bool, error)) error {
	w := &s.writer
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.batch != nil {
		s.commit()
	}
	if err := s.writableLocked(); err != nil {
		return err
	}
	txn := s.db.NewTransaction(true)
	defer txn.Discard()
	for _, e := range entries {
		if err := setTransient(&snapshot{s, txn}, e, stale); err != nil {
			return fmt.Errorf("write %.80q: %w", e.Key, err)
		}
	}
	return w.end(txn)
}

func setTransient(v *snapshot, e *badger.Entry, stale func(*snapshot, *badger.Entry) (bool, error)) error {
	if stale != nil {
		if old, err := stale(v, e); err != nil || old {
			return err
		}
	}
	if e.Value == nil {
		return v.txn.Delete(e.Key)
	}
	return v.txn.SetEntry(e)
}
