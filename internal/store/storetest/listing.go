package storetest

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

var listingTests = map[string]func(*testing.T, store.Store){
	"an empty store lists nothing": func(t *testing.T, s store.Store) {
		require.Empty(t, allKeys(t, s, store.KeyFilter{}, 0))
		require.Empty(t, allUsers(t, s, store.UserFilter{}, 0))
		require.Empty(t, allAudit(t, s, store.AuditFilter{}, 0))
	},
	"keys are listed newest first, whole": func(t *testing.T, s store.Store) {
		var want []store.Key
		for _, n := range []int{2, 0, 4, 1, 3} {
			want = append(want, createKey(t, s, Key(n)))
		}
		for _, n := range []int{10, 11} { // two as old as key 4
			k := Key(n)
			k.CreatedAt = at(4)
			want = append(want, createKey(t, s, k))
		}
		slices.SortFunc(want, newestFirst)
		for limit := range 9 {
			require.Equal(t, want, allKeys(t, s, store.KeyFilter{}, limit))
		}
	},
	"limits are bounded": func(t *testing.T, s store.Store) {
		for n := range store.DefaultLimit + 1 {
			createKey(t, s, Key(n))
		}
		for limit, want := range map[int]int{0: store.DefaultLimit, -1: store.DefaultLimit, 1: 1, store.MaxLimit + 1: store.DefaultLimit + 1} {
			page, err := s.ListKeys(t.Context(), store.KeyFilter{}, store.Page{Limit: limit})
			require.NoError(t, err)
			require.Len(t, page.Keys, want)
		}
	},
	"the last page has no next": func(t *testing.T, s store.Store) {
		for n := range 4 {
			createKey(t, s, Key(n))
		}
		page, err := s.ListKeys(t.Context(), store.KeyFilter{}, store.Page{Limit: 2})
		require.NoError(t, err)
		page, err = s.ListKeys(t.Context(), store.KeyFilter{}, store.Page{Limit: 2, Cursor: page.Next})
		require.NoError(t, err)
		require.Len(t, page.Keys, 2)
		require.Empty(t, page.Next)
	},
	"keys are selected by every filter": testFilters,
	"keys follow their state and owner": func(t *testing.T, s store.Store) {
		createUser(t, s, User(1))
		createUser(t, s, User(2))
		k := ownedKey(1, User(1).ID)
		createKey(t, s, k)
		active := store.KeyFilter{Status: store.Active, Now: at(50)}
		of := func(n int) store.KeyFilter { return store.KeyFilter{OwnerID: User(n).ID} }
		require.Len(t, allKeys(t, s, active, 0), 1)
		for _, owner := range []int{2, 1, 2} { // there and back
			updateKey(t, s, k.ID, func(k *store.Key) { k.OwnerID = User(owner).ID })
			require.Len(t, allKeys(t, s, of(owner), 0), 1)
			require.Empty(t, allKeys(t, s, of(3-owner), 0))
		}
		updateUser(t, s, User(2).ID, func(u *store.User) { u.Active = false })
		require.Empty(t, allKeys(t, s, active, 0))
		require.Len(t, allKeys(t, s, store.KeyFilter{Status: store.Disabled, Now: at(50)}, 0), 1)
		updateKey(t, s, k.ID, revoke)
		require.Empty(t, allKeys(t, s, store.KeyFilter{Status: store.Disabled, Now: at(50)}, 0))
		require.Len(t, allKeys(t, s, store.KeyFilter{Status: store.Revoked, Now: at(50)}, 0), 1)
	},
	"cursors that this listing did not make are bad":                 testBadCursors,
	"a listing is stable while keys are created":                     testStableListing,
	"a bound on what is looked at loses nothing and repeats nothing": testScan,
	"a bound on what is looked at ends a page":                       testScanEndsPages,
}

func newestFirst(a, b store.Key) int {
	if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
		return c
	}
	return strings.Compare(b.ID, a.ID)
}

func ownedKey(n int, owner string) store.Key {
	k := Key(n)
	k.Type, k.OwnerID = identity.UserKey, owner
	return k
}

func testFilters(t *testing.T, s store.Store) {
	now := at(500)
	deleted, inactive := User(3), User(2)
	deleted.DeletedAt, inactive.Active = at(10), false
	for _, u := range []store.User{User(1), inactive, deleted} {
		createUser(t, s, u)
	}
	put := func(n int, edit func(*store.Key)) {
		k := ownedKey(n, User(1).ID)
		edit(&k)
		createKey(t, s, k)
	}
	put(1, func(*store.Key) {})
	put(2, func(k *store.Key) { k.OwnerID = inactive.ID })
	put(3, func(k *store.Key) { k.OwnerID = deleted.ID })
	put(4, func(k *store.Key) { k.OwnerID = "nobody" })
	put(5, func(k *store.Key) { k.Type, k.OwnerID = identity.SystemKey, "" })
	put(6, func(k *store.Key) { k.ExpiresAt = now })
	put(7, func(k *store.Key) { k.ExpiresAt = now.Add(1000) })
	put(8, func(k *store.Key) { k.RevokedAt = at(9); k.ExpiresAt = at(8) })
	put(9, func(k *store.Key) { k.Withdrawn = true })
	put(10, func(k *store.Key) { k.Description = "The ÄPFEL 100% service" })
	put(11, func(k *store.Key) { k.OwnerID = User(1).ID + "1" }) // a longer id of the same start
	put(12, func(k *store.Key) { k.Type, k.OwnerID, k.Declared, k.RevokedAt = identity.SystemKey, "", true, at(12) })
	for name, want := range map[string]struct {
		filter store.KeyFilter
		keys   []int
	}{
		"active":         {store.KeyFilter{Status: store.Active, Now: now}, []int{10, 7, 5, 1}},
		"expired":        {store.KeyFilter{Status: store.Expired, Now: now}, []int{6}},
		"expired sooner": {store.KeyFilter{Status: store.Expired, Now: at(7)}, nil},
		"revoked":        {store.KeyFilter{Status: store.Revoked, Now: now}, []int{12, 8}},
		"disabled":       {store.KeyFilter{Status: store.Disabled, Now: now}, []int{11, 9, 4, 3, 2}},
		"system":         {store.KeyFilter{Type: identity.SystemKey}, []int{12, 5}},
		"user":           {store.KeyFilter{Type: identity.UserKey}, []int{11, 10, 9, 8, 7, 6, 4, 3, 2, 1}},
		"owner":          {store.KeyFilter{OwnerID: User(1).ID}, []int{10, 9, 8, 7, 6, 1}},
		"no such owner":  {store.KeyFilter{OwnerID: User(1).ID[:4]}, nil},
		"owner, revoked": {store.KeyFilter{OwnerID: User(1).ID, Status: store.Revoked, Now: now}, []int{8}},
		"name":           {store.KeyFilter{Query: "kEY 10"}, []int{10}},
		"id":             {store.KeyFilter{Query: Key(9).ID}, []int{9}},
		"hint":           {store.KeyFilter{Query: "live_0007"}, []int{7}},
		"description":    {store.KeyFilter{Query: "äpfel 100% s"}, []int{10}},
		"declared":       {store.KeyFilter{Declared: true}, []int{12}},
		"no wildcard":    {store.KeyFilter{Query: "the %service"}, nil},
		"all together": {
			store.KeyFilter{Status: store.Active, Type: identity.UserKey, OwnerID: User(1).ID, Query: "key", Now: now},
			[]int{10, 7, 1},
		},
		"no match": {store.KeyFilter{Query: "nothing has this"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			ids := []string{}
			for _, n := range want.keys {
				ids = append(ids, Key(n).ID)
			}
			for limit := range 5 {
				require.Equal(t, ids, keyIDs(allKeys(t, s, want.filter, limit)))
			}
		})
	}
}

func testBadCursors(t *testing.T, s store.Store) {
	for n := range 3 {
		createKey(t, s, Key(n))
	}
	first, err := s.ListKeys(t.Context(), store.KeyFilter{Query: "key"}, store.Page{Limit: 1})
	require.NoError(t, err)
	require.NotEmpty(t, first.Next)
	flipped := []byte(first.Next)
	flipped[len(flipped)/2] ^= 1
	for _, cursor := range []string{"x", "!", first.Next[:len(first.Next)-2], first.Next + "AA", string(flipped), strings.Repeat("A", 100), "\x00\xff"} {
		_, err := s.ListKeys(t.Context(), store.KeyFilter{Query: "key"}, store.Page{Cursor: cursor})
		require.ErrorIs(t, err, store.ErrBadCursor, cursor)
	}
	for _, other := range []store.KeyFilter{
		{},
		{Query: "ke"},
		{Query: "key", OwnerID: "x"},
		{Query: "key", Type: identity.UserKey},
		{Query: "key", Status: store.Active, Now: epoch},
		{Query: "key", Declared: true},
	} {
		_, err := s.ListKeys(t.Context(), other, store.Page{Cursor: first.Next})
		require.ErrorIs(t, err, store.ErrBadCursor)
	}
	_, err = s.ListUsers(t.Context(), store.UserFilter{Query: "key"}, store.Page{Cursor: first.Next})
	require.ErrorIs(t, err, store.ErrBadCursor)

	f := store.KeyFilter{Status: store.Active, Now: at(1)}
	page, err := s.ListKeys(t.Context(), f, store.Page{Limit: 1})
	require.NoError(t, err)
	f.Now = at(2) // the clock moves between pages
	_, err = s.ListKeys(t.Context(), f, store.Page{Limit: 1, Cursor: page.Next})
	require.NoError(t, err)
}

func testScan(t *testing.T, s store.Store) {
	fillForScan(t, s)
	for _, scan := range []int{1, 2, 3, 5, 11, 13} {
		for _, limit := range []int{0, 1, 3} {
			first := store.Page{Limit: limit, Scan: scan}
			for _, f := range []store.KeyFilter{
				{}, {Query: "Key 1"}, {OwnerID: User(1).ID}, {Status: store.Revoked, Now: at(50)}, {Status: store.Active, Now: at(50)}, {Query: "nothing has this"},
			} {
				require.Equal(t, allKeys(t, s, f, limit), keysFrom(t, s, f, first))
			}
			for _, f := range []store.UserFilter{{}, {Query: "user 1"}, {Role: identity.Viewer}, {Query: "nothing has this"}} {
				require.Equal(t, allUsers(t, s, f, limit), usersFrom(t, s, f, first))
			}
			for _, f := range []store.AuditFilter{
				{},
				{Outcome: store.Refused},
				{Target: Key(3).ID},
				{Target: Key(3).ID, Action: "key.update"},
				{Actor: "nobody"},
				{From: at(100)},
				{To: at(1)},
				{From: at(200), To: at(300)},
			} {
				require.Equal(t, allAudit(t, s, f, limit), auditFrom(t, s, f, first))
			}
		}
	}
}

// fillForScan makes 12 keys, of which few have any one property, as many users,
// and audit records whose times do not ascend.
func fillForScan(t *testing.T, s store.Store) {
	for n := range 12 {
		u := User(n)
		if n%5 == 0 {
			u.Role = identity.Viewer
		}
		createUser(t, s, u)
		createKey(t, s, ownedKey(n, User(n%4).ID))
		if n%3 == 0 {
			a := refusal(Key(n).ID)
			a.Time = at(100 - n)
			_, err := s.AppendAudit(t.Context(), a)
			require.NoError(t, err)
		}
	}
	updateKey(t, s, Key(3).ID, func(*store.Key) {})
	updateKey(t, s, Key(7).ID, revoke)
	updateUser(t, s, User(4).ID, func(u *store.User) { u.DeletedAt = at(20) })
}

func testScanEndsPages(t *testing.T, s store.Store) {
	fillForScan(t, s)
	keys, err := s.ListKeys(t.Context(), store.KeyFilter{Query: "nothing has this"}, store.Page{Scan: 11})
	require.NoError(t, err)
	require.Empty(t, keys.Keys)
	require.NotEmpty(t, keys.Next)
	keys, err = s.ListKeys(t.Context(), store.KeyFilter{Query: "nothing has this"}, store.Page{Scan: 11, Cursor: keys.Next})
	require.NoError(t, err)
	require.Empty(t, keys.Next, "the last is looked at")

	users, err := s.ListUsers(t.Context(), store.UserFilter{}, store.Page{Scan: 5}) // the last of them is deleted
	require.NoError(t, err)
	require.Equal(t, []string{User(0).ID, User(1).ID, User(2).ID, User(3).ID}, userIDs(users.Users))
	require.NotEmpty(t, users.Next)

	audit, err := s.ListAudit(t.Context(), store.AuditFilter{Action: "user.update"}, store.Page{Scan: 2})
	require.NoError(t, err)
	require.Len(t, audit.Records, 1)
	require.NotEmpty(t, audit.Next)
	_, err = s.ListAudit(t.Context(), store.AuditFilter{Action: "key.update"}, store.Page{Cursor: audit.Next})
	require.ErrorIs(t, err, store.ErrBadCursor)
}

func testStableListing(t *testing.T, s store.Store) {
	const kept = 40
	for n := range kept {
		createKey(t, s, Key(2*n))
	}
	stop := make(chan struct{})
	var creating sync.WaitGroup
	creating.Go(func() {
		for n := range 200 { // bounded, lest listing never catches up
			select {
			case <-stop:
				return
			default:
			}
			k := Key(1000 + n)
			k.CreatedAt = at((2*n*7 + 1) % (2 * kept)) // between the others, now newer, now older
			if _, err := s.CreateKey(t.Context(), k, Audit("key.create", k.ID)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 5 {
		seen := map[string]int{}
		for _, k := range allKeys(t, s, store.KeyFilter{}, 3) {
			seen[k.ID]++
		}
		for n := range kept {
			require.Equal(t, 1, seen[Key(2*n).ID], "a key that exists throughout is on exactly one page")
		}
		for id, times := range seen {
			require.Equal(t, 1, times, id)
		}
	}
	close(stop)
	creating.Wait()
}
