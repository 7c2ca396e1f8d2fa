package badgerkv

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
	"github.com/otlpgate/otlpgate/internal/kv"
)

// Get implements kv.Store.
func (s *Store) Get(ctx context.Context, key []byte) ([]byte, error) {
	if err := s.life.enter(ctx); err != nil {
		return nil, fmt.Errorf("get %.40q: %w", key, err)
	}
	defer s.life.leave()
	txn := s.db.NewTransaction(false)
	defer txn.Discard()
	var sealed []byte
	err := badgerdb.Guard(func() error {
		item, err := txn.Get(key)
		if err != nil {
			return err
		}
		sealed, err = item.ValueCopy(nil)
		return err
	})
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, fmt.Errorf("get %.40q: %w", key, kv.ErrNotFound)
	}
	var value []byte
	if err == nil {
		value, err = unseal(key, sealed)
	}
	if err != nil {
		return nil, fmt.Errorf("get %.40q: %w", key, err)
	}
	return value, nil
}

// Walk implements kv.Store. Entries that are damaged are left out.
func (s *Store) Walk(ctx context.Context, r kv.Range, visit func(suffix, value []byte) (bool, error)) error {
	if err := s.life.enter(ctx); err != nil {
		return fmt.Errorf("walk %.40q: %w", r.Prefix, err)
	}
	defer s.life.leave()
	w, err := s.walk(r)
	if err != nil {
		return fmt.Errorf("walk %.40q: %w", r.Prefix, err)
	}
	defer w.end()
	for {
		ok, err := w.next()
		if err == nil {
			err = s.life.interrupted(ctx)
		}
		if err != nil {
			return fmt.Errorf("walk %.40q: %w", r.Prefix, err)
		}
		if !ok {
			return nil
		}
		value, err := unseal(w.key, w.sealed)
		if err != nil {
			w.damaged++
			continue
		}
		if more, err := visit(w.key[len(r.Prefix):], value); err != nil || !more {
			return err
		}
	}
}

// walk begins a walk, which end must end.
func (s *Store) walk(r kv.Range) (*walk, error) {
	w := &walk{store: s, r: r, txn: s.db.NewTransaction(false)}
	o := badger.DefaultIteratorOptions
	o.Prefix = r.Prefix
	o.Reverse = r.Newest
	o.PrefetchValues = false // they lie beside the keys
	return w, badgerdb.Guard(func() error { w.it = w.txn.NewIterator(o); return nil })
}

// walk is a walk under way. The key and sealed value are those of the entry that
// it is at, until next.
type walk struct {
	store       *Store
	r           kv.Range
	txn         *badger.Txn
	it          *badger.Iterator
	begun       bool
	key, sealed []byte
	damaged     int
}

// next goes to the next entry of the range and reports whether there is one.
func (w *walk) next() (ok bool, err error) {
	err = badgerdb.Guard(func() error {
		if w.begun {
			w.it.Next()
		} else {
			w.it.Seek(w.start())
			w.begun = true
		}
		for ; w.it.ValidForPrefix(w.r.Prefix); w.it.Next() {
			item := w.it.Item()
			w.key = item.KeyCopy(w.key)
			suffix := w.key[len(w.r.Prefix):]
			if w.beyond(suffix) {
				return nil
			}
			if !w.before(suffix) {
				w.sealed, err = item.ValueCopy(w.sealed)
				ok = true
				return err
			}
		}
		return nil
	})
	return ok, err
}

// start is the key to seek.
func (w *walk) start() []byte {
	switch {
	case !w.r.Newest && w.r.From != nil:
		return join(w.r.Prefix, w.r.From)
	case w.r.Newest && w.r.To != nil:
		return join(w.r.Prefix, w.r.To)
	case w.r.Newest:
		return join(w.r.Prefix, bytes.Repeat([]byte{0xff}, kv.MaxKey))
	}
	return w.r.Prefix
}

// before reports whether the walk has not come to the range yet: backwards it
// begins at To, which is exclusive.
func (w *walk) before(suffix []byte) bool {
	return w.r.Newest && w.r.To != nil && bytes.Compare(suffix, w.r.To) >= 0
}

// beyond reports whether the walk has left the range.
func (w *walk) beyond(suffix []byte) bool {
	if w.r.Newest {
		return w.r.From != nil && bytes.Compare(suffix, w.r.From) < 0
	}
	return w.r.To != nil && bytes.Compare(suffix, w.r.To) >= 0
}

func (w *walk) end() {
	closeIterator(w.it, w.txn)
	if w.damaged > 0 {
		w.store.logger.Error("some of usage, access logs and alerts is damaged and was left out",
			zap.String("directory", w.store.directory), zap.Int("entries", w.damaged))
	}
}

// closeIterator ends an iterator and its transaction. Where Badger panics in doing
// so, it did before, which is reported.
func closeIterator(it *badger.Iterator, txn *badger.Txn) {
	_ = badgerdb.Guard(func() error { it.Close(); return nil })
	_ = badgerdb.Guard(func() error { txn.Discard(); return nil })
}

func join(prefix, suffix []byte) []byte {
	return append(append(make([]byte, 0, len(prefix)+len(suffix)), prefix...), suffix...)
}
