package limit

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"time"
)

// MemoryOptions configure a Memory.
type MemoryOptions struct {
	// Keeper keeps the counts of long windows. Without one they end with the
	// process like all others.
	Keeper Keeper
}

// Memory is a Counter in this process. Make it with NewMemory, and call Sweep
// and Flush now and then. Safe for concurrent use.
type Memory struct {
	keeper   Keeper
	flushing sync.Mutex // a slow write must not undo a later one
	seed     maphash.Seed
	shards   [shardCount]shard
}

// shardCount divides keys over as many locks, so that keys do not wait for one
// another, and a sweep holds up few at a time.
const shardCount = 256

type shard struct {
	mu       sync.Mutex // guards the rest
	accounts accounts
	_        [64]byte // processors that use different shards do not share a cache line
}

var _ Counter = (*Memory)(nil)

// NewMemory returns a Memory that has counted nothing.
func NewMemory(o MemoryOptions) *Memory {
	m := &Memory{keeper: o.Keeper, seed: maphash.MakeSeed()}
	for i := range m.shards {
		m.shards[i].accounts = newAccounts()
	}
	return m
}

func (m *Memory) shard(key string) *shard {
	return &m.shards[maphash.String(m.seed, key)%shardCount]
}

// unprepared reports whether the policy needs counts that are still with the
// keeper. The account may be nil.
func (m *Memory) unprepared(a *account, p *Policy) bool {
	return m.keeper != nil && p != nil && p.long && (a == nil || !a.prepared)
}

// Admit implements Counter.
func (m *Memory) Admit(now time.Time, key string, p *Policy, c *Cost, r *Receipt) Decision {
	if p == nil {
		return Decision{Verdict: Admitted}
	}
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts.open(key)
	if m.unprepared(a, p) {
		return Decision{Verdict: Unknown}
	}
	a.seen = now.UnixNano()
	return a.admit(a.seen, p, c, r)
}

// Prepare implements Counter.
func (m *Memory) Prepare(ctx context.Context, now time.Time, key string) error {
	if m.keeper == nil {
		return nil
	}
	data, err := m.keeper.Counts(ctx, key)
	if err != nil {
		return fmt.Errorf("read the counts of key %s: %w", key, err)
	}
	kept, err := decodeCounts(data)
	if err != nil {
		return fmt.Errorf("read the counts of key %s: %w", key, err)
	}
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts.open(key)
	if a.prepared { // another was faster, and much may have been charged since
		return nil
	}
	a.prepared, a.seen = true, now.UnixNano()
	for _, w := range kept {
		if w.startAt(a.seen) {
			a.changes++ // or it would begin anew whenever it is read again
		}
		w.advance(a.seen)
		a.windows.add(w)
	}
	return nil
}

// Refund implements Counter.
func (m *Memory) Refund(now time.Time, key string, r *Receipt) {
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts.find(key); a != nil {
		a.refund(now.UnixNano(), r)
	}
	r.Forget()
}

// Release implements Counter.
func (m *Memory) Release(_ time.Time, key string) {
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts.find(key); a != nil {
		a.underWay = max(a.underWay-1, 0)
	}
}

// State implements Counter.
func (m *Memory) State(ctx context.Context, now time.Time, key string, p *Policy) (State, error) {
	s := m.shard(key)
	s.mu.Lock()
	unprepared := m.unprepared(s.accounts.find(key), p)
	s.mu.Unlock()
	if unprepared {
		if err := m.Prepare(ctx, now, key); err != nil {
			return State{}, err
		}
	}
	return m.StateAtHand(now, key, p, nil), nil
}

// StateAtHand implements Counter.
func (m *Memory) StateAtHand(now time.Time, key string, p *Policy, buffer []Quota) State {
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accounts.find(key).state(now.UnixNano(), p, buffer)
}

// Len returns how many keys are held in memory.
func (m *Memory) Len() int {
	n := 0
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		n += len(s.accounts.byKey)
		s.mu.Unlock()
	}
	return n
}

// Sweep forgets keys that have nothing in their windows, and those unused for
// some minutes whose counts are all with the keeper.
func (m *Memory) Sweep(now time.Time) {
	for i := range m.shards {
		m.shards[i].sweep(now.UnixNano(), m.keeper != nil)
	}
}

func (s *shard) sweep(now int64, durable bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts.retain(func(a *account) bool { return !a.sweep(now, durable) })
}
