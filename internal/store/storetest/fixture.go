package storetest

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// epoch is the creation time of record 0; record n is n seconds younger.
var epoch = time.Date(2026, time.March, 1, 12, 0, 0, 123_456_000, time.UTC)

func at(n int) time.Time { return epoch.Add(time.Duration(n) * time.Second) }

// Digest returns a digest that differs for each n.
func Digest(n int) store.Digest { return sha256.Sum256(fmt.Appendf(nil, "secret %d", n)) }

// Key returns system key n in normal form, with every field set that a live key
// can have, and one secret with Digest(n).
func Key(n int) store.Key {
	return store.Key{
		ID: fmt.Sprintf("key_%020d", n), Name: fmt.Sprintf("Key %d", n), Description: "for tests",
		Type: identity.SystemKey, Environment: identity.Live, Role: identity.Member,
		Scopes:   []identity.Scope{identity.TracesWrite, identity.LogsWrite},
		Projects: []string{"default", "shop"}, Plan: "pro",
		Limits: []limit.Limit{
			{On: limit.Ingest, Unit: limit.Requests, Max: 500, Window: limit.Window(time.Minute)},
			{On: limit.Profiles, Unit: limit.Bytes, Max: limit.MaxMax, Window: limit.MaxWindow},
		},
		AllowedIPs:        []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")},
		ExpectedCountries: []string{"DE", "FR"},
		Secrets: []store.Secret{{
			Digest: Digest(n), Hint: fmt.Sprintf("px_live_%04d…abcd", n), CreatedAt: at(n),
			Request: &store.Request{ID: Digest(-1), Fingerprint: Digest(-2)},
		}},
		CreatedAt: at(n), CreatedBy: store.BuiltinUserID, UpdatedAt: at(n), ExpiresAt: at(n).AddDate(1, 0, 0),
		Retired: []store.Digest{Digest(-3)}, Spent: []store.SpentRequest{{ID: Digest(-4), At: at(n)}},
	}
}

// User returns user n in normal form.
func User(n int) store.User {
	return store.User{
		ID: fmt.Sprintf("user_%04d", n), Email: fmt.Sprintf("user%d@example.com", n), Name: fmt.Sprintf("User %d", n),
		Role: identity.Member, Active: true, CreatedAt: at(n), UpdatedAt: at(n),
	}
}

// Audit returns an audit record of a change of target.
func Audit(action, target string) store.Audit {
	return store.Audit{
		Time: epoch, Actor: store.Actor{KeyID: "key_actor", UserID: "admin", Address: "192.0.2.1"}, Action: action, Target: target,
		Changes: map[string]store.Change{"name": {From: "before", To: []any{"after", 1.5, true}}},
	}
}

func createKey(t testing.TB, s store.Store, k store.Key) store.Key {
	t.Helper()
	created, err := s.CreateKey(t.Context(), k, Audit("key.create", k.ID))
	require.NoError(t, err)
	return created
}

func createUser(t testing.TB, s store.Store, u store.User) store.User {
	t.Helper()
	created, err := s.CreateUser(t.Context(), u, Audit("user.create", u.ID))
	require.NoError(t, err)
	return created
}

func updateKey(t testing.TB, s store.Store, id string, edit func(*store.Key)) store.Key {
	t.Helper()
	updated, err := s.UpdateKey(t.Context(), id, func(k *store.Key) (store.Audit, error) {
		edit(k)
		return Audit("key.update", id), nil
	})
	require.NoError(t, err)
	return updated
}

func updateUser(t testing.TB, s store.Store, id string, edit func(*store.User)) store.User {
	t.Helper()
	updated, err := s.UpdateUser(t.Context(), id, func(u *store.User) (store.Audit, error) {
		edit(u)
		return Audit("user.update", id), nil
	})
	require.NoError(t, err)
	return updated
}

func revoke(k *store.Key) { k.RevokedAt = at(1000) }

// pages reads a listing from page on to its end and returns what was on its pages.
func pages[T any](t require.TestingT, page store.Page, read func(store.Page) ([]T, string, error)) []T {
	var all []T
	for {
		records, next, err := read(page)
		require.NoError(t, err)
		require.LessOrEqual(t, len(records), page.Size())
		all = append(all, records...)
		if next == "" {
			return all
		}
		if page.Scan <= 0 {
			require.Len(t, records, page.Size(), "a page that is not the last must be full")
		}
		require.NotEqual(t, page.Cursor, next)
		page.Cursor = next
	}
}

func allKeys(t *testing.T, s store.Store, f store.KeyFilter, limit int) []store.Key {
	t.Helper()
	return keysFrom(t, s, f, store.Page{Limit: limit})
}

func keysFrom(t *testing.T, s store.Store, f store.KeyFilter, first store.Page) []store.Key {
	t.Helper()
	return pages(t, first, func(p store.Page) ([]store.Key, string, error) {
		page, err := s.ListKeys(t.Context(), f, p)
		return page.Keys, page.Next, err
	})
}

func allUsers(t *testing.T, s store.Store, f store.UserFilter, limit int) []store.User {
	t.Helper()
	return usersFrom(t, s, f, store.Page{Limit: limit})
}

func usersFrom(t *testing.T, s store.Store, f store.UserFilter, first store.Page) []store.User {
	t.Helper()
	return pages(t, first, func(p store.Page) ([]store.User, string, error) {
		page, err := s.ListUsers(t.Context(), f, p)
		return page.Users, page.Next, err
	})
}

func allAudit(t *testing.T, s store.Store, f store.AuditFilter, limit int) []store.Audit {
	t.Helper()
	return auditFrom(t, s, f, store.Page{Limit: limit})
}

func auditFrom(t *testing.T, s store.Store, f store.AuditFilter, first store.Page) []store.Audit {
	t.Helper()
	return pages(t, first, func(p store.Page) ([]store.Audit, string, error) {
		page, err := s.ListAudit(t.Context(), f, p)
		return page.Records, page.Next, err
	})
}

// AllAudit lists all audit records, newest first.
func AllAudit(t testing.TB, s store.AuditLog) []store.Audit {
	t.Helper()
	return pages(t, store.Page{Limit: store.MaxLimit}, func(p store.Page) ([]store.Audit, string, error) {
		page, err := s.ListAudit(t.Context(), store.AuditFilter{}, p)
		return page.Records, page.Next, err
	})
}

func keyIDs(keys []store.Key) []string {
	ids := []string{}
	for _, k := range keys {
		ids = append(ids, k.ID)
	}
	return ids
}

func userIDs(users []store.User) []string {
	ids := []string{}
	for _, u := range users {
		ids = append(ids, u.ID)
	}
	return ids
}

// requireWholeAudit returns the number of audit records after checking that
// they are numbered n, n-1 … 1 and chained.
func requireWholeAudit(t *testing.T, s store.Store) int {
	t.Helper()
	records := AllAudit(t, s)
	for i, r := range records {
		require.EqualValues(t, len(records)-i, r.Seq, "audit records must be numbered without gaps")
	}
	require.Empty(t, BrokenLinks(records), "audit records must be chained")
	return len(records)
}

// refusal returns the normal form of an audit record of an attempt on target.
func refusal(target string) store.Audit {
	a := Audit("key.revoke", target)
	a.Outcome, a.Reason, a.Changes = store.Refused, "forbidden", nil
	return a
}
