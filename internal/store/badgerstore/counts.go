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
	if err := (transient[limit.Counts]{encode: encodeCounts}).keep(ctx, s, counts); err != nil {
		return fmt.Errorf("keep counts: %w", err)
	}
	return nil
}

func encodeCounts(c *limit.Counts) (*badger.Entry, error) {
	e, err := countsEntry(c, time.Now())
	if err != nil {
		return nil, fmt.Errorf("those of key %.80q: %w", c.Key, err)
	}
	return e, nil
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
