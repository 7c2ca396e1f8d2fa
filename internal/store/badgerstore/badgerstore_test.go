package badgerstore

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"

	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

func TestMain(m *testing.M) {
	runChild() // does not return in a child process
	goleak.VerifyTestMain(m)
}

// newDirectory returns the path of a storage directory that does not exist yet.
func newDirectory(t testing.TB) string { return filepath.Join(t.TempDir(), "data") }

func openIn(t testing.TB, directory string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Directory: directory, Logger: zaptest.NewLogger(t, zaptest.Level(zapcore.WarnLevel))})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestConformance(t *testing.T) {
	storetest.Run(t,
		func(t *testing.T) store.Store { return openIn(t, newDirectory(t)) },
		storetest.WithReopen(func(t *testing.T, s store.Store) store.Store {
			require.NoError(t, s.Close())
			return openIn(t, s.(*Store).directory)
		}))
}
