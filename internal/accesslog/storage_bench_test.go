package accesslog

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/kv/badgerkv"
	"github.com/otlpgate/otlpgate/internal/kv/kvtest"
)

// BenchmarkADayOfCounts tells what the counts of keys that are used in every minute
// of a day take on disk.
func BenchmarkADayOfCounts(b *testing.B) {
	const keys = 500
	for b.Loop() {
		directory := b.TempDir()
		store, err := badgerkv.Open(b.Context(), badgerkv.Options{Directory: directory})
		require.NoError(b, err)
		now := time.Now().UTC().Truncate(24 * time.Hour)
		l := New(Options{Store: store, Retention: 30 * 24 * time.Hour, Now: func() time.Time { return now }})
		for range 24 * 60 {
			taken := access.Taken{Counts: make([]access.Count, keys)}
			for i := range taken.Counts {
				r := usualRequest(i)
				r.Minute, r.Requests = now.Unix()/60, int64(100+(i*int(now.Unix()/60))%400)
				taken.Counts[i] = access.Count{Group: r.Group, Volume: r.Volume, UserAgent: r.UserAgent, Country: r.Country}
			}
			l.Add(&taken)
			require.NoError(b, l.Flush(b.Context()))
			now = now.Add(time.Minute)
		}
		require.NoError(b, store.Close())
		b.ReportMetric(float64(kvtest.SizeOf(b, directory))/keys, "bytes/key")
	}
	b.ReportMetric(0, "ns/op")
}
