package catalog_test

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/catalog"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/badgerstore"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

const (
	manyKeys  = 100_000
	manyUsers = 2_000
)

// serviceKey returns key n as people make them.
func serviceKey(n int) store.Key {
	at := epoch.Add(time.Duration(n) * time.Minute)
	k := store.Key{
		ID: store.NewKeyID(), Name: fmt.Sprintf("%s-%s-%d", pick(n, "checkout", "billing", "search", "Recommendations", "edge"), pick(n/5, "api", "worker", "cron"), n),
		Description: pick(n, "", "sends the traces of the service from the cluster in Frankfurt", "rotated twice a year; ask the platform team", "for the load tests"),
		Type:        identity.UserKey, OwnerID: userID(n % manyUsers), Environment: pick(n/7, identity.Live, identity.Live, identity.Test),
		Plan: pick(n, "", "pro", "enterprise"), Scopes: []identity.Scope{identity.TracesWrite}, CreatedAt: at, UpdatedAt: at,
		Secrets: []store.Secret{{Digest: storetest.Digest(n), Hint: fmt.Sprintf("px_live_%04x…%04x", n%65536, (n*7919)%65536), CreatedAt: at}},
	}
	if n%3 == 0 {
		k.ExpiresAt = at.AddDate(1, 0, n%365)
	}
	if n%10 == 0 {
		k.RevokedAt = at.AddDate(0, 1, 0)
	}
	return k
}

func pick[T any](n int, of ...T) T { return of[n%len(of)] }

// manyKeysIn fills a store as the writers of it do, who share transactions.
func manyKeysIn(b *testing.B, s store.Store) {
	b.Helper()
	for n := range manyUsers {
		createUser(b, s, store.User{ID: userID(n), Name: fmt.Sprintf("User %d", n), Email: fmt.Sprintf("user%d@example.com", n), Role: identity.Member, Active: n%20 != 0})
	}
	var writers sync.WaitGroup
	const each = 256
	for w := range each {
		writers.Go(func() {
			for n := w; n < manyKeys; n += each {
				k := serviceKey(n)
				if _, err := s.CreateKey(b.Context(), k, store.Audit{Action: "key.create", Target: k.ID}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	var uses []store.Use
	for k, err := range store.AllKeys(b.Context(), s, store.KeyFilter{}) {
		require.NoError(b, err)
		if len(uses)%2 == 0 || k.RevokedAt.IsZero() {
			uses = append(uses, store.Use{KeyID: k.ID, Secret: k.Secrets[0].Digest.Ref(), At: k.CreatedAt.Add(time.Duration(len(uses)*7919%manyKeys) * time.Second)})
		}
	}
	require.NoError(b, s.KeepUses(b.Context(), uses))
}

// heap returns how many bytes are in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkListOfManyKeys lists 100,000 keys of 2,000 users, over a real store.
// The first reading is measured by itself: its time, and what is held then.
func BenchmarkListOfManyKeys(b *testing.B) {
	s, err := badgerstore.Open(b.Context(), badgerstore.Options{Directory: b.TempDir()})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	manyKeysIn(b, s)
	before := heap()
	c := catalog.New(catalog.Options{Source: s})
	began := time.Now()
	require.NoError(b, c.Warm(b.Context()))
	warm, held := time.Since(began), float64(heap()-before)
	report := func(b *testing.B) {
		b.ReportMetric(held/manyKeys, "B/key")
		b.ReportMetric(warm.Seconds(), "warm-s")
	}
	now := epoch.AddDate(0, 2, 0)
	listings := []struct {
		name string
		catalog.Listing
	}{
		{"first page", catalog.Listing{}},
		{"common search", catalog.Listing{Filter: catalog.Filter{Query: "worker"}}},
		{"rare search", catalog.Listing{Filter: catalog.Filter{Query: "Search-api-4321"}}},
		{"search of an owner", catalog.Listing{Filter: catalog.Filter{Query: "user1234@example.com"}}},
		{"search of nothing", catalog.Listing{Filter: catalog.Filter{Query: "nothing like it"}}},
		{"all filters", catalog.Listing{Filter: catalog.Filter{
			Status: store.Active, Type: identity.UserKey, Environment: identity.Live, Plan: "free", DefaultPlan: "free", Query: "api", Now: now,
		}}},
		{"by name", catalog.Listing{Sort: catalog.ByName}},
		{"by last use", catalog.Listing{Sort: catalog.MostRecentlyUsed}},
		{"by expiry", catalog.Listing{Sort: catalog.ExpiringFirst}},
		{"by name, backwards, searched", catalog.Listing{Sort: catalog.ByNameBackwards, Filter: catalog.Filter{Query: "edge"}}},
	}
	for _, l := range listings {
		b.Run(l.name, func(b *testing.B) {
			for b.Loop() {
				_, err := c.List(b.Context(), l.Listing)
				require.NoError(b, err)
			}
			report(b)
		})
	}
	b.Run("deep page", func(b *testing.B) {
		deep := catalog.Listing{Sort: catalog.ByName, Page: store.Page{Limit: store.MaxLimit}}
		for range manyKeys / store.MaxLimit / 2 {
			page, err := c.List(b.Context(), deep)
			require.NoError(b, err)
			deep.Page.Cursor = page.Next
		}
		for b.Loop() {
			page, err := c.List(b.Context(), deep)
			require.NoError(b, err)
			require.Equal(b, manyKeys/2, page.Offset)
		}
		report(b)
	})
	b.Run("after a change", func(b *testing.B) {
		id := serviceID(b, c)
		for n := 0; b.Loop(); n++ {
			b.StopTimer()
			_, err := s.UpdateKey(b.Context(), id, func(k *store.Key) (store.Audit, error) {
				k.Name = strconv.Itoa(n)
				return store.Audit{Action: "key.update"}, nil
			})
			require.NoError(b, err)
			b.StartTimer()
			_, err = c.List(b.Context(), catalog.Listing{})
			require.NoError(b, err)
		}
		report(b)
	})
	b.Run("by last use, of which 10,000 are news", func(b *testing.B) {
		var used []store.Use
		for k, err := range store.AllKeys(b.Context(), s, store.KeyFilter{}) {
			require.NoError(b, err)
			if used = append(used, store.Use{KeyID: k.ID, Secret: k.Secrets[0].Digest.Ref()}); len(used) == 10_000 {
				break
			}
		}
		now := epoch.AddDate(10, 0, 0)
		busy := catalog.New(catalog.Options{Source: s, Unkept: func() []store.Use {
			now = now.Add(time.Second)
			news := append([]store.Use(nil), used...)
			for i := range news {
				news[i].At = now
			}
			return news
		}})
		require.NoError(b, busy.Warm(context.Background()))
		for b.Loop() {
			_, err := busy.List(b.Context(), catalog.Listing{Sort: catalog.MostRecentlyUsed})
			require.NoError(b, err)
		}
		report(b)
	})
}

func serviceID(b *testing.B, c *catalog.Catalog) string {
	b.Helper()
	page, err := c.List(b.Context(), catalog.Listing{Page: store.Page{Limit: 1}})
	require.NoError(b, err)
	return page.IDs[0]
}
