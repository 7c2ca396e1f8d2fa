package limittest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/limit"
)

// Keeper tests an implementation of limit.Keeper. Open returns a new one that
// keeps nothing, and ends it with the test.
func Keeper(t *testing.T, open func(t *testing.T) limit.Keeper) {
	for name, test := range keeperTests {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// soon is when the counts of these tests end: after the tests.
func soon() time.Time { return time.Now().Add(time.Hour) }

func keepCounts(t *testing.T, k limit.Keeper, counts ...limit.Counts) {
	t.Helper()
	require.NoError(t, k.KeepCounts(t.Context(), counts))
}

func requireKept(t *testing.T, k limit.Keeper, key string, data []byte) {
	t.Helper()
	kept, err := k.Counts(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, data, kept, "key %q", key)
}

func requireNothing(t *testing.T, k limit.Keeper, key string) {
	t.Helper()
	requireKept(t, k, key, nil)
}

var keeperTests = map[string]func(*testing.T, limit.Keeper){
	"where nothing was kept there is nil": func(t *testing.T, k limit.Keeper) {
		requireNothing(t, k, newKey())
		require.NoError(t, k.KeepCounts(t.Context(), nil))
		keepCounts(t, k, limit.Counts{Key: "key_ab", Data: []byte("x"), End: soon()})
		requireNothing(t, k, "key_a")
		requireNothing(t, k, "key_abc")
	},
	"what was kept last is returned, byte by byte": func(t *testing.T, k limit.Keeper) {
		one, two := newKey(), newKey()
		for _, data := range [][]byte{{1, 2, 3}, {0}, {0xff, 0, '\n', 0xfe}, bytes.Repeat([]byte{0}, 4000), []byte("last")} {
			keepCounts(t, k, limit.Counts{Key: one, Data: data, End: soon()})
			requireKept(t, k, one, data)
			requireNothing(t, k, two)
		}
		keepCounts(t, k, limit.Counts{Key: two, Data: []byte("other"), End: soon()})
		requireKept(t, k, one, []byte("last"))
		requireKept(t, k, two, []byte("other"))
	},
	"of counts that are kept at once, the last of a key hold": func(t *testing.T, k limit.Keeper) {
		one, two := newKey(), newKey()
		keepCounts(
			t, k,
			limit.Counts{Key: one, Data: []byte("first"), End: soon()},
			limit.Counts{Key: two, Data: []byte("first"), End: soon()},
			limit.Counts{Key: one, Data: []byte("last"), End: soon()},
			limit.Counts{Key: two},
		)
		requireKept(t, k, one, []byte("last"))
		requireNothing(t, k, two)
	},
	"empty data forget a key": func(t *testing.T, k limit.Keeper) {
		for _, empty := range [][]byte{nil, {}} {
			one, other := newKey(), newKey()
			keepCounts(t, k, limit.Counts{Key: one, Data: []byte("x"), End: soon()}, limit.Counts{Key: other, Data: []byte("y"), End: soon()})
			keepCounts(t, k, limit.Counts{Key: one, Data: empty, End: soon()})
			requireNothing(t, k, one)
			requireKept(t, k, other, []byte("y"))
			keepCounts(t, k, limit.Counts{Key: one, Data: []byte("again"), End: soon()})
			requireKept(t, k, one, []byte("again"))
		}
	},
	"a key that was never kept can be forgotten": func(t *testing.T, k limit.Keeper) {
		key := newKey()
		keepCounts(t, k, limit.Counts{Key: key, End: soon()}, limit.Counts{Key: key})
		requireNothing(t, k, key)
	},
	"counts past their end are not returned, nor those that they replace": func(t *testing.T, k limit.Keeper) {
		for _, end := range []time.Time{{}, time.Unix(0, 0), time.Now().Add(-time.Hour), time.Now().Add(-time.Millisecond)} {
			fresh, replaced := newKey(), newKey()
			keepCounts(t, k, limit.Counts{Key: replaced, Data: []byte("old"), End: soon()})
			keepCounts(t, k, limit.Counts{Key: fresh, Data: []byte("x"), End: end}, limit.Counts{Key: replaced, Data: []byte("x"), End: end})
			requireNothing(t, k, fresh)
			requireNothing(t, k, replaced)
		}
	},
	"counts are returned until their end, and not after": func(t *testing.T, k limit.Keeper) {
		key, end := newKey(), time.Now().Add(400*time.Millisecond)
		keepCounts(t, k, limit.Counts{Key: key, Data: []byte("x"), End: end})
		for {
			asked := time.Now()
			kept, err := k.Counts(t.Context(), key)
			answered := time.Now()
			require.NoError(t, err)
			if kept == nil {
				require.False(t, answered.Before(end), "let go %s before the end", end.Sub(answered))
				return
			}
			require.False(t, asked.After(end), "returned %s after the end", asked.Sub(end))
			time.Sleep(time.Millisecond)
		}
	},
	"an end replaces the one before": func(t *testing.T, k limit.Keeper) {
		key := newKey()
		keepCounts(t, k, limit.Counts{Key: key, Data: []byte("short"), End: time.Now().Add(50 * time.Millisecond)})
		keepCounts(t, k, limit.Counts{Key: key, Data: []byte("long"), End: time.Now().Add(31 * 24 * time.Hour)})
		time.Sleep(60 * time.Millisecond)
		requireKept(t, k, key, []byte("long"))
	},
	"thousands of counts are kept at once": func(t *testing.T, k limit.Keeper) {
		random := rand.New(rand.NewPCG(1, 2))
		counts := make([]limit.Counts, 5000)
		for i := range counts {
			counts[i] = limit.Counts{Key: newKey(), Data: randomBytes(random, 1+random.IntN(2000)), End: soon()}
		}
		counts[17].Data = randomBytes(random, 100_000) // a key of many limits
		keepCounts(t, k, counts...)
		for _, c := range counts {
			requireKept(t, k, c.Key, c.Data)
		}
		for i := range counts {
			counts[i].Data = nil
		}
		keepCounts(t, k, counts...)
		for _, c := range counts {
			requireNothing(t, k, c.Key)
		}
	},
	"what is kept and returned is not shared": func(t *testing.T, k limit.Keeper) {
		key, data := newKey(), []byte("given")
		counts := []limit.Counts{{Key: key, Data: data, End: soon()}}
		keepCounts(t, k, counts...)
		copy(data, "xxxxx")
		counts[0].Key = "changed"
		requireKept(t, k, key, []byte("given"))
		kept, err := k.Counts(t.Context(), key)
		require.NoError(t, err)
		copy(kept, "yyyyy")
		requireKept(t, k, key, []byte("given"))
	},
	"a context that has ended stops every call": func(t *testing.T, k limit.Keeper) {
		key := newKey()
		keepCounts(t, k, limit.Counts{Key: key, Data: []byte("x"), End: soon()})
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		for ctx, want := range map[context.Context]error{cancelled: context.Canceled, late: context.DeadlineExceeded} {
			_, err := k.Counts(ctx, key)
			require.ErrorIs(t, err, want)
			require.ErrorIs(t, k.KeepCounts(ctx, []limit.Counts{{Key: key, Data: []byte("y"), End: soon()}}), want)
		}
		requireKept(t, k, key, []byte("x"))
	},
	"counts kept concurrently are whole and none is lost": testConcurrentKeeping,
}

// testConcurrentKeeping lets every asker keep counts of its own key and of a
// shared one, and read both. Data are one byte, again and again, so that a mix
// of two shows.
func testConcurrentKeeping(t *testing.T, k limit.Keeper) {
	shared, own := newKey(), make([]string, askers)
	for i := range own {
		own[i] = newKey()
	}
	last := byte(rounds(20))
	errs := make([]error, askers)
	together(func(asker int) {
		for n := byte(1); n <= last && errs[asker] == nil; n++ {
			errs[asker] = keepAndRead(t.Context(), k, own[asker], shared, n, byte(asker))
		}
	})
	for i, err := range errs {
		require.NoError(t, err)
		requireKept(t, k, own[i], uniform(last))
	}
}

func keepAndRead(ctx context.Context, k limit.Keeper, own, shared string, n, asker byte) error {
	err := k.KeepCounts(ctx, []limit.Counts{{Key: own, Data: uniform(n), End: soon()}, {Key: shared, Data: uniform(asker), End: soon()}})
	if err != nil {
		return err
	}
	if kept, err := k.Counts(ctx, own); err != nil || !bytes.Equal(kept, uniform(n)) {
		return fmt.Errorf("kept %d, have %.8v: %w", n, kept, err)
	}
	kept, err := k.Counts(ctx, shared)
	if err != nil || len(kept) == 0 || !bytes.Equal(kept, uniform(kept[0])) {
		return fmt.Errorf("shared counts are %.8v: %w", kept, err)
	}
	return nil
}

func uniform(n byte) []byte { return bytes.Repeat([]byte{n}, 300) }

func randomBytes(random *rand.Rand, n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	return data
}
