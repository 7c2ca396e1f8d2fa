package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/catalog"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

func TestFilterSelectsByEveryField(t *testing.T) {
	ada := &store.User{ID: "u", Name: "Ada Lovelace", Email: "AL@example.com", Active: true}
	key := systemKey(1)
	key.Type, key.OwnerID, key.Plan, key.Declared = identity.UserKey, "u", "pro", true
	bare := systemKey(2)
	for name, tt := range map[string]struct {
		filter    catalog.Filter
		key, bare bool
	}{
		"none":              {catalog.Filter{}, true, true},
		"status":            {catalog.Filter{Status: store.Active, Now: epoch}, true, true},
		"another status":    {catalog.Filter{Status: store.Expired, Now: epoch}, false, false},
		"type":              {catalog.Filter{Type: identity.SystemKey}, false, true},
		"environment":       {catalog.Filter{Environment: identity.Test}, false, false},
		"its environment":   {catalog.Filter{Environment: identity.Live}, true, true},
		"owner":             {catalog.Filter{OwnerID: "u"}, true, false},
		"plan":              {catalog.Filter{Plan: "pro", DefaultPlan: "free"}, true, false},
		"the default plan":  {catalog.Filter{Plan: "free", DefaultPlan: "free"}, false, true},
		"a default of pro":  {catalog.Filter{Plan: "pro", DefaultPlan: "pro"}, true, true},
		"declared":          {catalog.Filter{Declared: true}, true, false},
		"name":              {catalog.Filter{Query: "KEY 1"}, true, false},
		"owner's name":      {catalog.Filter{Query: "ada l"}, true, false},
		"owner's email":     {catalog.Filter{Query: "Al@"}, true, false},
		"hint":              {catalog.Filter{Query: "sys_0002"}, false, true},
		"two that are met":  {catalog.Filter{Query: "ada", Plan: "pro"}, true, false},
		"one that is not":   {catalog.Filter{Query: "ada", Plan: "free"}, false, false},
		"across the fields": {catalog.Filter{Query: "1key_"}, false, false},
	} {
		assert.Equal(t, tt.key, tt.filter.Matches(&key, ada), name)
		assert.Equal(t, tt.bare, tt.filter.Matches(&bare, nil), name)
	}
}

func TestKeysNeverUsedOrNeverExpiringAreAtTheEndsOfTheirOrders(t *testing.T) {
	s := storetest.NewMemory()
	for n := range 4 {
		k := systemKey(n)
		if n > 1 {
			k.ExpiresAt = at(100 - n)
		}
		create(t, s, k)
	}
	require.NoError(t, s.KeepUses(t.Context(), []store.Use{
		{KeyID: keyID(0), Secret: storetest.Digest(0).Ref(), At: at(9)},
		{KeyID: keyID(1), Secret: storetest.Digest(1).Ref(), At: at(8)},
		{KeyID: keyID(2), Secret: storetest.Digest(0).Ref(), At: at(8)}, // of a secret that the key has not
	}))
	c := catalog.New(catalog.Options{Source: s})
	for sort, want := range map[catalog.Sort][]int{
		"":                        {3, 2, 1, 0},
		catalog.OldestFirst:       {0, 1, 2, 3},
		catalog.MostRecentlyUsed:  {0, 1, 3, 2},
		catalog.LeastRecentlyUsed: {2, 3, 1, 0},
		catalog.ExpiringFirst:     {3, 2, 0, 1},
		catalog.ExpiringLast:      {1, 0, 2, 3},
	} {
		var ids []string
		for _, n := range want {
			ids = append(ids, keyID(n))
		}
		assert.Equal(t, ids, list(t, c, catalog.Listing{Sort: sort}).IDs, sort)
	}
}

func TestAnUnknownSortIsRefused(t *testing.T) {
	_, err := catalog.New(catalog.Options{Source: storetest.NewMemory()}).List(t.Context(), catalog.Listing{Sort: "--name"})
	require.EqualError(t, err, `sort "--name": must be createdAt, name, lastUsedAt or expiresAt, with a - before it to descend`)
}

func TestCursorsOfAnotherListingAreBad(t *testing.T) {
	s := storetest.NewMemory()
	create(t, s, systemKey(1), systemKey(2), systemKey(3))
	c := catalog.New(catalog.Options{Source: s})
	l := catalog.Listing{Filter: catalog.Filter{Query: "key", Status: store.Active, Now: at(5)}, Sort: catalog.ByName, Page: store.Page{Limit: 1}}
	made := list(t, c, l).Next
	others := map[string]func(*catalog.Listing){
		"sort": func(l *catalog.Listing) { l.Sort = catalog.NewestFirst }, "direction": func(l *catalog.Listing) { l.Sort = catalog.ByNameBackwards },
		"query": func(l *catalog.Listing) { l.Filter.Query = "ke" }, "status": func(l *catalog.Listing) { l.Filter.Status = "" },
		"type": func(l *catalog.Listing) { l.Filter.Type = identity.SystemKey }, "environment": func(l *catalog.Listing) { l.Filter.Environment = identity.Live },
		"owner": func(l *catalog.Listing) { l.Filter.OwnerID = "x" }, "plan": func(l *catalog.Listing) { l.Filter.Plan = "x" },
		"declared": func(l *catalog.Listing) { l.Filter.Declared = true },
		"cut":      func(l *catalog.Listing) { l.Page.Cursor = made[:len(made)-2] }, "nonsense": func(l *catalog.Listing) { l.Page.Cursor = "…" },
	}
	for name, other := range others {
		bad := l
		bad.Page.Cursor = made
		other(&bad)
		_, err := c.List(t.Context(), bad)
		require.ErrorIs(t, err, store.ErrBadCursor, name)
	}
	l.Page.Cursor, l.Filter.Now, l.Page.Limit = made, at(6), 2 // the clock moves, and pages may differ in length
	assert.Equal(t, []string{keyID(2), keyID(3)}, list(t, c, l).IDs)
}

func TestAPageThatHasBecomeEmptyLeadsOn(t *testing.T) {
	s := storetest.NewMemory()
	for n := range 6 {
		create(t, s, systemKey(n))
	}
	c := catalog.New(catalog.Options{Source: s})
	l := catalog.Listing{Filter: catalog.Filter{Status: store.Active, Now: epoch}, Sort: catalog.OldestFirst, Page: store.Page{Limit: 2}}
	revoke := func(n int) { change(t, s, keyID(n), func(k *store.Key) { k.RevokedAt = epoch }) }
	first := list(t, c, l)
	l.Page.Cursor = first.Next
	second := list(t, c, l)
	require.Equal(t, []string{keyID(2), keyID(3)}, second.IDs)
	for _, n := range []int{4, 5} {
		revoke(n)
	}
	l.Page.Cursor = second.Next
	behind := list(t, c, l)
	assert.Equal(t, catalog.Page{IDs: []string{}, Total: 4, Offset: 4, Previous: behind.Previous}, behind)
	l.Page.Cursor = behind.Previous
	assert.Equal(t, second.IDs, list(t, c, l).IDs)
	for _, n := range []int{0, 1} {
		revoke(n)
	}
	l.Page.Cursor = second.Previous
	before := list(t, c, l)
	assert.Equal(t, catalog.Page{IDs: []string{}, Total: 2, Next: before.Next}, before)
	l.Page.Cursor = before.Next
	assert.Equal(t, second.IDs, list(t, c, l).IDs)
}

// TestAListShowsWhatWasAcknowledged has writers list what they have just written,
// whichever way they wrote it, while others do the same.
func TestAListShowsWhatWasAcknowledged(t *testing.T) {
	s := storetest.NewMemory()
	c := catalog.New(catalog.Options{Source: s})
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			name, owner := fmt.Sprintf("writer-%d.", w), userID(w)
			shown := func(query string, status store.Status) int {
				return list(t, c, catalog.Listing{Filter: catalog.Filter{Query: query, Status: status, Now: epoch}}).Total
			}
			createUser(t, s, store.User{ID: owner, Name: "of " + name, Active: true})
			for n := range 12 {
				k := systemKey(100*w + n)
				k.Type, k.OwnerID, k.Name = identity.UserKey, owner, name
				create(t, s, k)
				assert.Equal(t, n+1, shown(name, store.Active))
				renamed := fmt.Sprintf("%s-renamed-%d.", name, n)
				change(t, s, k.ID, func(k *store.Key) { k.Name = renamed })
				assert.Equal(t, 1, shown(renamed, ""))
				for _, active := range []bool{false, true} {
					_, err := s.UpdateUser(t.Context(), owner, func(u *store.User) (store.Audit, error) {
						u.Active = active
						return store.Audit{}, nil
					})
					assert.NoError(t, err)
					assert.Equal(t, active, shown(name, store.Active) > 0)
				}
			}
		})
	}
	writers.Wait()
	assert.Equal(t, 8*12, list(t, c, catalog.Listing{}).Total)
}

// TestAKeyThatStaysIsOnExactlyOnePage walks listings both ways while other keys
// come, and are renamed, revoked and used.
func TestAKeyThatStaysIsOnExactlyOnePage(t *testing.T) {
	const stay = 40
	s := storetest.NewMemory()
	for n := range stay {
		k := systemKey(2 * n)
		k.Name, k.ExpiresAt = fmt.Sprintf("stay %d", 7*n%stay), at(n%7)
		create(t, s, k)
	}
	c := catalog.New(catalog.Options{Source: s})
	keeper := c.Keeper(s)
	stop := make(chan struct{})
	var changing sync.WaitGroup
	changing.Go(func() {
		random := rand.New(rand.NewPCG(1, 2))
		for n := range 100 { // bounded, lest a walk never ends
			select {
			case <-stop:
				return
			default:
			}
			k := systemKey(1000 + n)
			k.CreatedAt, k.Name = at(random.IntN(2*stay)), fmt.Sprintf("stay %d", random.IntN(stay))
			create(t, s, k)
			change(t, s, keyID(1000+random.IntN(n+1)), func(k *store.Key) {
				k.Name, k.ExpiresAt = fmt.Sprintf("stay %d", random.IntN(stay)), at(random.IntN(9))
			})
			used := 1000 + random.IntN(n+1)
			assert.NoError(t, keeper.KeepUses(t.Context(), []store.Use{{KeyID: keyID(used), Secret: storetest.Digest(used).Ref(), At: at(n)}}))
		}
	})
	for _, sort := range sorts() {
		for _, walk := range []func(*catalog.Catalog, catalog.Listing) []string{ahead, andBack} {
			seen := map[string]int{}
			for _, id := range walk(c, catalog.Listing{Sort: sort, Page: store.Page{Limit: 7}}) {
				seen[id]++
			}
			for n := range stay {
				require.Equal(t, 1, seen[keyID(2*n)], "%s: %s", sort, keyID(2*n))
			}
		}
	}
	close(stop)
	changing.Wait()
}

// ahead and andBack walk a listing that changes meanwhile.
func ahead(c *catalog.Catalog, l catalog.Listing) []string {
	ids, _ := walk(c, l, func(p catalog.Page) string { return p.Next })
	return ids
}

func andBack(c *catalog.Catalog, l catalog.Listing) []string {
	_, end := walk(c, l, func(p catalog.Page) string { return p.Next })
	l.Page.Cursor = end.Previous
	before, _ := walk(c, l, func(p catalog.Page) string { return p.Previous })
	return append(end.IDs, before...)
}

func walk(c *catalog.Catalog, l catalog.Listing, on func(catalog.Page) string) (ids []string, last catalog.Page) {
	for {
		page, err := c.List(context.Background(), l)
		if err != nil {
			return nil, page
		}
		ids, last = append(ids, page.IDs...), page
		if l.Page.Cursor = on(page); l.Page.Cursor == "" {
			return ids, last
		}
	}
}

func TestUsesAreKnownBeforeTheyAreKept(t *testing.T) {
	s := storetest.NewMemory()
	create(t, s, systemKey(1), systemKey(2), systemKey(3))
	var unkept []store.Use
	c := catalog.New(catalog.Options{Source: s, Unkept: func() []store.Use { return slices.Clone(unkept) }})
	recent := func() string { return list(t, c, catalog.Listing{Sort: catalog.MostRecentlyUsed}).IDs[0] }
	use := func(n, minute int) store.Use {
		return store.Use{KeyID: keyID(n), Secret: storetest.Digest(n).Ref(), At: at(minute)}
	}
	require.Equal(t, keyID(3), recent())
	unkept = []store.Use{use(1, 1)}
	require.Equal(t, keyID(1), recent())
	require.NoError(t, c.Keeper(s).KeepUses(t.Context(), []store.Use{use(2, 2)}))
	require.Equal(t, keyID(2), recent())
	bad := use(3, 3)
	bad.KeyID = strings.Repeat("k", 300)
	require.ErrorIs(t, c.Keeper(s).KeepUses(t.Context(), []store.Use{bad, use(3, 3)}), store.ErrInvalid)
	require.Equal(t, keyID(3), recent())
	unkept = []store.Use{use(1, 1), use(2, 1)}
	require.Equal(t, keyID(3), recent(), "older ones change nothing")
}

// TestUsesToldWhileKeysAreReadAreNotLost uses a key while it is read, before or
// after the store was asked for its last use.
func TestUsesToldWhileKeysAreReadAreNotLost(t *testing.T) {
	for _, method := range []string{"ListUsers", "ListKeys", "AllUses", "LastUses"} {
		s := newSource(storetest.NewMemory())
		c := catalog.New(catalog.Options{Source: s})
		keeper := c.Keeper(s)
		create(t, s, systemKey(1), systemKey(2))
		if method == "LastUses" { // of a change
			list(t, c, catalog.Listing{})
			change(t, s, keyID(1), func(k *store.Key) { k.Name = "new" })
		}
		var once sync.Once
		s.on(method, func(ctx context.Context) error {
			once.Do(func() {
				used := []store.Use{{KeyID: keyID(1), Secret: storetest.Digest(1).Ref(), At: at(1)}}
				assert.NoError(t, keeper.KeepUses(ctx, used))
			})
			return nil
		})
		assert.Equal(t, keyID(1), list(t, c, catalog.Listing{Sort: catalog.MostRecentlyUsed}).IDs[0], method)
	}
}

func TestAFailedReadingIsTriedAgainByTheNextCall(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, method := range []string{"ListKeys", "ListUsers", "ListAudit", "User", "AllUses"} {
		s := newSource(storetest.NewMemory())
		k := systemKey(1)
		k.Type, k.OwnerID = identity.UserKey, "gone"
		create(t, s, k)
		c := catalog.New(catalog.Options{Source: s})
		s.on(method, func(context.Context) error { return broken })
		require.ErrorIs(t, c.Warm(t.Context()), broken, method)
		_, err := c.List(t.Context(), catalog.Listing{})
		require.ErrorIs(t, err, broken, method)
		s.on(method, func(context.Context) error { panic("planted") })
		require.Panics(t, func() { _ = c.Warm(t.Context()) }, method)
		s.on(method, nil)
		require.Equal(t, 1, list(t, c, catalog.Listing{}).Total, method)
	}
}

func TestChangesThatCouldNotBeReadAreReadByTheNextCall(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, method := range []string{"Key", "User", "LastUses", "ListAudit"} {
		s := newSource(storetest.NewMemory())
		create(t, s, systemKey(1))
		c := catalog.New(catalog.Options{Source: s})
		require.NoError(t, c.Warm(t.Context()))
		create(t, s, systemKey(2))
		s.on(method, func(context.Context) error { return broken })
		_, err := c.List(t.Context(), catalog.Listing{})
		require.ErrorIs(t, err, broken, "%s: rather none than an old one", method)
		s.on(method, nil)
		require.Equal(t, 2, list(t, c, catalog.Listing{}).Total, method)
		require.EqualValues(t, 1, s.readings.Load(), "only what has changed is read")
	}
}

func TestManyChangesAreReadAnew(t *testing.T) {
	s := newSource(storetest.NewMemory())
	create(t, s, systemKey(1))
	c := catalog.New(catalog.Options{Source: s})
	require.NoError(t, c.Warm(t.Context()))
	for range 5000 {
		_, err := s.AppendAudit(t.Context(), store.Audit{Outcome: store.Refused})
		require.NoError(t, err)
	}
	list(t, c, catalog.Listing{})
	require.EqualValues(t, 1, s.readings.Load())
	create(t, s, systemKey(2))
	for range 5000 {
		_, err := s.AppendAudit(t.Context(), store.Audit{Outcome: store.Refused})
		require.NoError(t, err)
	}
	require.Equal(t, 2, list(t, c, catalog.Listing{}).Total)
	require.EqualValues(t, 2, s.readings.Load())
}

func TestKeysAreReadOnceForAllWhoWait(t *testing.T) {
	s := newSource(storetest.NewMemory())
	create(t, s, systemKey(1))
	c := catalog.New(catalog.Options{Source: s})
	reading, release := make(chan struct{}), make(chan struct{})
	s.on("ListKeys", func(context.Context) error {
		close(reading)
		<-release
		return nil
	})
	var calls sync.WaitGroup
	for range 10 {
		calls.Go(func() { assert.Equal(t, 1, list(t, c, catalog.Listing{}).Total) })
	}
	<-reading
	impatient, end := context.WithTimeout(t.Context(), time.Millisecond)
	defer end()
	_, err := c.List(impatient, catalog.Listing{})
	require.ErrorIs(t, err, context.DeadlineExceeded, "who waits may give up")
	close(release)
	calls.Wait()
	assert.EqualValues(t, 1, s.readings.Load())
}

func TestAReadingEndsWithItsContext(t *testing.T) {
	s := newSource(storetest.NewMemory())
	create(t, s, systemKey(1))
	c := catalog.New(catalog.Options{Source: s})
	ctx, end := context.WithCancel(t.Context())
	s.on("ListKeys", func(context.Context) error {
		end()
		return nil
	})
	require.ErrorIs(t, c.Warm(ctx), context.Canceled)
	s.on("ListKeys", nil)
	require.Equal(t, 1, list(t, c, catalog.Listing{}).Total)
}
