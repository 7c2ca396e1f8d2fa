package catalog

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

func useOf(n int) store.Use {
	return store.Use{KeyID: storetest.Key(n).ID, Secret: storetest.Digest(n).Ref(), At: time.Date(2026, 1, 1, 0, 0, n, 0, time.UTC)}
}

// TestUsesToldAtTheEndOfAnUpdateAreTakenInByTheNextList tells them when whoever
// updates the catalog has looked for the last time.
func TestUsesToldAtTheEndOfAnUpdateAreTakenInByTheNextList(t *testing.T) {
	s := storetest.NewMemory()
	for n := range 3 {
		_, err := s.CreateKey(t.Context(), storetest.Key(n), store.Audit{})
		require.NoError(t, err)
	}
	c := New(Options{Source: s})
	require.NoError(t, c.Warm(t.Context()))
	c.updating <- struct{}{}
	require.NoError(t, c.Keeper(s).KeepUses(t.Context(), []store.Use{useOf(0)}))
	<-c.updating
	page, err := c.List(t.Context(), Listing{Sort: MostRecentlyUsed})
	require.NoError(t, err)
	assert.Equal(t, storetest.Key(0).ID, page.IDs[0])
	assert.True(t, c.inbox.empty())
}

func TestUsesAreNotHeldForWhoeverListsNothing(t *testing.T) {
	s := storetest.NewMemory()
	c := New(Options{Source: s})
	require.NoError(t, c.Keeper(s).KeepUses(t.Context(), []store.Use{useOf(0)}))
	assert.True(t, c.inbox.empty())
	ended, end := context.WithCancel(t.Context())
	end()
	require.ErrorIs(t, c.Warm(ended), context.Canceled)
	require.NoError(t, c.Keeper(s).KeepUses(t.Context(), []store.Use{useOf(0)}))
	assert.True(t, c.inbox.empty(), "nor for one whose keys could not be read")
}
