package usage

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/kv"
)

// Ledger keeps how much keys are used, in buckets of minutes, hours and days.
// What it is given is in memory until Flush. Safe for concurrent use; make it
// with NewLedger.
//
// Most of what it writes is small: the buckets of a key's newest ten minutes, its
// head. When the key is used later than that, the head is added to the pages of
// minutes, hours and days, and a new one begun, in one write that happens whole or
// not at all: so nothing is counted twice or left out, whenever the process ends.
type Ledger struct {
	store     kv.Store
	retention time.Duration

	kept    sync.RWMutex // held while what is kept is changed or read; before mu
	mu      sync.Mutex   // guards the rest
	pending map[string]*recent
	buckets int // of pending
}

// recent is what a key was used since the last flush, by Unix minutes.
type recent struct {
	minutes map[int64]*Bucket
	newest  int64
}

// headLength is how long the head of a key is.
const headLength = 10 * time.Minute

// maxPending is how many buckets wait for a store that cannot be written. Beyond,
// what a key does goes into the newest bucket that it has: totals stay true, and
// their times become vague.
const maxPending = 100_000

// maxID is the longest id that its length byte can tell.
const maxID = 255

// NewLedger returns a ledger over a store. Buckets of days are kept for the
// retention, at least.
func NewLedger(store kv.Store, retention time.Duration) *Ledger {
	return &Ledger{store: store, retention: retention, pending: map[string]*recent{}}
}

// Add adds counts.
func (l *Ledger) Add(counts []access.Count) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range counts {
		c := &counts[i]
		l.bucket(c.KeyID[:min(len(c.KeyID), maxID)], c.Minute).add(c)
		l.bucket(Everything, c.Minute).add(c)
	}
}

// bucket returns what is pending of a key and minute. The lock must be held.
func (l *Ledger) bucket(id string, minute int64) *Bucket {
	r := l.pending[id]
	if r == nil {
		r = &recent{minutes: map[int64]*Bucket{}}
		l.pending[id] = r
	}
	b := r.minutes[minute]
	if b == nil && l.buckets >= maxPending && len(r.minutes) > 0 {
		b = r.minutes[r.newest]
	}
	if b == nil {
		b = &Bucket{}
		r.minutes[minute] = b
		r.newest = max(r.newest, minute)
		l.buckets++
	}
	return b
}

// flushed is how many keys are written at once.
const flushed = 128

// Flush writes what is pending. What could not be written is pending again.
func (l *Ledger) Flush(ctx context.Context) error {
	l.kept.Lock()
	defer l.kept.Unlock()
	taken := l.take()
	for len(taken) > 0 {
		for ids := range slices.Chunk(slices.Sorted(maps.Keys(taken)), flushed) {
			if err := l.write(ctx, taken, ids); err != nil {
				l.giveBack(taken)
				return fmt.Errorf("keep the usage of %d keys: %w", len(taken), err)
			}
		}
	}
	return nil
}

func (l *Ledger) take() map[string]*recent {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.pending
	l.pending, l.buckets = map[string]*recent{}, 0
	return taken
}

func (l *Ledger) giveBack(taken map[string]*recent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, r := range taken {
		for minute, b := range r.minutes {
			l.bucket(id, minute).Add(b)
		}
	}
}

// write writes the first hour of what each key was used, which is all of it unless
// the store could not be written for long, and takes it out of what is taken. More
// at once might not fit into a group.
func (l *Ledger) write(ctx context.Context, taken map[string]*recent, ids []string) error {
	groups := make([][]kv.Entry, 0, len(ids))
	hours := make([][]int64, 0, len(ids))
	for _, id := range ids {
		hour := taken[id].firstHour()
		group, err := l.fold(ctx, id, taken[id].minutes, hour)
		if err != nil {
			return err
		}
		groups, hours = append(groups, group), append(hours, hour)
	}
	written, err := l.store.Write(ctx, groups)
	for i, id := range ids[:written] {
		for _, minute := range hours[i] {
			delete(taken[id].minutes, minute)
		}
		if len(taken[id].minutes) == 0 {
			delete(taken, id)
		}
	}
	return err
}

// firstHour returns the minutes that are within an hour of the first, in order.
func (r *recent) firstHour() []int64 {
	first := int64(math.MaxInt64)
	for minute := range r.minutes {
		first = min(first, minute)
	}
	var hour []int64
	for minute := range r.minutes {
		if minute-first < 60 {
			hour = append(hour, minute)
		}
	}
	slices.Sort(hour)
	return hour
}

// fold returns what to write so that some minutes are added to what is kept of a key.
func (l *Ledger) fold(ctx context.Context, id string, buckets map[int64]*Bucket, minutes []int64) ([]kv.Entry, error) {
	e := newEdit(l, id)
	head, err := e.head(ctx)
	if err != nil {
		return nil, err
	}
	for _, minute := range minutes {
		at := time.Unix(minute*60, 0).UTC()
		start := at.Truncate(headLength)
		if head == nil || start.Unix() > head.start {
			if err := e.close(ctx, head); err != nil {
				return nil, err
			}
			head = newPage(start.Unix())
		}
		if start.Unix() == head.start {
			head.slot(at.Minute() % int(headLength/time.Minute)).Add(buckets[minute])
			continue
		}
		if err := e.add(ctx, at, buckets[minute]); err != nil { // told late
			return nil, err
		}
	}
	e.setHead(head)
	return e.entries, nil
}

// Sweep closes the heads of keys that are used no more, so that all heads
// together are those of keys in use. Call it every few minutes.
func (l *Ledger) Sweep(ctx context.Context, now time.Time) error {
	l.kept.Lock()
	defer l.kept.Unlock()
	var idle []string
	err := l.heads(ctx, func(id string, head *page) bool {
		if head.start < now.Add(-2*headLength).Unix() {
			idle = append(idle, id)
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("look for keys that are used no more: %w", err)
	}
	for chunk := range slices.Chunk(idle, flushed) {
		groups := make([][]kv.Entry, 0, len(chunk))
		for _, id := range chunk {
			group, err := l.closing(ctx, id)
			if err != nil {
				return fmt.Errorf("close the usage of a key: %w", err)
			}
			groups = append(groups, group)
		}
		if _, err := l.store.Write(ctx, groups); err != nil {
			return fmt.Errorf("close the usage of %d keys: %w", len(chunk), err)
		}
	}
	return nil
}

func (l *Ledger) closing(ctx context.Context, id string) ([]kv.Entry, error) {
	e := newEdit(l, id)
	head, err := e.head(ctx)
	if err == nil {
		err = e.close(ctx, head)
	}
	e.setHead(nil)
	return e.entries, err
}

// heads visits the heads of all keys until visit returns false. Those that are
// damaged are left out.
func (l *Ledger) heads(ctx context.Context, visit func(id string, head *page) bool) error {
	return l.store.Walk(ctx, kv.Range{Prefix: headPrefix}, func(suffix, value []byte) (bool, error) {
		id, ok := headID(suffix)
		head, err := decodePage(value)
		if !ok || err != nil {
			return true, nil //nolint:nilerr // damaged: what else there is counts for more
		}
		return visit(id, head), nil
	})
}

// InUse returns the keys that were used since a time, Everything and Strangers
// left out. It knows of the last twenty minutes at least.
func (l *Ledger) InUse(ctx context.Context, since time.Time) ([]string, error) {
	ids := map[string]bool{}
	note := func(id string, last int64) {
		if id != Everything && id != Strangers && last+60 > since.Unix() {
			ids[id] = true
		}
	}
	err := l.heads(ctx, func(id string, head *page) bool {
		note(id, head.start+60*int64(slices.Max(append(slices.Collect(maps.Keys(head.slots)), 0))))
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("look for keys in use: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, r := range l.pending {
		note(id, 60*r.newest)
	}
	return slices.Sorted(maps.Keys(ids)), nil
}
