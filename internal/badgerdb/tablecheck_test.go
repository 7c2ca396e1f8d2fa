package badgerdb

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// writeTable writes a small table and returns its path.
func writeTable(t *testing.T) string {
	t.Helper()
	directory := t.TempDir()
	o := badger.DefaultOptions(directory)
	o.Logger = NewLogger(zap.NewNop())
	o.MemTableSize, o.ValueLogFileSize, o.Compression, o.BlockCacheSize = 8<<20, 1<<20, options.None, 0
	db, err := badger.Open(o)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(txn *badger.Txn) error {
		for i := range 8 {
			if err := txn.Set(fmt.Appendf(nil, "key %d", i), []byte("value")); err != nil {
				return err
			}
		}
		return nil
	}))
	require.NoError(t, db.Close())
	paths, err := filepath.Glob(filepath.Join(directory, "*.sst"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	return paths[0]
}

// TestEveryByteOfATableIsChecked flips one bit of each byte of a small table.
func TestEveryByteOfATableIsChecked(t *testing.T) {
	path := writeTable(t)
	require.NoError(t, CheckTable(path, true))
	require.NoError(t, CheckTable(path, false))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	check := func(data []byte) error {
		return Guard(func() error { return checkBlocks(bytes.NewReader(data), int64(len(data)), true) })
	}
	for i := range data {
		data[i] ^= 1 << (i % 8)
		err := check(data)
		data[i] ^= 1 << (i % 8)
		require.Error(t, err, "byte %d of %d", i, len(data))
	}
	for n := range data {
		require.Error(t, check(data[:n]))
	}
}

func TestAPanicIsAnError(t *testing.T) {
	require.EqualError(t, Guard(func() error { panic("defect") }), "badger: defect")
	require.NoError(t, Guard(func() error { return nil }))
}
