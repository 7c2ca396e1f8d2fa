// Package kvtest holds the suite that every kv.Store must pass, and one that ends
// with the process.
package kvtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/kv"
)

// Run runs the suite. Open returns an empty store for each test, which the suite
// closes, and how to open it again once it is closed: nil where the store ends
// with that, and tests of what is kept are left out.
func Run(t *testing.T, open func(t *testing.T) (store kv.Store, reopen func() kv.Store)) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, kv.Store)
	}{
		{"what was written is read until it is removed", written},
		{"a walk visits its range in order, both ways", walks},
		{"a walk sees one moment, and its visit may write", moment},
		{"a walk ends when its visit says so", ends},
		{"a walk ends with its context", cancelled},
		{"closing ends a walk, whose visit may call the store", closing},
		{"what has expired is gone", expires},
		{"groups are written whole and in their order", groups},
		{"what is too large is refused and the groups before are kept", bounds},
		{"writers and readers do not disturb each other", concurrent},
		{"a context that has ended and a store that is closed are refused", refuses},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _ := open(t)
			defer func() { require.NoError(t, s.Close()) }()
			test.run(t, s)
		})
	}
	t.Run("what was written and removed stays so when the store is opened again", func(t *testing.T) {
		s, reopen := open(t)
		if reopen == nil {
			require.NoError(t, s.Close())
			return
		}
		reopens(t, s, reopen)
	})
}

// put writes entries, each as a group.
func put(t *testing.T, s kv.Store, entries ...kv.Entry) {
	t.Helper()
	groups := make([][]kv.Entry, len(entries))
	for i, e := range entries {
		groups[i] = []kv.Entry{e}
	}
	n, err := s.Write(t.Context(), groups)
	require.NoError(t, err)
	require.Len(t, entries, n)
}

func entry(key, value string) kv.Entry { return kv.Entry{Key: []byte(key), Value: []byte(value)} }

func get(t *testing.T, s kv.Store, key string) string {
	t.Helper()
	value, err := s.Get(t.Context(), []byte(key))
	if errors.Is(err, kv.ErrNotFound) {
		return "not found"
	}
	require.NoError(t, err)
	return string(value)
}

// list returns what a walk visits, as "suffix=value".
func list(t *testing.T, s kv.Store, r kv.Range) (found []string) {
	t.Helper()
	require.NoError(t, s.Walk(t.Context(), r, func(suffix, value []byte) (bool, error) {
		found = append(found, string(suffix)+"="+string(value))
		return true, nil
	}))
	return found
}

func written(t *testing.T, s kv.Store) {
	assert.Equal(t, "not found", get(t, s, "a"))
	put(t, s, entry("a", "1"), entry("b", "2"), entry("a", "3"))
	assert.Equal(t, "3", get(t, s, "a"))
	put(t, s, kv.Entry{Key: []byte("a")}, kv.Entry{Key: []byte("nothing")})
	assert.Equal(t, "not found", get(t, s, "a"))
	assert.Equal(t, []string{"b=2"}, list(t, s, kv.Range{}))
	key := []byte("mine")
	put(t, s, kv.Entry{Key: key, Value: key})
	copy(key, "your")
	assert.Equal(t, "mine", get(t, s, "mine"), "what was given may be used again")
	require.NoError(t, s.Sync(t.Context()))
}

func walks(t *testing.T, s kv.Store) {
	for _, key := range []string{"a", "p", "p1", "p2", "p2x", "p3", "p\xff", "p\xff\xff", "q"} {
		put(t, s, entry(key, "v"))
	}
	for name, tt := range map[string]struct {
		r    kv.Range
		want string
	}{
		"all":      {kv.Range{Prefix: []byte("p")}, " 1 2 2x 3 \xff \xff\xff"},
		"from":     {kv.Range{Prefix: []byte("p"), From: []byte("2")}, "2 2x 3 \xff \xff\xff"},
		"between":  {kv.Range{Prefix: []byte("p"), From: []byte("1x"), To: []byte("3")}, "2 2x"},
		"to":       {kv.Range{Prefix: []byte("p"), To: []byte("2x")}, " 1 2"},
		"nothing":  {kv.Range{Prefix: []byte("p"), From: []byte("4"), To: []byte("5")}, "-"},
		"inverted": {kv.Range{Prefix: []byte("p"), From: []byte("3"), To: []byte("1")}, "-"},
		"no such":  {kv.Range{Prefix: []byte("x")}, "-"},
	} {
		want := strings.Split(tt.want, " ")
		if tt.want == "-" {
			want = nil
		}
		for i := range want {
			want[i] += "=v"
		}
		assert.Equal(t, want, list(t, s, tt.r), name)
		tt.r.Newest = true
		slices.Reverse(want)
		assert.Equal(t, want, list(t, s, tt.r), "%s backwards", name)
	}
	assert.Len(t, list(t, s, kv.Range{}), 9)
}

func moment(t *testing.T, s kv.Store) {
	for i := range 200 {
		put(t, s, entry(fmt.Sprintf("a%03d", i), "old"))
	}
	n := 0
	require.NoError(t, s.Walk(t.Context(), kv.Range{Prefix: []byte("a")}, func(_, value []byte) (bool, error) {
		assert.Equal(t, "old", string(value))
		put(t, s, entry(fmt.Sprintf("a%03d", 199-n), "new"), entry(fmt.Sprintf("b%03d", n), "new"))
		n++
		return true, nil
	}))
	assert.Equal(t, 200, n)
	assert.Equal(t, "new", get(t, s, "a000"))
}

func ends(t *testing.T, s kv.Store) {
	put(t, s, entry("a", "1"), entry("b", "2"), entry("c", "3"))
	n, enough := 0, errors.New("enough")
	err := s.Walk(t.Context(), kv.Range{}, func([]byte, []byte) (bool, error) { n++; return n < 2, nil })
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	assert.Equal(t, enough, s.Walk(t.Context(), kv.Range{}, func([]byte, []byte) (bool, error) { return true, enough }))
}

func cancelled(t *testing.T, s kv.Store) {
	put(t, s, entry("a", "1"), entry("b", "2"))
	ctx, cancel := context.WithCancel(t.Context())
	visited := 0
	err := s.Walk(ctx, kv.Range{}, func([]byte, []byte) (bool, error) {
		visited++
		cancel()
		return true, nil
	})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 1, visited)
}

func closing(t *testing.T, s kv.Store) {
	put(t, s, entry("a", "1"), entry("b", "2"))
	closed := make(chan error, 1)
	visited := 0
	err := s.Walk(t.Context(), kv.Range{}, func([]byte, []byte) (bool, error) {
		visited++
		go func() { closed <- s.Close() }()
		require.Eventually(t, func() bool {
			_, err := s.Get(t.Context(), []byte("a"))
			return errors.Is(err, kv.ErrClosed)
		}, 10*time.Second, time.Millisecond, "a call must not wait for Close, which waits for the walk")
		return true, nil
	})
	require.ErrorIs(t, err, kv.ErrClosed)
	assert.Equal(t, 1, visited)
	require.NoError(t, <-closed)
}

func reopens(t *testing.T, s kv.Store, reopen func() kv.Store) {
	later := time.Now().Add(time.Hour)
	put(t, s, entry("a", "1"), entry("b", "2"), kv.Entry{Key: []byte("c"), Value: []byte("3"), ExpiresAt: later})
	put(t, s, entry("a", "4"), kv.Entry{Key: []byte("b")})
	for range 2 {
		require.NoError(t, s.Close())
		s = reopen()
		assert.Equal(t, []string{"a=4", "c=3"}, list(t, s, kv.Range{}))
	}
	put(t, s, entry("a", "5"))
	assert.Equal(t, "5", get(t, s, "a"))
	require.NoError(t, s.Close())
}

func expires(t *testing.T, s kv.Store) {
	past, soon, later := time.Now().Add(-time.Hour), time.Now().Add(time.Second), time.Now().Add(time.Hour)
	put(t, s,
		kv.Entry{Key: []byte("past"), Value: []byte("v"), ExpiresAt: past}, kv.Entry{Key: []byte("soon"), Value: []byte("v"), ExpiresAt: soon},
		kv.Entry{Key: []byte("later"), Value: []byte("v"), ExpiresAt: later}, kv.Entry{Key: []byte("never"), Value: []byte("v")})
	assert.Equal(t, "not found", get(t, s, "past"))
	require.Eventually(t, func() bool { return get(t, s, "soon") == "not found" }, 10*time.Second, 20*time.Millisecond)
	assert.Equal(t, []string{"later=v", "never=v"}, list(t, s, kv.Range{}))
	put(t, s, kv.Entry{Key: []byte("past"), Value: []byte("again"), ExpiresAt: later})
	assert.Equal(t, "again", get(t, s, "past"))
}

func groups(t *testing.T, s kv.Store) {
	n, err := s.Write(t.Context(), [][]kv.Entry{
		{entry("a", "1"), entry("b", "1")}, {}, {entry("a", "2"), entry("c", "1"), entry("c", "2")},
	})
	require.NoError(t, err)
	assert.Equal(t, 3, n)
	assert.Equal(t, []string{"a=2", "b=1", "c=2"}, list(t, s, kv.Range{}))
	n, err = s.Write(t.Context(), nil)
	require.NoError(t, err)
	assert.Zero(t, n)
	many := make([][]kv.Entry, 5000)
	for i := range many {
		many[i] = []kv.Entry{entry(fmt.Sprintf("m%04d", i), strings.Repeat("x", 500)), entry(fmt.Sprintf("n%04d", i), "y")}
	}
	n, err = s.Write(t.Context(), many)
	require.NoError(t, err)
	assert.Equal(t, 5000, n)
	assert.Len(t, list(t, s, kv.Range{Prefix: []byte("n")}), 5000)
}

func bounds(t *testing.T, s kv.Store) {
	largest := kv.Entry{Key: bytes.Repeat([]byte("k"), kv.MaxKey), Value: bytes.Repeat([]byte("v"), kv.MaxValue)}
	put(t, s, largest)
	assert.Len(t, get(t, s, string(largest.Key)), kv.MaxValue)
	full := make([]kv.Entry, 7)
	for i := range full {
		full[i] = kv.Entry{Key: fmt.Appendf(nil, "full%d", i), Value: largest.Value}
	}
	n, err := s.Write(t.Context(), [][]kv.Entry{full, full, full})
	require.NoError(t, err)
	assert.Equal(t, 3, n)
	most := make([]kv.Entry, kv.MaxEntries)
	for i := range most {
		most[i] = entry(fmt.Sprintf("most%d", i), "v")
	}
	n, err = s.Write(t.Context(), [][]kv.Entry{most, most, full})
	require.NoError(t, err)
	assert.Equal(t, 3, n)
	for name, bad := range map[string][]kv.Entry{
		"key":   {{Key: bytes.Repeat([]byte("k"), kv.MaxKey+1), Value: []byte("v")}},
		"value": {{Key: []byte("k"), Value: bytes.Repeat([]byte("v"), kv.MaxValue+1)}},
		"group": append(slices.Clone(full), full...),
		"count": append(slices.Clone(most), entry("one more", "v")),
	} {
		n, err := s.Write(t.Context(), [][]kv.Entry{{entry("before "+name, "v")}, bad, {entry("behind "+name, "v")}})
		require.ErrorIs(t, err, kv.ErrTooLarge, name)
		assert.Equal(t, 1, n, name)
		assert.Equal(t, "v", get(t, s, "before "+name))
		assert.Equal(t, "not found", get(t, s, "behind "+name))
	}
	for _, bad := range []kv.Entry{{Value: []byte("v")}, {Key: []byte("k"), Value: []byte{}}} {
		_, err := s.Write(t.Context(), [][]kv.Entry{{bad}})
		assert.Error(t, err)
	}
}

func concurrent(t *testing.T, s kv.Store) {
	var working sync.WaitGroup
	for w := range 4 {
		working.Go(func() {
			for i := range 100 {
				text := fmt.Sprintf("%d-%d", w, i)
				_, err := s.Write(context.Background(), [][]kv.Entry{{entry(fmt.Sprintf("a%d", w), text), entry(fmt.Sprintf("b%d", w), text)}})
				assert.NoError(t, err)
			}
		})
		working.Go(func() {
			for range 100 {
				values := map[string]string{}
				assert.NoError(t, s.Walk(context.Background(), kv.Range{}, func(key, value []byte) (bool, error) {
					values[string(key)] = string(value)
					return true, nil
				}))
				for w := range 4 {
					assert.Equal(t, values[fmt.Sprintf("a%d", w)], values[fmt.Sprintf("b%d", w)], "a group is seen whole")
				}
			}
		})
	}
	working.Wait()
}

func refuses(t *testing.T, s kv.Store) {
	calls := map[string]func(context.Context) error{
		"get":   func(ctx context.Context) error { _, err := s.Get(ctx, []byte("a")); return err },
		"write": func(ctx context.Context) error { _, err := s.Write(ctx, [][]kv.Entry{{entry("a", "1")}}); return err },
		"walk": func(ctx context.Context) error {
			return s.Walk(ctx, kv.Range{}, func([]byte, []byte) (bool, error) { return true, nil })
		},
		"sync": s.Sync,
	}
	ended, end := context.WithCancel(t.Context())
	end()
	for name, call := range calls {
		assert.ErrorIs(t, call(ended), context.Canceled, name)
	}
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "closing again")
	for name, call := range calls {
		assert.ErrorIs(t, call(t.Context()), kv.ErrClosed, name)
	}
}
