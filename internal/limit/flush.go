package limit

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// flushBatch is how many keys are handed to the keeper at once, about. It
// bounds what is copied, and shares what a write costs.
const flushBatch = 4096

// Flush hands the counts of long windows that have changed to the keeper. What
// could not be kept is tried again by the next call.
func (m *Memory) Flush(ctx context.Context, now time.Time) error {
	if m.keeper == nil {
		return nil
	}
	m.flushing.Lock()
	defer m.flushing.Unlock()
	var errs []error
	var b batch
	for i := range m.shards {
		b.gather(&m.shards[i], now.UnixNano())
		if len(b.counts) >= flushBatch || i == shardCount-1 {
			errs = append(errs, b.keep(ctx, m.keeper))
			b = batch{}
		}
	}
	return errors.Join(errs...)
}

// batch is what one write keeps.
type batch struct {
	counts  []Counts
	changes []uint64 // how many changes each includes
	shards  []*shard // where each comes from
}

// gather adds the counts of a shard that the keeper does not know.
func (b *batch) gather(s *shard, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, a := range s.accounts {
		if !a.dirty() {
			continue
		}
		for i := range a.windows {
			a.windows[i].advance(now)
		}
		data, end := a.encode()
		b.counts = append(b.counts, Counts{Key: key, Data: data, End: time.Unix(0, end)})
		b.changes = append(b.changes, a.changes)
		b.shards = append(b.shards, s)
	}
}

// keep writes the batch and notes what is kept. An account changes while it is
// written, and is not forgotten as long as it is dirty.
func (b *batch) keep(ctx context.Context, k Keeper) error {
	if len(b.counts) == 0 {
		return nil
	}
	if err := k.KeepCounts(ctx, b.counts); err != nil {
		return fmt.Errorf("keep the counts of %d keys: %w", len(b.counts), err)
	}
	for i, c := range b.counts {
		b.shards[i].kept(c.Key, b.changes[i])
	}
	return nil
}

func (s *shard) kept(key string, changes uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts[key]; a != nil {
		a.kept = changes
	}
}
