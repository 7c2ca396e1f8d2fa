package badgerkv

import (
	"context"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
	"github.com/otlpgate/otlpgate/internal/kv"
)

// A transaction is at most this many bytes of keys and values and this many
// entries, as a group is: far below what Badger takes (15 % of a memtable, 13,000
// entries).
const (
	maxTransaction = kv.MaxGroup
	maxEntries     = kv.MaxEntries
)

// ErrNoSpace means that the file system is too full to write.
var ErrNoSpace = errors.New("too little space")

// Write implements kv.Store.
func (s *Store) Write(ctx context.Context, groups [][]kv.Entry) (int, error) {
	if err := s.life.enter(ctx); err != nil {
		return 0, fmt.Errorf("write: %w", err)
	}
	defer s.life.leave()
	written := 0
	for written < len(groups) {
		n, err := s.writeSome(ctx, groups[written:])
		if err != nil {
			return written, fmt.Errorf("write: %w", err)
		}
		written += n
	}
	return written, nil
}

// writeSome writes as many of the groups as fit into a transaction.
func (s *Store) writeSome(ctx context.Context, groups [][]kv.Entry) (int, error) {
	if err := s.life.interrupted(ctx); err != nil {
		return 0, err
	}
	n, err := some(groups)
	if err != nil {
		return 0, err
	}
	if err := s.roomy(s.minFree); err != nil {
		return 0, err
	}
	return n, s.commit(groups[:n])
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
	if size > kv.MaxGroup || len(group) > kv.MaxEntries {
		return 0, fmt.Errorf("group of %d entries and %d bytes, must be at most %d and %d: %w",
			len(group), size, kv.MaxEntries, kv.MaxGroup, kv.ErrTooLarge)
	}
	return size, nil
}

// commit writes groups in one transaction.
func (s *Store) commit(groups [][]kv.Entry) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return badgerdb.Guard(func() error {
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

// leastFree is how many bytes must be free to write at all, be it to delete.
const leastFree = 64 << 20

// roomy reports whether so many bytes are free. Badger writes into memory maps of
// sparse files, where a full disk is a fatal signal.
func (s *Store) roomy(least uint64) error {
	free, err := s.free(s.directory)
	if err == nil && free < least {
		return fmt.Errorf("%d MiB are free for %q, must be at least %d: free some: %w", free>>20, s.directory, least>>20, ErrNoSpace)
	}
	return nil
}
