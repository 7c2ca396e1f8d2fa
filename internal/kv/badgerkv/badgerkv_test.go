package badgerkv

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otlpgate/otlpgate/internal/kv"
	"github.com/otlpgate/otlpgate/internal/kv/kvtest"
)

func TestMain(m *testing.M) {
	if directory := os.Getenv(childDirectory); directory != "" {
		writeForEver(directory)
	}
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

func TestBadger(t *testing.T) {
	kvtest.Run(t, func(t *testing.T) (kv.Store, func() kv.Store) {
		directory := newDirectory(t)
		return open(t, directory), func() kv.Store { return open(t, directory) }
	})
}

// newDirectory returns a directory that is yet to be made.
func newDirectory(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "insight")
}

func open(tb testing.TB, directory string) *Store {
	tb.Helper()
	s, err := Open(tb.Context(), Options{Directory: directory})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

func entry(n int, value string) kv.Entry {
	return kv.Entry{Key: fmt.Appendf(nil, "k%08d", n), Value: []byte(value)}
}

// entries returns so many groups of an entry each.
func entries(n int, value string) [][]kv.Entry {
	groups := make([][]kv.Entry, n)
	for i := range groups {
		groups[i] = []kv.Entry{entry(i, value)}
	}
	return groups
}

func write(tb testing.TB, s *Store, groups ...[]kv.Entry) {
	tb.Helper()
	n, err := s.Write(tb.Context(), groups)
	require.NoError(tb, err)
	require.Len(tb, groups, n)
}

func count(tb testing.TB, s *Store) (n int) {
	tb.Helper()
	require.NoError(tb, s.Walk(tb.Context(), kv.Range{}, func([]byte, []byte) (bool, error) { n++; return true, nil }))
	return n
}
