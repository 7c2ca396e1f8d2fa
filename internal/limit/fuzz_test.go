package limit

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Whatever a keeper returns, it is refused or makes windows that hold together.
func FuzzDecodeCounts(f *testing.F) {
	now := time.Date(2026, time.March, 1, 9, 31, 7, 0, time.UTC).UnixNano()
	f.Add([]byte(nil), now)
	f.Add([]byte{countsVersion}, now)
	f.Add([]byte("damaged"), now)
	for _, data := range damaged() {
		f.Add(data, now)
	}
	for _, cells := range []int{1, 3, 100} {
		f.Add(kept(now, cells), now)
		f.Add(kept(now, cells)[:20], now)
	}
	f.Fuzz(func(t *testing.T, data []byte, later int64) {
		windows, err := decodeCounts(data)
		if err != nil {
			require.ErrorIs(t, err, errCounts)
			require.Nil(t, windows)
			return
		}
		for i := range windows {
			requireSound(t, &windows[i])
		}
		again, end := accountOf(windows).encode()
		rest, err := decodeCounts(again)
		require.NoError(t, err)
		requireSameWindows(t, windows, rest)

		later = max(min(later, math.MaxInt64/2), math.MinInt64/2)
		for i := range windows {
			w := &windows[i]
			sum := w.sum
			w.startAt(later)
			w.advance(later)
			requireSound(t, w)
			require.LessOrEqual(t, w.sum, sum)
			require.Less(t, w.emptyAt()-later, int64(w.id.length)*62/60+subWindows)
		}
		for i := range windows {
			if end <= later {
				require.Zero(t, windows[i].sum, "past their end the counts mean nothing")
			}
		}
	})
}

// kept is the counts of a key that spent something in so many hours.
func kept(now int64, cells int) []byte {
	a := &account{}
	p := NewPolicy(Plan{Limits: []Limit{
		{On: Ingest, Unit: Requests, Max: MaxMax, Window: Window(time.Hour)},
		{On: Traces, Unit: Bytes, Max: MaxMax, Window: MaxWindow},
	}})
	for i := range cells {
		c := Cost{Ingest: Amounts{Requests: 1 + int64(i)}, On: Traces, Own: Amounts{Bytes: 1 << i % 50}}
		a.admit(now+int64(i)*int64(time.Hour), p, &c, &Receipt{})
	}
	data, _ := a.encode()
	return data
}

// requireSound checks what every window promises.
func requireSound(t *testing.T, w *window) {
	t.Helper()
	require.NoError(t, Limit{On: w.id.on, Unit: w.id.unit, Max: 1, Window: w.id.length}.Validate())
	require.LessOrEqual(t, len(w.past), subWindows)
	sum, previous := int64(0), int64(math.MinInt64)
	for _, c := range w.cells() {
		require.Greater(t, c.bucket, previous)
		require.GreaterOrEqual(t, c.bucket, w.bucket-subWindows)
		require.LessOrEqual(t, c.bucket, w.bucket)
		require.GreaterOrEqual(t, c.cost, int64(0))
		sum, previous = sum+c.cost, c.bucket
	}
	require.Equal(t, sum, w.sum)
}

// requireSameWindows compares the windows that count something.
func requireSameWindows(t *testing.T, want, got []window) {
	t.Helper()
	for i := range want {
		if want[i].sum == 0 {
			continue
		}
		require.NotEmpty(t, got)
		require.Equal(t, want[i].id, got[0].id)
		require.Equal(t, want[i].now, got[0].now)
		require.Equal(t, want[i].sum, got[0].sum)
		require.Equal(t, want[i].cells(), got[0].cells())
		got = got[1:]
	}
	require.Empty(t, got)
}

// What can be parsed has a text that means the same.
func FuzzParseWindow(f *testing.F) {
	for _, text := range []string{"1s", "1m", "6h", "31d", "1h30m", "90m", "0d", "d", "-1s", "1.5h", "+1d", "65536d", "1d12h", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w, err := ParseWindow(text)
		if err != nil {
			require.Zero(t, w)
			require.ErrorContains(t, err, "31d", "it says what is right")
			return
		}
		if w > MaxWindow {
			return
		}
		again, err := ParseWindow(w.String())
		require.NoError(t, err)
		require.Equal(t, w, again)
	})
}
