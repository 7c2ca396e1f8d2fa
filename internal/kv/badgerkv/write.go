package badgerkv

import (
	"context"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/otlpgate/otlpgate/internal/kv"
)

// maxTransaction is how many bytes of keys and values are committed at once, below
// what Badger takes with another group on top (15 % of a memtable), and maxEntries
// how many entries.
const (
	maxTransaction = kv.MaxGroup
	maxEntries     = 4096
)

var errNoSpace = errors.New("too little space")

// Write implements kv.Store.
func (s *Store) Write(ctx context.Context, groups [][]kv.Entry) (int, error) {
	if err := s.enter(ctx); err != nil {
		return 0, fmt.Errorf("write: %w", err)
	}
	defer s.leave()
	if err := s.roomy(); err != nil {
		return 0, fmt.Errorf("write: %w", err)
	}
	written := 0
	for written < len(groups) {
		if err := s.interrupted(ctx); err != nil {
			return written, fmt.Errorf("write: %w", err)
		}
		n, err := some(groups[written:])
		if err == nil {
			err = s.commit(groups[written : written+n])
		}
		if err != nil {
			return written, fmt.Errorf("write: %w", err)
		}
		written += n
	}
	return written, nil
}

// some returns how many of the groups fit into a transaction.
func some(groups [][]kv.Entry) (int, error) {
	size, entries := 0, 0
	for n, group := range groups {
		groupSize, err := sizeOf(group)
		if err != nil {
			if n > 0 {
				return n, nil // the error is that of the next transaction
			}
			return 0, err
		}
		if n > 0 && (size+groupSize > maxTransaction || entries+len(group) > maxEntries) {
			return n, nil
		}
		size += groupSize
		entries += len(group)
	}
	return len(groups), nil
}

// sizeOf returns the bytes of a group, and refuses one that breaks the contract.
func sizeOf(group []kv.Entry) (int, error) {
	size := 0
	for i := range group {
		e := &group[i]
		switch {
		case len(e.Key) == 0 || (e.Value != nil && len(e.Value) == 0):
			return 0, fmt.Errorf("entry %.40q: key and value must not be empty", e.Key)
		case len(e.Key) > kv.MaxKey || len(e.Value) > kv.MaxValue:
			return 0, fmt.Errorf("entry %.40q: %d bytes of key and %d of value, must be at most %d and %d: %w",
				e.Key, len(e.Key), len(e.Value), kv.MaxKey, kv.MaxValue, kv.ErrTooLarge)
		}
		size += len(e.Key) + len(e.Value)
	}
	if size > kv.MaxGroup || len(group) > maxEntries {
		return 0, fmt.Errorf("group of %d entries and %d bytes, must be at most %d and %d: %w", len(group), size, maxEntries, kv.MaxGroup, kv.ErrTooLarge)
	}
	return size, nil
}

// commit writes groups in one transaction.
func (s *Store) commit(groups [][]kv.Entry) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return guard(func() error {
		txn := s.db.NewTransaction(true)
		defer txn.Discard()
		for _, group := range groups {
			for i := range group {
				if err := set(txn, &group[i]); err != nil {
					return fmt.Errorf("entry %.40q: %w", group[i].Key, err)
				}
			}
		}
		return txn.Commit()
	})
}

func set(txn *badger.Txn, e *kv.Entry) error {
	key := append([]byte(nil), e.Key...) // Badger keeps it until it is committed
	if e.Value == nil {
		return txn.Delete(key)
	}
	entry := badger.NewEntry(key, seal(key, e.Value))
	if !e.ExpiresAt.IsZero() {
		entry.ExpiresAt = uint64(max(e.ExpiresAt.Unix(), 1))
	}
	return txn.SetEntry(entry)
}

// roomy reports whether there is enough free space to write.
func (s *Store) roomy() error {
	free, err := s.free(s.directory)
	if err == nil && free < s.minFree {
		return fmt.Errorf("%d MiB are free for %q, must be at least %d: free some: %w", free>>20, s.directory, s.minFree>>20, errNoSpace)
	}
	return nil
}
