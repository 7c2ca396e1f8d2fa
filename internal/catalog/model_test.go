package catalog_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otlpgate/otlpgate/internal/catalog"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

// TestListsAreThoseOfANaiveFilterAndSort makes random changes of few keys and users,
// so that they collide, and compares every page with what the records say.
func TestListsAreThoseOfANaiveFilterAndSort(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{store: storetest.NewMemory(), unkept: map[store.Use]bool{}}
		m.catalog = catalog.New(catalog.Options{Source: m.store, Unkept: m.unkeptUses})
		m.keeper = m.catalog.Keeper(m.store)
		rt.Repeat(map[string]func(*rapid.T){
			"create key": m.createKey, "update key": m.updateKey, "put user": m.putUser,
			"use": m.use, "flush uses": m.flush, "list": m.list, "list again": m.list,
		})
	})
}

type model struct {
	store   store.Store
	catalog *catalog.Catalog
	keeper  store.Uses
	unkept  map[store.Use]bool
}

var (
	few   = rapid.IntRange(0, 5)
	names = rapid.SampledFrom([]string{"a", "B", "b", "Ab", "Äpfel", "äPFEL", "c"})
	plans = rapid.SampledFrom([]string{"", "free", "pro"})
	times = rapid.Custom(func(t *rapid.T) time.Time {
		if n := few.Draw(t, "time"); n > 0 {
			return at(n)
		}
		return time.Time{}
	})
)

func (m *model) unkeptUses() []store.Use {
	var uses []store.Use
	for u := range m.unkept {
		uses = append(uses, u)
	}
	return uses
}

func (m *model) createKey(t *rapid.T) {
	n := rapid.IntRange(0, 12).Draw(t, "key")
	k := systemKey(n)
	k.CreatedAt = at(few.Draw(t, "created"))
	edit(t)(&k)
	_, _ = m.store.CreateKey(context.Background(), k, store.Audit{}) // may exist
}

func (m *model) updateKey(t *rapid.T) {
	change := edit(t)
	_, _ = m.store.UpdateKey(context.Background(), keyID(rapid.IntRange(0, 12).Draw(t, "key")), func(k *store.Key) (store.Audit, error) {
		change(k)
		return store.Audit{}, nil
	})
}

// edit draws all that a listing depends on.
func edit(t *rapid.T) func(*store.Key) {
	name, description, plan := names.Draw(t, "name"), names.Draw(t, "description"), plans.Draw(t, "plan")
	expires, revoked := times.Draw(t, "expires"), times.Draw(t, "revoked")
	withdrawn, declared, test := rapid.Bool().Draw(t, "withdrawn"), rapid.Bool().Draw(t, "declared"), rapid.Bool().Draw(t, "test")
	owner, rotated := few.Draw(t, "owner"), rapid.IntRange(0, 3).Draw(t, "rotated")
	return func(k *store.Key) {
		k.Name, k.Description, k.Plan, k.ExpiresAt, k.RevokedAt = name, description, plan, expires, revoked
		k.Withdrawn, k.Declared, k.Type, k.OwnerID, k.Environment = withdrawn, declared, identity.SystemKey, "", identity.Live
		if owner > 0 {
			k.Type, k.OwnerID = identity.UserKey, userID(owner)
		}
		if test {
			k.Environment = identity.Test
		}
		secret := func(n int) store.Secret {
			return store.Secret{Digest: secretOf(k.ID, n), Hint: "hint " + k.ID + " " + string(rune('x'+n))}
		}
		k.Secrets = []store.Secret{secret(0), secret(1), secret(2)}[rotated/2 : rotated/2+1+rotated%2]
	}
}

// secretOf is the digest of one of a key's secrets.
func secretOf(id string, n int) store.Digest { return sha256.Sum256(fmt.Appendf(nil, "%s %d", id, n)) }

func (m *model) putUser(t *rapid.T) {
	id := userID(few.Draw(t, "user"))
	put := func(u *store.User) {
		u.Name, u.Email = names.Draw(t, "user name"), names.Draw(t, "email")+"@"+id
		u.Active, u.Withdrawn, u.DeletedAt = rapid.Bool().Draw(t, "active"), rapid.Bool().Draw(t, "user withdrawn"), times.Draw(t, "deleted")
	}
	u := store.User{ID: id}
	put(&u)
	if _, err := m.store.CreateUser(context.Background(), u, store.Audit{}); err != nil {
		_, err = m.store.UpdateUser(context.Background(), id, func(u *store.User) (store.Audit, error) {
			put(u)
			return store.Audit{}, nil
		})
		require.NoError(t, err)
	}
}

func (m *model) use(t *rapid.T) {
	id := keyID(rapid.IntRange(0, 12).Draw(t, "key"))
	u := store.Use{KeyID: id, Secret: secretOf(id, rapid.IntRange(0, 2).Draw(t, "secret")).Ref(), At: at(rapid.IntRange(0, 50).Draw(t, "used"))}
	m.unkept[u] = true
}

func (m *model) flush(t *rapid.T) {
	require.NoError(t, m.keeper.KeepUses(context.Background(), m.unkeptUses()))
	clear(m.unkept)
}

func (m *model) list(t *rapid.T) {
	l := catalog.Listing{
		Filter: catalog.Filter{
			Status:      rapid.SampledFrom([]store.Status{"", store.Active, store.Expired, store.Revoked, store.Disabled}).Draw(t, "status"),
			Type:        rapid.SampledFrom([]identity.KeyType{"", "", identity.UserKey, identity.SystemKey}).Draw(t, "type"),
			Environment: rapid.SampledFrom([]identity.Environment{"", "", identity.Live, identity.Test}).Draw(t, "environment"),
			OwnerID:     rapid.SampledFrom([]string{"", "", "", userID(1), userID(2), "nobody"}).Draw(t, "owner"),
			Plan:        rapid.SampledFrom([]string{"", "", "free", "pro", "none"}).Draw(t, "plan"), DefaultPlan: "free",
			Declared: rapid.Bool().Draw(t, "declared"),
			Query:    rapid.SampledFrom([]string{"", "", "A", "äp", "HINT KEY_0003 y", "0004", "@user_1", "b@", "nothing", "a\x00"}).Draw(t, "query"),
			Now:      at(few.Draw(t, "now")).Add(30 * time.Second),
		},
		Sort: rapid.SampledFrom(append(sorts(), "")).Draw(t, "sort"),
		Page: store.Page{Limit: rapid.IntRange(1, 5).Draw(t, "limit")},
	}
	want := m.naive(t, l)
	require.Equal(t, want, forwards(t, m.catalog, l))
	require.Equal(t, want, backwards(t, m.catalog, l))
}

func sorts() []catalog.Sort {
	return []catalog.Sort{
		catalog.NewestFirst, catalog.OldestFirst, catalog.ByName, catalog.ByNameBackwards,
		catalog.MostRecentlyUsed, catalog.LeastRecentlyUsed, catalog.ExpiringFirst, catalog.ExpiringLast,
	}
}

// naive lists what the records say.
func (m *model) naive(t *rapid.T, l catalog.Listing) []string {
	var keys []store.Key
	used := map[string]time.Time{}
	for k, err := range store.AllKeys(context.Background(), m.store, store.KeyFilter{}) {
		require.NoError(t, err)
		var owner *store.User
		if u, err := m.store.User(context.Background(), k.OwnerID); err == nil {
			owner = &u
		}
		if l.Filter.Matches(&k, owner) {
			keys, used[k.ID] = append(keys, k), m.lastUse(t, &k)
		}
	}
	slices.SortFunc(keys, func(a, b store.Key) int { return cmp.Or(compare(l.Sort, &a, &b, used), strings.Compare(a.ID, b.ID)) })
	if l.Sort == "" || l.Sort[0] == '-' {
		slices.Reverse(keys)
	}
	ids := []string{}
	for _, k := range keys {
		ids = append(ids, k.ID)
	}
	return ids
}

func (m *model) lastUse(t *rapid.T, k *store.Key) time.Time {
	uses, err := m.store.LastUses(context.Background(), k.ID)
	require.NoError(t, err)
	var last time.Time
	for _, u := range append(uses, m.unkeptUses()...) {
		has := slices.ContainsFunc(k.Secrets, func(s store.Secret) bool { return s.Digest.Ref() == u.Secret })
		if u.KeyID == k.ID && has && u.At.After(last) {
			last = u.At
		}
	}
	return last
}

func compare(by catalog.Sort, a, b *store.Key, used map[string]time.Time) int {
	switch strings.TrimPrefix(string(by), "-") {
	case "name":
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	case "lastUsedAt":
		return used[a.ID].Compare(used[b.ID])
	case "expiresAt":
		if a.ExpiresAt.IsZero() != b.ExpiresAt.IsZero() {
			return cmp.Compare(b.ExpiresAt.Unix(), a.ExpiresAt.Unix()) // never is later
		}
		return a.ExpiresAt.Compare(b.ExpiresAt)
	}
	return a.CreatedAt.Compare(b.CreatedAt)
}
