package catalog_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/otlpgate/otlpgate/internal/store"
)

// source is a store that fails, panics or waits where it is told to, and counts
// how often all keys were begun to be read.
type source struct {
	store.Store
	readings atomic.Int64

	mu     sync.Mutex
	faults map[string]func(context.Context) error // by method
}

func newSource(s store.Store) *source {
	return &source{Store: s, faults: map[string]func(context.Context) error{}}
}

// on does fault at each call of a method; nil ends that.
func (s *source) on(method string, fault func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[method] = fault
}

func (s *source) fault(ctx context.Context, method string) error {
	s.mu.Lock()
	do := s.faults[method]
	s.mu.Unlock()
	if do == nil {
		return nil
	}
	return do(ctx)
}

func (s *source) ListKeys(ctx context.Context, f store.KeyFilter, p store.Page) (store.KeyPage, error) {
	if p.Cursor == "" {
		s.readings.Add(1)
	}
	if err := s.fault(ctx, "ListKeys"); err != nil {
		return store.KeyPage{}, err
	}
	return s.Store.ListKeys(ctx, f, p)
}

func (s *source) ListUsers(ctx context.Context, f store.UserFilter, p store.Page) (store.UserPage, error) {
	if err := s.fault(ctx, "ListUsers"); err != nil {
		return store.UserPage{}, err
	}
	return s.Store.ListUsers(ctx, f, p)
}

func (s *source) ListAudit(ctx context.Context, f store.AuditFilter, p store.Page) (store.AuditPage, error) {
	if err := s.fault(ctx, "ListAudit"); err != nil {
		return store.AuditPage{}, err
	}
	return s.Store.ListAudit(ctx, f, p)
}

func (s *source) Key(ctx context.Context, id string) (store.Key, error) {
	if err := s.fault(ctx, "Key"); err != nil {
		return store.Key{}, err
	}
	return s.Store.Key(ctx, id)
}

func (s *source) User(ctx context.Context, id string) (store.User, error) {
	if err := s.fault(ctx, "User"); err != nil {
		return store.User{}, err
	}
	return s.Store.User(ctx, id)
}

// LastUses and AllUses do the fault once they have read.
func (s *source) LastUses(ctx context.Context, id string) ([]store.Use, error) {
	uses, err := s.Store.LastUses(ctx, id)
	return uses, errors.Join(err, s.fault(ctx, "LastUses"))
}

func (s *source) AllUses(ctx context.Context) iter.Seq2[store.Use, error] {
	return func(yield func(store.Use, error) bool) {
		s.Store.AllUses(ctx)(yield)
		if err := s.fault(ctx, "AllUses"); err != nil {
			yield(store.Use{}, err)
		}
	}
}
