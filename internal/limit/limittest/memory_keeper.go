package limittest

import (
	"bytes"
	"context"
	"maps"
	"sync"
	"time"

	"github.com/otlpgate/otlpgate/internal/limit"
)

// MemoryKeeper is a limit.Keeper in memory, for the tests of those who need
// one. It is safe for concurrent use; make it with NewMemoryKeeper.
type MemoryKeeper struct {
	mu    sync.Mutex
	kept  map[string]limit.Counts
	calls int
	fail  error
	now   func() time.Time
}

var _ limit.Keeper = (*MemoryKeeper)(nil)

// NewMemoryKeeper returns a keeper that keeps nothing yet.
func NewMemoryKeeper() *MemoryKeeper {
	return &MemoryKeeper{kept: map[string]limit.Counts{}, now: time.Now}
}

// Clock makes the keeper judge by now instead of time.Now when counts have run
// out, for tests that make up the time.
func (m *MemoryKeeper) Clock(now func() time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = now
}

// Fail makes every call return err and do nothing else; nil ends that.
func (m *MemoryKeeper) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

// Kept returns what is kept by key, what has run out included.
func (m *MemoryKeeper) Kept() map[string]limit.Counts {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := maps.Clone(m.kept)
	for key, c := range kept {
		c.Data = bytes.Clone(c.Data)
		kept[key] = c
	}
	return kept
}

// Calls returns how often the keeper has been asked to keep or return counts,
// failures included.
func (m *MemoryKeeper) Calls() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls
}

// Counts implements limit.Keeper.
func (m *MemoryKeeper) Counts(ctx context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	c, ok := m.kept[key]
	if !ok || m.now().After(c.End) {
		return nil, nil
	}
	return bytes.Clone(c.Data), nil
}

// KeepCounts implements limit.Keeper.
func (m *MemoryKeeper) KeepCounts(ctx context.Context, counts []limit.Counts) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(ctx); err != nil {
		return err
	}
	for _, c := range counts {
		if len(c.Data) == 0 {
			delete(m.kept, c.Key)
			continue
		}
		c.Data = bytes.Clone(c.Data)
		m.kept[c.Key] = c
	}
	return nil
}

// begin counts a call and tells whether it fails. The lock must be held.
func (m *MemoryKeeper) begin(ctx context.Context) error {
	m.calls++
	if err := ctx.Err(); err != nil {
		return err
	}
	return m.fail
}
