package limit

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	dawn   = time.Date(2026, time.March, 1, 6, 0, 0, 0, time.UTC).UnixNano()
	hourly = windowID{Ingest, Requests, Window(time.Hour)}
)

// encoded returns a window with those cells, sound or not, as it is kept.
func encoded(id windowID, cells ...cell) []byte {
	w := newWindow(id)
	w.advance(dawn)
	w.past, w.count = cells, int32(len(cells))
	return w.encode(nil)
}

func versioned(windows ...[]byte) []byte {
	data := []byte{countsVersion}
	for _, w := range windows {
		data = append(data, w...)
	}
	return data
}

// damaged are counts that are not as encode writes them.
func damaged() map[string][]byte {
	now := newWindow(hourly)
	now.advance(dawn)
	bucket := now.bucket
	cells := make([]cell, subWindows+2)
	for i := range cells {
		cells[i] = cell{bucket - int64(len(cells)-1-i), 1}
	}
	good := encoded(hourly, cell{bucket - 7, 3}, cell{bucket, 5})
	return map[string][]byte{
		"another version":         append([]byte{countsVersion + 1}, good...),
		"a short window":          versioned(encoded(windowID{Ingest, Requests, Window(time.Hour - 1)}, cell{bucket, 1})),
		"too long a window":       versioned(encoded(windowID{Ingest, Requests, MaxWindow + 1}, cell{bucket, 1})),
		"unknown traffic":         versioned(encoded(windowID{trafficCount, Requests, Window(time.Hour)}, cell{bucket, 1})),
		"unknown unit":            versioned(encoded(windowID{Ingest, unitCount, Window(time.Hour)}, cell{bucket, 1})),
		"a window twice":          versioned(good, good),
		"no cell":                 versioned(encoded(hourly)),
		"too many cells":          versioned(encoded(hourly, cells...)),
		"a cell that has left":    versioned(encoded(hourly, cell{bucket - subWindows - 1, 1})),
		"a cell of the future":    versioned(encoded(hourly, cell{bucket + 1, 1})),
		"a later one":             versioned(encoded(hourly, cell{bucket, 1}, cell{bucket + 1, 1})),
		"a bucket twice":          versioned(encoded(hourly, cell{bucket - 1, 1}, cell{bucket - 1, 1})),
		"buckets out of order":    versioned(encoded(hourly, cell{bucket - 1, 1}, cell{bucket - 2, 1})),
		"a cost below zero":       versioned(encoded(hourly, cell{bucket - 1, 9}, cell{bucket, -1})),
		"more than any limit":     versioned(encoded(hourly, cell{bucket, MaxMax + 1})),
		"an endless number":       append(versioned(good[:2]), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"something behind":        append(versioned(good), 1),
		"a time out of all bound": append(binary.AppendVarint(binary.AppendVarint(versioned(good[:2]), int64(time.Hour)), 1<<62+1), 2, 0, 2),
	}
}

func accountOf(windows []window) *account {
	a := &account{}
	for _, w := range windows {
		a.windows.add(w)
	}
	return a
}

func TestKeptCountsReadAsTheyWereWritten(t *testing.T) {
	data := kept(dawn, 5)
	windows, err := decodeCounts(data)
	require.NoError(t, err)
	require.Len(t, windows, 2)
	again, _ := accountOf(windows).encode()
	require.Equal(t, data, again)

	windows, err = decodeCounts(nil)
	require.NoError(t, err)
	require.Empty(t, windows)
}

func TestDamagedCountsAreRefused(t *testing.T) {
	for what, data := range damaged() {
		windows, err := decodeCounts(data)
		require.ErrorIs(t, err, errCounts, what)
		require.Nil(t, windows)
	}
	whole := kept(dawn, 5)
	first, err := decodeCounts(whole)
	require.NoError(t, err)
	whole1 := len(versioned(first[0].encode(nil)))
	for n := 2; n < len(whole); n++ {
		if n != whole1 { // where the first window ends
			_, err := decodeCounts(whole[:n])
			require.ErrorIs(t, err, errCounts, "cut off after %d of %d bytes", n, len(whole))
		}
	}
}
