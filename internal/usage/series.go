package usage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/otlpgate/otlpgate/internal/kv"
)

// Series is the use of a key over time.
type Series struct {
	Step Step
	// From and To bound it; both lie on the step.
	From, To time.Time
	// Buckets are those in which the key was used, the oldest first.
	Buckets []TimedBucket
}

// TimedBucket is the use of a key in one step of a series.
type TimedBucket struct {
	Start time.Time
	Bucket
}

// Sum adds up all buckets.
func (s *Series) Sum() Bucket {
	var sum Bucket
	for i := range s.Buckets {
		sum.Add(&s.Buckets[i].Bucket)
	}
	return sum
}

// maxBuckets bounds a series.
const maxBuckets = 5_000

// Bounds says how far back buckets of a step are kept, and how long a series can
// be.
func (l *Ledger) Bounds(s Step) (kept, longest time.Duration) {
	return levelOf(s).kept(l.retention), maxBuckets * s.Length()
}

// Read returns the use of a key from a time to another, both brought to the step,
// outwards. What could not be written yet is in it.
func (l *Ledger) Read(ctx context.Context, id string, from, to time.Time, s Step) (Series, error) {
	lv := levelOf(s)
	from, to = from.UTC().Truncate(s.Length()), roundUp(to.UTC(), s.Length())
	found := map[time.Time]*Bucket{}
	take := func(at time.Time, b *Bucket) {
		if at.Before(from) || !at.Before(to) {
			return
		}
		if found[at] == nil {
			found[at] = &Bucket{}
		}
		found[at].Add(b)
	}
	if err := l.readPages(ctx, lv, id, from, to, take); err != nil {
		return Series{}, fmt.Errorf("read the usage of key %.80q: %w", id, err)
	}
	series := Series{Step: s, From: from, To: to}
	for at, b := range found {
		series.Buckets = append(series.Buckets, TimedBucket{at, *b})
	}
	slices.SortFunc(series.Buckets, func(a, b TimedBucket) int { return a.Start.Compare(b.Start) })
	return series, nil
}

// readPages gives take all buckets of the pages, of the head and of what is pending.
func (l *Ledger) readPages(ctx context.Context, lv *level, id string, from, to time.Time, take func(time.Time, *Bucket)) error {
	l.kept.RLock() // so that no head is closed meanwhile
	defer l.kept.RUnlock()
	head, err := l.page(ctx, headKey(id))
	if err != nil {
		return err
	}
	if head != nil {
		for slot, b := range head.slots {
			at := time.Unix(head.start, 0).UTC().Add(time.Duration(slot) * time.Minute)
			take(at.Truncate(lv.step.Length()), b)
		}
	}
	l.eachPending(id, func(at time.Time, b *Bucket) { take(at.Truncate(lv.step.Length()), b) })
	first, _ := lv.place(from)
	return l.store.Walk(ctx, kv.Range{Prefix: lv.prefix(id), From: position(first), To: position(to)},
		func(_, value []byte) (bool, error) {
			p, err := decodePage(value)
			if err != nil {
				return true, nil //nolint:nilerr // damaged: what else there is counts for more
			}
			for slot, b := range p.slots {
				take(lv.timeOf(time.Unix(p.start, 0).UTC(), slot), b)
			}
			return true, nil
		})
}

// eachPending visits what is pending of a key.
func (l *Ledger) eachPending(id string, visit func(at time.Time, b *Bucket)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.pending[id]; r != nil {
		for minute, b := range r.minutes {
			visit(time.Unix(minute*60, 0).UTC(), b)
		}
	}
}

func roundUp(at time.Time, step time.Duration) time.Time {
	if down := at.Truncate(step); down.Before(at) {
		return down.Add(step)
	}
	return at
}

// Requests returns how many requests a key made from a time to another, to the
// minute, and how many of them were refused or failed. It knows of the last day.
func (l *Ledger) Requests(ctx context.Context, id string, from, to time.Time) (requests, errors int64, err error) {
	series, err := l.Read(ctx, id, from, to, Minute)
	if err != nil {
		return 0, 0, err
	}
	sum := series.Sum()
	total := sum.Total()
	return total.Requests, total.Errors(), nil
}

// Busy returns how much each key was used from a time to another, to the minute,
// of those that InUse knows since the first; Everything and Strangers are among
// them.
func (l *Ledger) Busy(ctx context.Context, from, to time.Time) (map[string]Counts, error) {
	ids, err := l.InUse(ctx, from)
	if err != nil {
		return nil, err
	}
	busy := make(map[string]Counts, len(ids)+2)
	for _, id := range append(ids, Everything, Strangers) {
		series, err := l.Read(ctx, id, from, to, Minute)
		if err != nil {
			return nil, err
		}
		sum := series.Sum()
		busy[id] = sum.Total()
	}
	return busy, nil
}
