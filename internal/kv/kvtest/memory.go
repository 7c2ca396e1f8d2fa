package kvtest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/otlpgate/otlpgate/internal/kv"
)

// Memory is a kv.Store that ends with the process. Make it with NewMemory.
type Memory struct {
	mu      sync.Mutex
	entries map[string]kv.Entry
	closed  bool
	now     func() time.Time
}

var _ kv.Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory { return NewMemoryAt(time.Now) }

// NewMemoryAt returns an empty store in which entries expire by that clock.
func NewMemoryAt(now func() time.Time) *Memory {
	return &Memory{entries: map[string]kv.Entry{}, now: now}
}

func (m *Memory) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return kv.ErrClosed
	}
	return nil
}

// interrupted tells a walk whether to stop.
func (m *Memory) interrupted(ctx context.Context) error {
	err := m.enter(ctx)
	if err == nil {
		m.mu.Unlock()
	}
	return err
}

func (m *Memory) live(e kv.Entry) bool { return e.ExpiresAt.IsZero() || m.now().Before(e.ExpiresAt) }

// Get implements kv.Store.
func (m *Memory) Get(ctx context.Context, key []byte) ([]byte, error) {
	if err := m.enter(ctx); err != nil {
		return nil, fmt.Errorf("get %.40q: %w", key, err)
	}
	defer m.mu.Unlock()
	e, ok := m.entries[string(key)]
	if !ok || !m.live(e) {
		return nil, fmt.Errorf("get %.40q: %w", key, kv.ErrNotFound)
	}
	return bytes.Clone(e.Value), nil
}

// Walk implements kv.Store.
func (m *Memory) Walk(ctx context.Context, r kv.Range, visit func(suffix, value []byte) (bool, error)) error {
	if err := m.enter(ctx); err != nil {
		return fmt.Errorf("walk %.40q: %w", r.Prefix, err)
	}
	entries := maps.Clone(m.entries)
	m.mu.Unlock()
	keys := slices.Sorted(maps.Keys(entries))
	if r.Newest {
		slices.Reverse(keys)
	}
	for _, key := range keys {
		suffix, ok := bytes.CutPrefix([]byte(key), r.Prefix)
		if !ok || !m.live(entries[key]) || (r.From != nil && bytes.Compare(suffix, r.From) < 0) || (r.To != nil && bytes.Compare(suffix, r.To) >= 0) {
			continue
		}
		if err := m.interrupted(ctx); err != nil {
			return fmt.Errorf("walk %.40q: %w", r.Prefix, err)
		}
		if more, err := visit(suffix, bytes.Clone(entries[key].Value)); err != nil || !more {
			return err
		}
	}
	return nil
}

// Write implements kv.Store.
func (m *Memory) Write(ctx context.Context, groups [][]kv.Entry) (int, error) {
	if err := m.enter(ctx); err != nil {
		return 0, fmt.Errorf("write: %w", err)
	}
	defer m.mu.Unlock()
	for n, group := range groups {
		if err := check(group); err != nil {
			return n, fmt.Errorf("write: %w", err)
		}
		for _, e := range group {
			if e.Value == nil {
				delete(m.entries, string(e.Key))
				continue
			}
			m.entries[string(e.Key)] = kv.Entry{Value: bytes.Clone(e.Value), ExpiresAt: e.ExpiresAt}
		}
	}
	return len(groups), nil
}

// check refuses a group that breaks the contract.
func check(group []kv.Entry) error {
	size := 0
	for _, e := range group {
		switch {
		case len(e.Key) == 0 || (e.Value != nil && len(e.Value) == 0):
			return fmt.Errorf("entry %.40q: key and value must not be empty", e.Key)
		case len(e.Key) > kv.MaxKey || len(e.Value) > kv.MaxValue:
			return fmt.Errorf("entry %.40q: %w", e.Key, kv.ErrTooLarge)
		}
		size += len(e.Key) + len(e.Value)
	}
	if size > kv.MaxGroup || len(group) > kv.MaxEntries {
		return fmt.Errorf("group of %d entries and %d bytes: %w", len(group), size, kv.ErrTooLarge)
	}
	return nil
}

// Sync implements kv.Store.
func (m *Memory) Sync(ctx context.Context) error {
	if err := m.enter(ctx); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	m.mu.Unlock()
	return nil
}

// Close implements kv.Store.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}
