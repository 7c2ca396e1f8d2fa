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
		errs = append(errs, b.gather(&m.shards[i], now.UnixNano()))
		if len(b.counts) >= flushBatch || i == shardCount-1 {
			errs = append(errs, b.keep(ctx, m.keeper))
			b = batch{}
		}
	}
	return errors.Join(errs...)
}

// batch is what one write keeps.
type batch struct {
	counts []Counts
	from   []gathered // where each comes from
}

// gathered is an account of which a batch includes so many changes. It stays
// what the shard holds of its key, as it is dirty until they are kept.
type gathered struct {
	shard   *shard
	account *account
	changes uint64
}

// gather adds the counts of a shard that the keeper does not know, but those
// that no keeper takes, which it reports: they must not hold up the others.
func (b *batch) gather(s *shard, now int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for key, a := range s.accounts.byKey {
		if !a.dirty() {
			continue
		}
		for i := range a.windows.len() {
			a.windows.at(i).advance(now)
		}
		data, end := a.encode()
		if len(data) > MaxCountsSize {
			errs = append(errs, fmt.Errorf("keep the counts of key %s: %d bytes are more than %d: remove some of its limits", key, len(data), MaxCountsSize))
			continue
		}
		b.counts = append(b.counts, Counts{Key: key, Data: data, End: time.Unix(0, end)})
		b.from = append(b.from, gathered{s, a, a.changes})
	}
	return errors.Join(errs...)
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
	for _, g := range b.from {
		g.shard.mu.Lock()
		g.account.kept = g.changes
		g.shard.mu.Unlock()
	}
	return nil
}
