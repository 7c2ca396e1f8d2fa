package storetest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/store"
)

// use returns a use of the secret with Digest(secret) of key n.
func use(n, secret int, at time.Time) store.Use {
	return store.Use{KeyID: Key(n).ID, Secret: Digest(secret).Ref(), At: at}
}

func keepUses(t testing.TB, s store.Store, uses ...store.Use) {
	t.Helper()
	require.NoError(t, s.KeepUses(t.Context(), uses))
}

// requireUses checks that these are all that is kept of their key.
func requireUses(t testing.TB, s store.Store, want ...store.Use) {
	t.Helper()
	got, err := s.LastUses(t.Context(), want[0].KeyID)
	require.NoError(t, err)
	require.Equal(t, sortedUses(want), sortedUses(got))
}

func sortedUses(uses []store.Use) []store.Use {
	return slices.SortedFunc(slices.Values(uses), func(a, b store.Use) int {
		return cmp.Or(strings.Compare(a.KeyID, b.KeyID), strings.Compare(string(a.Secret[:]), string(b.Secret[:])))
	})
}

func requireNoUses(t testing.TB, s store.Store, keyID string) {
	t.Helper()
	got, err := s.LastUses(t.Context(), keyID)
	require.NoError(t, err)
	require.Empty(t, got)
}

// requireAllUses checks that these are all that is kept.
func requireAllUses(t testing.TB, s store.Store, want ...store.Use) {
	t.Helper()
	got, err := allUses(t.Context(), s)
	require.NoError(t, err)
	require.Equal(t, sortedUses(want), sortedUses(got))
}

// allUses returns what a walk gives up to its first error.
func allUses(ctx context.Context, s store.Store) ([]store.Use, error) {
	var all []store.Use
	for use, err := range s.AllUses(ctx) {
		if err != nil {
			return all, err
		}
		all = append(all, use)
	}
	return all, nil
}

var useTests = map[string]func(*testing.T, store.Store){
	"the latest use of each secret is kept": func(t *testing.T, s store.Store) {
		requireNoUses(t, s, Key(1).ID)
		keepUses(t, s, use(1, 1, at(5)), use(1, 2, at(3)), use(2, 1, at(4)))
		keepUses(t, s, use(1, 1, at(6)))
		requireUses(t, s, use(1, 1, at(6)), use(1, 2, at(3)))
		requireUses(t, s, use(2, 1, at(4)))
		keepUses(t, s)
	},
	"an older use replaces none": func(t *testing.T, s store.Store) {
		keepUses(t, s, use(1, 1, at(5)))
		keepUses(t, s, use(1, 1, at(4)), use(1, 2, at(8)), use(1, 2, at(7)))
		requireUses(t, s, use(1, 1, at(5)), use(1, 2, at(8)))
		keepUses(t, s, use(1, 3, time.Time{}), use(1, 3, time.Time{}.Add(time.Microsecond)))
		requireUses(t, s, use(1, 1, at(5)), use(1, 2, at(8)), use(1, 3, time.Time{}.Add(time.Microsecond)))
	},
	"keys do not share uses": func(t *testing.T, s store.Store) {
		long := strings.Repeat("k", 255)
		var all []store.Use
		for i, id := range []string{"k", "kk", "j", long, long[1:]} {
			all = append(all, store.Use{KeyID: id, Secret: Digest(1).Ref(), At: at(i)})
		}
		keepUses(t, s, all...)
		for _, u := range all {
			requireUses(t, s, u)
		}
		for _, id := range []string{"", "l", strings.Repeat("k", 256), strings.Repeat("k", 257)} {
			requireNoUses(t, s, id)
		}
	},
	"all uses are walked": func(t *testing.T, s store.Store) {
		requireAllUses(t, s)
		want := []store.Use{use(1, 1, at(1)), use(1, 2, at(2)), use(2, 1, at(3))}
		for i, id := range []string{"", "k", strings.Repeat("k", 255)} { // with and without a record
			want = append(want, store.Use{KeyID: id, Secret: Digest(i).Ref(), At: at(i)})
		}
		createKey(t, s, Key(1))
		keepUses(t, s, want...)
		requireAllUses(t, s, want...)
		for n := range s.AllUses(t.Context()) { // may end early
			require.NotEmpty(t, n.Secret)
			break
		}
		updateKey(t, s, Key(1).ID, func(k *store.Key) { k.Secrets = nil })
		requireAllUses(t, s, want[1:]...)
	},
	"times keep their microseconds": func(t *testing.T, s store.Store) {
		keepUses(t, s, use(1, 1, time.Date(2026, 1, 2, 3, 4, 5, 987_654_321, time.FixedZone("", -3600))))
		requireUses(t, s, use(1, 1, time.Date(2026, 1, 2, 4, 4, 5, 987_654_000, time.UTC)))
	},
	"uses are no changes": func(t *testing.T, s store.Store) {
		created := createKey(t, s, Key(1))
		keepUses(t, s, use(1, 1, at(5)))
		read, err := s.Key(t.Context(), created.ID)
		require.NoError(t, err)
		require.Equal(t, created, read)
		require.Equal(t, 1, requireWholeAudit(t, s))
	},
	"a secret that is given up takes its use along": func(t *testing.T, s store.Store) {
		createKey(t, s, Key(1))
		updateKey(t, s, Key(1).ID, func(k *store.Key) { k.Secrets = append(k.Secrets, store.Secret{Digest: Digest(11)}) })
		keepUses(t, s, use(1, 1, at(5)), use(1, 11, at(6)), use(2, 1, at(7)))
		updateKey(t, s, Key(1).ID, func(k *store.Key) { k.Name = "new" })
		requireUses(t, s, use(1, 1, at(5)), use(1, 11, at(6)))
		updateKey(t, s, Key(1).ID, func(k *store.Key) { k.Secrets = k.Secrets[1:] })
		requireUses(t, s, use(1, 11, at(6)))
		requireUses(t, s, use(2, 1, at(7)))
		updateKey(t, s, Key(1).ID, revoke)
		requireUses(t, s, use(1, 11, at(6)))
	},
	"uses that cannot be kept keep no others out": func(t *testing.T, s store.Store) {
		bad := use(1, 1, at(1))
		bad.KeyID = strings.Repeat("k", 256)
		err := s.KeepUses(t.Context(), []store.Use{use(1, 1, at(1)), bad, use(2, 1, at(2))})
		require.ErrorIs(t, err, store.ErrInvalid)
		requireUses(t, s, use(1, 1, at(1)))
		requireUses(t, s, use(2, 1, at(2)))
	},
	"many are kept at once": func(t *testing.T, s store.Store) {
		var all []store.Use
		for n := range 5000 {
			all = append(all, use(n%1000, n/1000, at(n)))
		}
		keepUses(t, s, all...)
		requireAllUses(t, s, all...)
		slices.SortStableFunc(all, func(a, b store.Use) int { return cmp.Compare(a.KeyID, b.KeyID) })
		for of := range slices.Chunk(all, 5) {
			requireUses(t, s, of...)
		}
	},
	"the latest of concurrent uses stays": func(t *testing.T, s store.Store) {
		together(t, func(w int) error {
			for r := range rounds {
				err := s.KeepUses(t.Context(), []store.Use{use(1, 1, at(w+writers*r)), use(2, w, at(r))})
				if err != nil {
					return err
				}
				if _, err = s.AppendAudit(t.Context(), refusal("")); err != nil {
					return err
				}
			}
			return nil
		})
		requireUses(t, s, use(1, 1, at(writers*rounds-1)))
		var want []store.Use
		for w := range writers {
			want = append(want, use(2, w, at(rounds-1)))
		}
		requireUses(t, s, want...)
		require.Equal(t, writers*rounds, requireWholeAudit(t, s))
	},
}
