package badgerkv

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestADirectoryInUseIsRefusedAndStaysAsItIs(t *testing.T) {
	directory := newDirectory(t)
	s := open(t, directory)
	write(t, s, entries(1, "v")...)
	_, err := Open(t.Context(), Options{Directory: directory})
	require.ErrorIs(t, err, ErrInUse)
	assert.NoDirExists(t, directory+asideSuffix)
	assert.Equal(t, 1, count(t, s))
}

func TestWhatLiesWithTheSystemPutsNothingAside(t *testing.T) {
	directory := newDirectory(t)
	require.NoError(t, os.WriteFile(directory, nil, 0o600))
	_, err := Open(t.Context(), Options{Directory: directory})
	require.ErrorContains(t, err, directory)
	assert.FileExists(t, directory)

	directory = newDirectory(t)
	require.NoError(t, open(t, directory).Close())
	ended, end := context.WithCancel(t.Context())
	end()
	_, err = Open(ended, Options{Directory: directory})
	require.ErrorIs(t, err, context.Canceled)
	assert.NoDirExists(t, directory+asideSuffix)
	require.NoError(t, open(t, directory).Close(), "the lock must be given back")

	_, err = Open(t.Context(), Options{})
	require.ErrorContains(t, err, "must name one")
}

func TestTheDirectoryIsOfItsOwnerOnly(t *testing.T) {
	directory := newDirectory(t)
	open(t, directory)
	info, err := os.Stat(directory)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
}

func TestAnEmptyStoreIsSmall(t *testing.T) {
	directory := newDirectory(t)
	s := open(t, directory)
	assert.Less(t, filesSize(t, directory, "*"), int64(30<<20), "as long as it is open")
	require.NoError(t, s.Close())
	assert.Less(t, filesSize(t, directory, "*"), int64(2<<20))
}

// sizeOf returns the bytes of files as they show, be they full of holes.
func filesSize(tb testing.TB, directory, kind string) (size int64) {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join(directory, kind))
	require.NoError(tb, err)
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil { // it may be gone
			size += info.Size()
		}
	}
	return size
}
