package usage

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/kv"
	"github.com/otlpgate/otlpgate/internal/kv/badgerkv"
	"github.com/otlpgate/otlpgate/internal/kv/kvtest"
)

// simulateYear keeps a year of usage of keys that are used in every minute of it, by
// two endpoints. What would have expired since is left out: of the time before the
// last 35 days hours, and before the last day minutes, as the store would forget
// them on the spot.
func simulateYear(tb testing.TB, store kv.Store, keys int) {
	tb.Helper()
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
}

func TestAYearOfAKeyTakesAsMuchAsIsStated(t *testing.T) {
	memory, size := kvtest.NewMemory(), 0
	simulateYear(t, memory, 1)
	require.NoError(t, memory.Walk(t.Context(), kv.Range{}, func(key, value []byte) (bool, error) {
		if !strings.Contains(string(key), Everything) {
			size += len(key) + len(value)
		}
		return true, nil
	}))
	t.Logf("%d bytes", size)
	assert.Less(t, size, 90_000, "docs/performance.md states it")
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
		directory := b.TempDir()
		store, err := badgerkv.Open(b.Context(), badgerkv.Options{Directory: directory})
		require.NoError(b, err)
		simulateYear(b, store, keys)
		require.NoError(b, store.Prune(b.Context()))
		require.NoError(b, store.Close())
		size := kvtest.SizeOf(b, directory)
		b.ReportMetric(float64(size)/float64(keys), "bytes/key")
		b.ReportMetric(float64(size)/(1<<20), "MiB")
	}
	b.ReportMetric(0, "ns/op")
}
