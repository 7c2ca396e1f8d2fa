package badgerstore

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

// benchSizes are numbers of keys; OTLPGATE_BENCH_KEYS adds one.
func benchSizes(b *testing.B) []int {
	sizes := []int{1000}
	if text := os.Getenv("OTLPGATE_BENCH_KEYS"); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(b, err)
		sizes = append(sizes, n)
	}
	return sizes
}

func BenchmarkReads(b *testing.B) {
	for _, size := range benchSizes(b) {
		directory := newDirectory(b)
		require.NoError(b, os.Mkdir(directory, 0o700))
		fillDirectory(b, directory, size)
		s := openIn(b, directory)
		b.Run(fmt.Sprintf("KeyByDigest/%d", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := s.KeyByDigest(b.Context(), storetest.Digest(rand.IntN(size)))
				require.NoError(b, err)
			}
		})
		b.Run(fmt.Sprintf("unknown digest/%d", size), func(b *testing.B) {
			for b.Loop() {
				_, err := s.KeyByDigest(b.Context(), storetest.Digest(size+rand.IntN(size)))
				require.ErrorIs(b, err, store.ErrNotFound)
			}
		})
		b.Run(fmt.Sprintf("ListKeys page of 50/%d", size), func(b *testing.B) {
			for b.Loop() {
				_, err := s.ListKeys(b.Context(), store.KeyFilter{}, store.Page{})
				require.NoError(b, err)
			}
		})
		b.Run(fmt.Sprintf("ListKeys scan, no match/%d", size), func(b *testing.B) {
			for b.Loop() {
				_, err := s.ListKeys(b.Context(), store.KeyFilter{Query: "no key says this"}, store.Page{})
				require.NoError(b, err)
			}
		})
		require.NoError(b, s.Close())
		b.Run(fmt.Sprintf("Open/%d", size), func(b *testing.B) {
			for b.Loop() {
				s, err := Open(b.Context(), Options{Directory: directory})
				require.NoError(b, err)
				b.StopTimer()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				b.ReportMetric(float64(m.HeapInuse)/(1<<20), "heap-MiB")
				require.NoError(b, s.Close())
				b.StartTimer()
			}
		})
	}
}

func BenchmarkCreateKey(b *testing.B) {
	for _, writers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := openIn(b, newDirectory(b))
			var n atomic.Int64
			b.SetParallelism(max(writers/runtime.GOMAXPROCS(0), 1))
			if writers == 1 {
				for b.Loop() {
					create(b, s, int(n.Add(1)))
				}
				return
			}
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					create(b, s, int(n.Add(1)))
				}
			})
		})
	}
}

// BenchmarkUpdateKey renames one key. Most of the time is that of the sync;
// without sync is what a change costs the processor.
func BenchmarkUpdateKey(b *testing.B) {
	for _, sync := range []bool{true, false} {
		b.Run(fmt.Sprintf("sync=%t", sync), func(b *testing.B) {
			s := openIn(b, newDirectory(b))
			if !sync {
				reopenWithoutSync(b, s)
			}
			create(b, s, 1)
			b.ReportAllocs()
			for b.Loop() {
				edit(b, s, 1, func(k *store.Key) { k.Name += "x"; k.Name = k.Name[len(k.Name)-5:] })
			}
		})
	}
}

func reopenWithoutSync(b *testing.B, s *Store) {
	b.Helper()
	require.NoError(b, s.closeBadger())
	o := badgerOptions(s.directory, s.logger)
	o.SyncWrites = false
	db, err := badger.Open(o)
	require.NoError(b, err)
	s.db = db
}

// BenchmarkKeepCounts keeps counts of 10,000 keys at once, again and again.
func BenchmarkKeepCounts(b *testing.B) {
	counts := countsOf(10_000, 300)
	s := openIn(b, newDirectory(b))
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, s.KeepCounts(b.Context(), counts))
	}
}

func BenchmarkCounts(b *testing.B) {
	counts := countsOf(10_000, 300)
	s := openIn(b, newDirectory(b))
	require.NoError(b, s.KeepCounts(b.Context(), counts))
	b.ReportAllocs()
	for b.Loop() {
		_, err := s.Counts(b.Context(), counts[rand.IntN(len(counts))].Key)
		require.NoError(b, err)
	}
}
