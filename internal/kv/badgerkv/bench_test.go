package badgerkv

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/kv"
)

func BenchmarkWriteOfAThousandGroups(b *testing.B) {
	s := open(b, newDirectory(b))
	groups := entries(1000, strings.Repeat("v", 150))
	b.ReportAllocs()
	for b.Loop() {
		_, err := s.Write(b.Context(), groups)
		require.NoError(b, err)
	}
}

// filled returns a store of so many entries, most of them in tables.
func filled(b *testing.B, n int) *Store {
	b.Helper()
	directory := newDirectory(b)
	s := open(b, directory)
	write(b, s, entries(n, strings.Repeat("v", 150))...)
	require.NoError(b, s.Close())
	return open(b, directory)
}

func BenchmarkGet(b *testing.B) {
	const n = 100_000
	s := filled(b, n)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		_, err := s.Get(b.Context(), entry(i*7919%n, "").Key)
		require.NoError(b, err)
	}
}

func BenchmarkWalkOfTenThousandEntries(b *testing.B) {
	s := filled(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		require.NoError(b, s.Walk(b.Context(), kv.Range{Prefix: []byte("k")}, func([]byte, []byte) (bool, error) { n++; return true, nil }))
		require.Equal(b, 10_000, n)
	}
}
