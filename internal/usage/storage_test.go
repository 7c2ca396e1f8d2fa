package usage

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/kv/badgerkv"
)

// simulatedYear keeps a year of usage of keys that are used in every minute of
// it, by two endpoints, and returns the bytes on disk. What would have expired
// since is left out: of the time before the last 35 days hours, and before the
// last day minutes, as the store would forget them on the spot.
func simulatedYear(tb testing.TB, keys int) int64 {
	tb.Helper()
	directory := tb.TempDir()
	store, err := badgerkv.Open(tb.Context(), badgerkv.Options{Directory: directory})
	require.NoError(tb, err)
	l := NewLedger(store, retention)
	now := time.Now().UTC().Truncate(day)
	at := func(t time.Time, requests int64) {
		counts := make([]access.Count, 0, 2*keys)
		for k := range keys {
			id := fmt.Sprintf("key_%020d", k)
			for i, endpoint := range []string{"traces", "logs"} {
				c := count(id, t, requests+int64(k%97)+int64(i), from("DE"))
				c.Endpoint = endpoint
				counts = append(counts, c)
			}
		}
		l.Add(counts)
		require.NoError(tb, l.Flush(context.Background()))
	}
	for d := 365; d > 35; d-- {
		at(now.AddDate(0, 0, -d), 400_000)
	}
	for t := now.AddDate(0, 0, -35); t.Before(now.Add(-day)); t = t.Add(time.Hour) {
		at(t, 18_000)
	}
	for t := now.Add(-day); t.Before(now); t = t.Add(time.Minute) {
		at(t, 300)
	}
	require.NoError(tb, store.Prune(tb.Context()))
	require.NoError(tb, store.Close())
	return sizeOf(tb, directory)
}

func sizeOf(tb testing.TB, directory string) (size int64) {
	tb.Helper()
	require.NoError(tb, filepath.WalkDir(directory, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		size += info.Size()
		return err
	}))
	return size
}

func TestAYearOfAKeyTakesAsMuchAsIsStated(t *testing.T) {
	if testing.Short() {
		t.Skip("writes for some seconds")
	}
	const keys = 50
	perKey := simulatedYear(t, keys) / keys
	t.Logf("%d bytes a key", perKey)
	assert.Less(t, perKey, int64(250_000), "docs/performance.md states 85 kB of many keys; of few the store itself weighs more")
}

// BenchmarkAYearOfUsage tells what a year of usage of many keys takes on disk.
func BenchmarkAYearOfUsage(b *testing.B) {
	keys := 200
	if text := os.Getenv("OTLPGATE_SIMULATED_KEYS"); text != "" {
		var err error
		keys, err = strconv.Atoi(text)
		require.NoError(b, err)
	}
	for b.Loop() {
		size := simulatedYear(b, keys)
		b.ReportMetric(float64(size)/float64(keys), "bytes/key")
		b.ReportMetric(float64(size)/(1<<20), "MiB")
	}
	b.ReportMetric(0, "ns/op")
}
