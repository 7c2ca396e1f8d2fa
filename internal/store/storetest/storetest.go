// Package storetest holds the battery of tests that every backend of package
// store must pass, and a store in memory for the tests of others.
package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/store"
)

// Option adjusts the battery to a backend.
type Option func(*suite)

// WithReopen tests that records outlive the store. Reopen is given a store made
// by open, closes it and opens the same records again.
func WithReopen(reopen func(t *testing.T, s store.Store) store.Store) Option {
	return func(s *suite) { s.reopen = reopen }
}

// Run tests a backend. Open returns a new, empty store; Run closes it, but open
// must not mind closing it again.
func Run(t *testing.T, open func(t *testing.T) store.Store, options ...Option) {
	s := &suite{open: open}
	for _, o := range options {
		o(s)
	}
	for name, tests := range map[string]map[string]func(*testing.T, store.Store){
		"Keys": keyTests, "Users": userTests, "Audit": auditTests, "Uses": useTests, "Replies": replyTests, "Guard": guardTests, "Listing": listingTests,
		"Concurrency": concurrencyTests, "Lifecycle": lifecycleTests,
	} {
		t.Run(name, func(t *testing.T) {
			for name, test := range tests {
				t.Run(name, func(t *testing.T) { test(t, s.new(t)) })
			}
		})
	}
	t.Run("Model", s.testModel)
	t.Run("Reopen", s.testReopen)
}

type suite struct {
	open   func(t *testing.T) store.Store
	reopen func(t *testing.T, s store.Store) store.Store
}

func (s *suite) new(t *testing.T) store.Store {
	st := s.open(t)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	return st
}
