package catalog_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otlpgate/otlpgate/internal/catalog"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(n int) time.Time { return epoch.Add(time.Duration(n) * time.Minute) }

func keyID(n int) string  { return fmt.Sprintf("key_%04d", n) }
func userID(n int) string { return fmt.Sprintf("user_%d", n) }

// systemKey returns key n, which is a minute younger than the one before.
func systemKey(n int) store.Key {
	return store.Key{
		ID: keyID(n), Name: fmt.Sprintf("Key %d", n), Type: identity.SystemKey, Environment: identity.Live, Role: identity.Member,
		Secrets: []store.Secret{{Digest: storetest.Digest(n), Hint: fmt.Sprintf("px_sys_%04d", n)}}, CreatedAt: at(n), UpdatedAt: at(n),
	}
}

func create(t testing.TB, s store.Keys, keys ...store.Key) {
	t.Helper()
	for _, k := range keys {
		_, err := s.CreateKey(t.Context(), k, store.Audit{Action: "key.create"})
		require.NoError(t, err)
	}
}

func change(t testing.TB, s store.Keys, id string, edit func(*store.Key)) {
	t.Helper()
	_, err := s.UpdateKey(t.Context(), id, func(k *store.Key) (store.Audit, error) {
		edit(k)
		return store.Audit{Action: "key.update"}, nil
	})
	require.NoError(t, err)
}

func createUser(t testing.TB, s store.Users, u store.User) {
	t.Helper()
	_, err := s.CreateUser(t.Context(), u, store.Audit{Action: "user.create"})
	require.NoError(t, err)
}

func list(t require.TestingT, c *catalog.Catalog, l catalog.Listing) catalog.Page {
	page, err := c.List(context.Background(), l)
	require.NoError(t, err)
	return page
}

// forwards returns the ids of a listing, of which each page leads to the next, and
// checks what the pages say of themselves.
func forwards(t require.TestingT, c *catalog.Catalog, l catalog.Listing) []string {
	ids := []string{}
	for {
		page := list(t, c, l)
		require.Equal(t, len(ids), page.Offset)
		require.Equal(t, page.Offset > 0, page.Previous != "")
		ids = append(ids, page.IDs...)
		if l.Page.Cursor = page.Next; page.Next == "" {
			require.Equal(t, len(ids), page.Total)
			return ids
		}
		require.Len(t, page.IDs, l.Page.Size(), "a page that is not the last is full")
	}
}

// backwards returns the ids of a listing from its last page to its first.
func backwards(t require.TestingT, c *catalog.Catalog, l catalog.Listing) []string {
	page := list(t, c, l)
	for page.Next != "" {
		l.Page.Cursor = page.Next
		page = list(t, c, l)
	}
	ids := page.IDs
	for page.Previous != "" {
		l.Page.Cursor = page.Previous
		page = list(t, c, l)
		ids = append(page.IDs, ids...)
		require.Len(t, ids, page.Total-page.Offset)
	}
	require.Zero(t, page.Offset)
	return ids
}
