package kvtest

import (
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// SizeOf returns how many bytes the files of a directory have.
func SizeOf(tb testing.TB, directory string) (size int64) {
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
