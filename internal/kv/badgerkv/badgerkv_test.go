package badgerkv

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otlpgate/otlpgate/internal/kv"
	"github.com/otlpgate/otlpgate/internal/kv/kvtest"
)

// childDirectory makes this test binary a process that writes there until it is
// killed.
const childDirectory = "OTLPGATE_TEST_DIRECTORY"

func TestMain(m *testing.M) {
	if directory := os.Getenv(childDirectory); directory != "" {
		writeForEver(directory)
	}
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

func open(t testing.TB, directory string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Directory: directory})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestBadger(t *testing.T) {
	kvtest.Run(t, func(t *testing.T) kv.Store { return open(t, filepath.Join(t.TempDir(), "insight")) })
}

func entry(n int, value string) kv.Entry {
	return kv.Entry{Key: fmt.Appendf(nil, "k%08d", n), Value: []byte(value)}
}

// writeForEver writes, syncing nothing, and says what is written.
func writeForEver(directory string) {
	s, err := Open(context.Background(), Options{Directory: directory})
	if err != nil {
		panic(err)
	}
	for n := 0; ; n++ {
		if _, err := s.Write(context.Background(), [][]kv.Entry{{entry(n, strings.Repeat("v", 200)), {Key: []byte("newest"), Value: fmt.Appendf(nil, "%d", n)}}}); err != nil {
			panic(err)
		}
		fmt.Println(n)
	}
}

func TestWhatWasAcknowledgedSurvivesAKill(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "insight")
	for round := range 3 {
		c := exec.CommandContext(t.Context(), os.Args[0])
		c.Env = append(os.Environ(), childDirectory+"="+directory)
		c.Stderr = os.Stderr
		out, err := c.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, c.Start())
		acknowledged, target := -1, 20_000*(round+1)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			_, err := fmt.Sscan(lines.Text(), &acknowledged)
			require.NoError(t, err)
			if acknowledged == target {
				require.NoError(t, c.Process.Kill())
			}
		}
		_ = c.Wait() // it was killed
		require.GreaterOrEqual(t, acknowledged, target)
		s, err := Open(t.Context(), Options{Directory: directory})
		require.NoError(t, err)
		for n := range acknowledged + 1 {
			value, err := s.Get(t.Context(), entry(n, "").Key)
			require.NoError(t, err, n)
			require.Len(t, value, 200)
		}
		require.NoError(t, s.Close())
	}
	_, err := os.Stat(directory + asideSuffix)
	assert.ErrorIs(t, err, os.ErrNotExist, "nothing was put aside")
}

func TestADamagedDirectoryIsPutAsideAndANewOneBegun(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "insight")
	for round := range 2 {
		s, err := Open(t.Context(), Options{Directory: directory})
		require.NoError(t, err)
		_, err = s.Write(t.Context(), [][]kv.Entry{{entry(round, "v")}})
		require.NoError(t, err)
		require.NoError(t, s.Close())
		require.NoError(t, os.WriteFile(filepath.Join(directory, "MANIFEST"), []byte("garbage"), 0o600))
		core, log := observer.New(zap.ErrorLevel)
		s, err = Open(t.Context(), Options{Directory: directory, Logger: zap.New(core)})
		require.NoError(t, err)
		_, err = s.Get(t.Context(), entry(round, "").Key)
		require.ErrorIs(t, err, kv.ErrNotFound)
		require.NoError(t, s.Close())
		require.NotZero(t, log.Len())
		assert.Contains(t, log.All()[log.Len()-1].Message, "damaged")
		_, err = os.Stat(filepath.Join(directory+asideSuffix, "MANIFEST"))
		require.NoError(t, err)
	}
}

func TestADirectoryInUseIsRefusedAndStaysAsItIs(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "insight")
	open(t, directory)
	_, err := Open(t.Context(), Options{Directory: directory})
	require.ErrorContains(t, err, "lock")
	_, err = os.Stat(directory + asideSuffix)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestDamagedValuesAreNoValues(t *testing.T) {
	core, log := observer.New(zap.ErrorLevel)
	s, err := Open(t.Context(), Options{Directory: t.TempDir(), Logger: zap.New(core)})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	for n := range 10 {
		_, err := s.Write(t.Context(), [][]kv.Entry{{entry(n, "v")}})
		require.NoError(t, err)
	}
	require.NoError(t, s.db.Update(func(txn *badger.Txn) error {
		return txn.Set(entry(3, "").Key, seal(entry(4, "").Key, []byte("v"))) // of another key
	}))
	require.NoError(t, s.db.Update(func(txn *badger.Txn) error { return txn.Set(entry(5, "").Key, []byte("v")) }))
	_, err = s.Get(t.Context(), entry(3, "").Key)
	require.ErrorIs(t, err, kv.ErrDamaged)
	found := 0
	require.NoError(t, s.Walk(t.Context(), kv.Range{}, func([]byte, []byte) (bool, error) { found++; return true, nil }))
	assert.Equal(t, 8, found)
	require.Equal(t, 1, log.Len())
	assert.EqualValues(t, 2, log.All()[0].ContextMap()["entries"])
}

func TestNothingIsWrittenWhereTheKeysNeedTheSpace(t *testing.T) {
	s := open(t, t.TempDir())
	s.free = func(string) (uint64, error) { return DefaultMinFree - 1, nil }
	n, err := s.Write(t.Context(), [][]kv.Entry{{entry(1, "v")}})
	require.ErrorIs(t, err, errNoSpace)
	assert.Zero(t, n)
	assert.ErrorContains(t, err, "255 MiB are free")
	s.free = func(string) (uint64, error) { return DefaultMinFree, nil }
	_, err = s.Write(t.Context(), [][]kv.Entry{{entry(1, "v")}})
	assert.NoError(t, err)
}

func TestCloseEndsAWalk(t *testing.T) {
	s := open(t, t.TempDir())
	groups := make([][]kv.Entry, 10*interruptEvery)
	for i := range groups {
		groups[i] = []kv.Entry{entry(i, "v")}
	}
	_, err := s.Write(t.Context(), groups)
	require.NoError(t, err)
	closed := make(chan error, 1)
	started := false
	err = s.Walk(t.Context(), kv.Range{}, func([]byte, []byte) (bool, error) {
		if !started {
			started = true
			go func() { closed <- s.Close() }()
			require.Eventually(t, s.closing.Load, 10*time.Second, time.Millisecond)
		}
		return true, nil
	})
	require.ErrorIs(t, err, kv.ErrClosed)
	require.NoError(t, <-closed)
}

func TestPruneDeletesWhatHasExpiredAndNothingElse(t *testing.T) {
	s := open(t, t.TempDir())
	soon := time.Now().Add(time.Second)
	groups := make([][]kv.Entry, 3000)
	for i := range groups {
		e := entry(i, "v")
		if i%3 == 0 {
			e.ExpiresAt = soon
		}
		groups[i] = []kv.Entry{e}
	}
	_, err := s.Write(t.Context(), groups)
	require.NoError(t, err)
	require.Eventually(t, func() bool { _, err := s.Get(t.Context(), entry(0, "").Key); return err != nil }, 10*time.Second, 10*time.Millisecond)
	again := entry(3, "again")
	_, err = s.Write(t.Context(), [][]kv.Entry{{again}})
	require.NoError(t, err)
	require.NoError(t, s.Prune(t.Context()))
	deleted, live := 0, 0
	require.NoError(t, s.db.View(func(txn *badger.Txn) error {
		o := badger.DefaultIteratorOptions
		o.AllVersions = true
		it := txn.NewIterator(o)
		defer it.Close()
		seen := map[string]bool{}
		for it.Rewind(); it.Valid(); it.Next() {
			item := it.Item()
			if seen[string(item.Key())] {
				continue
			}
			seen[string(item.Key())] = true
			switch {
			case item.IsDeletedOrExpired() && item.ExpiresAt() == 0:
				deleted++
			case !item.IsDeletedOrExpired():
				live++
			}
		}
		return nil
	}))
	assert.Equal(t, 999, deleted)
	assert.Equal(t, 2001, live)
	value, err := s.Get(t.Context(), again.Key)
	require.NoError(t, err)
	assert.Equal(t, "again", string(value))
	require.NoError(t, s.Prune(t.Context()), "what was deleted is left alone")
}

func TestAnEmptyStoreIsSmall(t *testing.T) {
	directory := t.TempDir()
	require.NoError(t, open(t, directory).Close())
	assert.Less(t, sizeOfDirectory(t, directory), int64(2<<20))
}

func sizeOfDirectory(t testing.TB, directory string) (size int64) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	require.NoError(t, err)
	for _, e := range entries {
		info, err := e.Info()
		if err == nil { // it may be gone
			size += info.Size()
		}
	}
	return size
}
