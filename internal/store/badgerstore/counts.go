package badgerstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// A transaction of counts is committed when it holds this many records or this
// many bytes, far below what Badger takes. A change of a key waits for one
// transaction at most.
const (
	maxCountsRecords = 1024
	maxCountsBytes   = 64 << 10
)

// maxCountsKey bounds the id of a key that counts are of.
const maxCountsKey = 1 << 10

// endLength is how much of a record of counts says when they end.
const endLength = 8

var _ limit.Keeper = (*Store)(nil)

// Counts implements limit.Keeper.
func (s *Store) Counts(ctx context.Context, key string) ([]byte, error) {
	var data []byte
	err := s.view(ctx, func(v *snapshot) (err error) {
		data, err = v.counts(key, time.Now())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read counts of key %q: %w", key, err)
	}
	return data, nil
}

// counts judges the end itself: Badger knows it to the second only.
func (v *snapshot) counts(key string, now time.Time) ([]byte, error) {
	entry := countsKey(key)
	payload, ok, err := v.get(entry)
	if err != nil || !ok {
		return nil, err
	}
	if len(payload) <= endLength {
		return nil, v.damaged(entry, errors.New("is too short for counts"))
	}
	end := time.UnixMicro(int64(binary.BigEndian.Uint64(payload)))
	if now.After(end) {
		return nil, nil
	}
	return payload[endLength:], nil
}

// KeepCounts implements limit.Keeper. Counts that are too large are left out,
// and reported once the others are kept.
func (s *Store) KeepCounts(ctx context.Context, counts []limit.Counts) error {
	if err := s.enter(ctx); err != nil {
		return fmt.Errorf("keep counts: %w", err)
	}
	defer s.leave()
	if err := s.keepCounts(ctx, counts); err != nil {
		return fmt.Errorf("keep counts: %w", err)
	}
	return nil
}

func (s *Store) keepCounts(ctx context.Context, counts []limit.Counts) error {
	var refused error
	for len(counts) > 0 {
		if err := ctx.Err(); err != nil {
			return errors.Join(refused, err)
		}
		b := &countsBatch{now: time.Now()}
		counts = b.take(counts)
		refused = errors.Join(refused, b.refused)
		if err := s.commitCounts(b.entries); err != nil {
			return errors.Join(refused, err)
		}
	}
	return refused
}

// commitCounts makes entries durable between two batches of changes. An open
// batch goes first, as its callers have waited longer and must not be
// acknowledged on top of a commit that ended unknown.
//
// Counts share Badger's log with keys. Where their sync fails, the log may have
// a hole, and whatever is written behind it is lost at the next start however
// well it was synced: so that stops changes of keys too.
func (s *Store) commitCounts(entries []*badger.Entry) error {
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
		if err := setCounts(txn, e); err != nil {
			return fmt.Errorf("write %.80q: %w", e.Key, err)
		}
	}
	return w.end(txn)
}

func setCounts(txn *badger.Txn, e *badger.Entry) error {
	if e.Value == nil {
		return txn.Delete(e.Key)
	}
	return txn.SetEntry(e)
}

// countsBatch is counts that become durable together.
type countsBatch struct {
	now     time.Time
	entries []*badger.Entry // without a value: forget the key
	refused error
}

// take adds counts until the batch is full and returns the rest.
func (b *countsBatch) take(counts []limit.Counts) []limit.Counts {
	size := 0
	for i := range counts {
		if i == maxCountsRecords || size >= maxCountsBytes {
			return counts[i:]
		}
		e, err := countsEntry(&counts[i], b.now)
		if err != nil {
			b.refused = errors.Join(b.refused, fmt.Errorf("those of key %.80q: %w", counts[i].Key, err))
			continue
		}
		b.entries = append(b.entries, e)
		size += len(e.Key) + len(e.Value)
	}
	return nil
}

// countsEntry returns what replaces the counts that were kept of the key.
func countsEntry(c *limit.Counts, now time.Time) (*badger.Entry, error) {
	switch {
	case len(c.Key) > maxCountsKey:
		return nil, fmt.Errorf("its id takes %d bytes, must be at most %d: %w", len(c.Key), maxCountsKey, store.ErrInvalid)
	case len(c.Data) > limit.MaxCountsSize:
		return nil, fmt.Errorf("they take %d bytes, must be at most %d: give the key fewer limits: %w",
			len(c.Data), limit.MaxCountsSize, store.ErrInvalid)
	}
	key := countsKey(c.Key)
	if len(c.Data) == 0 || !c.End.After(now) {
		return badger.NewEntry(key, nil), nil
	}
	end := c.End.Add(time.Microsecond - 1).UnixMicro() // rounded up
	payload := binary.BigEndian.AppendUint64(make([]byte, 0, endLength+len(c.Data)), uint64(end))
	e := badger.NewEntry(key, seal(key, append(payload, c.Data...)))
	// Badger lets an entry go at this second of the clock, not behind it.
	e.ExpiresAt = uint64(c.End.Unix()) + 1
	return e, nil
}
