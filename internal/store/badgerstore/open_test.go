package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

func TestDirectoryIsPrivate(t *testing.T) {
	parent := newDirectory(t)
	directory := filepath.Join(parent, "deep")
	openIn(t, directory)
	for _, path := range []string{parent, directory} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o700), info.Mode().Perm(), path)
	}
}

func TestReadableDirectoryIsWarnedAbout(t *testing.T) {
	directory := newDirectory(t)
	require.NoError(t, os.Mkdir(directory, 0o700))
	require.NoError(t, os.Chmod(directory, 0o750))
	core, logs := observer.New(zap.WarnLevel)
	s, err := Open(t.Context(), Options{Directory: directory, Logger: zap.New(core)})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.Equal(t, 1, logs.FilterMessageSnippet("chmod 700").Len())
	info, err := os.Stat(directory)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o750), info.Mode().Perm(), "it is not ours to change")
}

func TestBadDirectory(t *testing.T) {
	_, err := Open(t.Context(), Options{})
	require.ErrorContains(t, err, "storage.directory is empty")
	file := newDirectory(t)
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = Open(t.Context(), Options{Directory: file})
	require.ErrorContains(t, err, "is a file")
}

func TestDirectoryInUse(t *testing.T) {
	directory := newDirectory(t)
	s := openIn(t, directory)
	_, err := Open(t.Context(), Options{Directory: directory})
	require.ErrorIs(t, err, ErrInUse)
	require.ErrorContains(t, err, fmt.Sprintf("%q is held by process %d", directory, os.Getpid()))
	code, output := child(t, "open", directory)
	require.Equal(t, exitRefused, code)
	require.Contains(t, output, fmt.Sprintf("held by process %d: stop that", os.Getpid()))
	create(t, s, 1) // the holder is not harmed
	require.NoError(t, s.Close())
	require.NoFileExists(t, filepath.Join(directory, lockFile))
	openIn(t, directory)
}

func TestStaleLockFileIsNoLock(t *testing.T) {
	directory := newDirectory(t)
	require.NoError(t, openIn(t, directory).Close())
	require.NoError(t, os.WriteFile(filepath.Join(directory, lockFile), []byte("1\n"), 0o600))
	openIn(t, directory)
}

func TestFailedOpenReleasesTheDirectory(t *testing.T) {
	directory := newDirectory(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := openIn(t, directory)
	create(t, s, 1)
	require.NoError(t, s.Close())
	cancel()
	_, err := Open(ctx, Options{Directory: directory})
	require.ErrorIs(t, err, context.Canceled)
	openIn(t, directory)
}

func TestPing(t *testing.T) {
	s := openIn(t, newDirectory(t))
	require.NoError(t, s.Ping(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Ping(ctx), context.Canceled)
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Ping(t.Context()), store.ErrClosed)
}

// TestUnknownCommitStopsWrites makes a commit fail: nothing may be built on it.
func TestUnknownCommitStopsWrites(t *testing.T) {
	s, err := Open(t.Context(), Options{Directory: newDirectory(t)})
	require.NoError(t, err)
	create(t, s, 1)
	require.NoError(t, s.closeBadger())
	err = s.write(t.Context(), func(c *change) error { c.list([]byte("x")); return nil })
	require.ErrorContains(t, err, "commit:")
	_, err = s.CreateKey(t.Context(), storetest.Key(2), storetest.Audit("", ""))
	require.ErrorContains(t, err, "ended unknown: restart")
	require.NoError(t, s.Close())
}

func TestFullDiskIsRefusedBeforeItHarms(t *testing.T) {
	s := openIn(t, newDirectory(t))
	want := create(t, s, 1)
	s.free = func(string) (uint64, error) { return minFreeSpace - 1, nil }
	_, err := s.CreateKey(t.Context(), storetest.Key(2), storetest.Audit("", ""))
	require.ErrorIs(t, err, ErrNoSpace)
	require.ErrorContains(t, err, "63 MiB are free")
	require.ErrorIs(t, s.Ping(t.Context()), ErrNoSpace)
	read, err := s.Key(t.Context(), want.ID)
	require.NoError(t, err, "reads go on")
	require.Equal(t, want, read)
	s.free = badgerdb.FreeSpace
	create(t, s, 2)
}

// TestWhatTheSystemRefusesIsNoDamage: the remedy is not to restore a backup.
func TestWhatTheSystemRefusesIsNoDamage(t *testing.T) {
	err := damaged("data", errors.New("while opening table: "+(&os.PathError{Op: "open", Path: "x.sst", Err: syscall.EMFILE}).Error()))
	require.NotErrorIs(t, err, ErrDamaged)
	require.ErrorContains(t, err, "too many open files")
}
