package badgerkv

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
	"github.com/otlpgate/otlpgate/internal/kv"
)

// damages are what may become of the content of a file; nil removes it.
var damages = map[string]func(content []byte) []byte{
	"missing": func([]byte) []byte { return nil },
	"empty":   func([]byte) []byte { return []byte{} },
	"garbage": func(c []byte) []byte { return bytes.Repeat([]byte("garbage!"), 1+len(c)/8) },
	"halved":  func(c []byte) []byte { return c[:len(c)/2] },
	"zeroed":  func(c []byte) []byte { return make([]byte, len(c)) },
	"a bit of the middle": func(c []byte) []byte {
		c = bytes.Clone(c)
		if used := len(bytes.TrimRight(c, "\x00")); used > 0 {
			c[used/2] ^= 16
		}
		return c
	},
	"a bit of the end": func(c []byte) []byte {
		c = bytes.Clone(c)
		if used := len(bytes.TrimRight(c, "\x00")); used > 0 {
			c[used-1] ^= 1
		}
		return c
	},
}

// A process that Badger ends from a goroutine of its own would end this test.
func TestNoDamageStopsAStart(t *testing.T) {
	killed := newDirectory(t)
	killWriter(t, killed, 40_000)
	whole := readFiles(t, killed)
	require.Contains(t, whole, openFile)
	for _, name := range victims(t, whole) {
		for how, damage := range damages {
			t.Run(name+" "+how, func(t *testing.T) {
				t.Parallel()
				directory := newDirectory(t)
				writeFiles(t, directory, whole)
				if content := damage(whole[name]); content == nil {
					require.NoError(t, os.Remove(filepath.Join(directory, name)))
				} else {
					require.NoError(t, os.WriteFile(filepath.Join(directory, name), content, 0o600))
				}
				requireUsable(t, directory)
			})
		}
	}
}

// requireUsable opens a damaged directory. It is put aside with an error in the log,
// or else it is whole, but for what was written last.
func requireUsable(t *testing.T, directory string) {
	t.Helper()
	core, log := observer.New(zap.ErrorLevel)
	s, err := Open(t.Context(), Options{Directory: directory, Logger: zap.New(core)})
	require.NoError(t, err)
	aside := log.FilterMessageSnippet("were damaged and begin anew")
	if _, err := os.Stat(directory + asideSuffix); err == nil {
		require.Equal(t, 1, aside.Len())
		assert.Equal(t, directory+asideSuffix, aside.All()[0].ContextMap()["put aside"])
		assert.Zero(t, count(t, s))
	} else {
		require.Zero(t, aside.Len())
	}
	write(t, s, entries(100, strings.Repeat("w", 5000))...)
	assert.GreaterOrEqual(t, count(t, s), 100)
	require.NoError(t, s.Close())
	require.NoError(t, open(t, directory).Close(), "and again")
}

// victims are the files of a directory, one of each kind of which there are several.
func victims(t *testing.T, files map[string][]byte) (names []string) {
	t.Helper()
	seen := map[string]bool{}
	for name := range files {
		kind := filepath.Ext(name)
		if kind == "" || !seen[kind] {
			names = append(names, name)
		}
		seen[kind] = true
	}
	for _, kind := range []string{".sst", ".mem"} {
		require.True(t, seen[kind], kind)
	}
	slices.Sort(names)
	return names
}

func readFiles(t *testing.T, directory string) map[string][]byte {
	t.Helper()
	found, err := os.ReadDir(directory)
	require.NoError(t, err)
	files := map[string][]byte{}
	for _, e := range found {
		files[e.Name()], err = os.ReadFile(filepath.Join(directory, e.Name()))
		require.NoError(t, err)
	}
	return files
}

// writeFiles leaves the zeros at the ends of files to the file system.
func writeFiles(t *testing.T, directory string, files map[string][]byte) {
	t.Helper()
	require.NoError(t, os.Mkdir(directory, 0o700))
	for name, content := range files {
		path := filepath.Join(directory, name)
		require.NoError(t, os.WriteFile(path, bytes.TrimRight(content, "\x00"), 0o600))
		require.NoError(t, os.Truncate(path, int64(len(content))))
	}
}

func TestADamagedDirectoryIsPutAsideInPlaceOfAnOlderOne(t *testing.T) {
	directory := newDirectory(t)
	for round := range 2 {
		s := open(t, directory)
		write(t, s, []kv.Entry{entry(round, "v")})
		require.NoError(t, s.Close())
		require.NoError(t, os.WriteFile(filepath.Join(directory, "MANIFEST"), []byte{byte(round)}, 0o600))
		s = open(t, directory)
		assert.Zero(t, count(t, s))
		require.NoError(t, s.Close())
		manifest, err := os.ReadFile(filepath.Join(directory+asideSuffix, "MANIFEST"))
		require.NoError(t, err)
		assert.Equal(t, []byte{byte(round)}, manifest)
	}
}

// A start that follows a Close reads no blocks; one that follows a crash, for which
// a bad block may have been the reason, reads them all.
func TestBlocksAreReadAfterACrash(t *testing.T) {
	directory := newDirectory(t)
	s := open(t, directory)
	write(t, s, entries(100, "v")...)
	require.NoError(t, s.Close())
	paths, err := filepath.Glob(filepath.Join(directory, tables))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	content, err := os.ReadFile(paths[0])
	require.NoError(t, err)
	content[50] ^= 1
	require.NoError(t, os.WriteFile(paths[0], content, 0o600))
	require.NoError(t, badgerdb.CheckTable(paths[0], false))
	require.Error(t, badgerdb.CheckTable(paths[0], true))
	require.NoError(t, open(t, directory).Close())
	require.NoDirExists(t, directory+asideSuffix)
	require.NoError(t, markOpen(directory))
	require.NoError(t, open(t, directory).Close())
	require.DirExists(t, directory+asideSuffix)
}

func TestDamagedValuesAreNoValues(t *testing.T) {
	core, log := observer.New(zap.ErrorLevel)
	s, err := Open(t.Context(), Options{Directory: newDirectory(t), Logger: zap.New(core)})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	write(t, s, entries(10, "v")...)
	require.NoError(t, s.db.Update(func(txn *badger.Txn) error {
		return txn.Set(entry(3, "").Key, seal(entry(4, "").Key, []byte("v"))) // of another key
	}))
	require.NoError(t, s.db.Update(func(txn *badger.Txn) error { return txn.Set(entry(5, "").Key, []byte("v")) }))
	for _, n := range []int{3, 5} {
		_, err = s.Get(t.Context(), entry(n, "").Key)
		require.ErrorIs(t, err, kv.ErrDamaged)
		require.NotErrorIs(t, err, kv.ErrNotFound)
	}
	assert.Equal(t, 8, count(t, s))
	require.Equal(t, 1, log.Len(), "once a walk")
	assert.EqualValues(t, 2, log.All()[0].ContextMap()["entries"])
}

// What becomes of the tables under an open store is an error of the reads that come
// upon it, be the memory that they are mapped to gone.
func TestDamageWhileOpenIsAnErrorAndNoCrash(t *testing.T) {
	directory := newDirectory(t)
	s := open(t, directory)
	write(t, s, entries(100, "v")...)
	require.NoError(t, s.Close())
	s, err := Open(t.Context(), Options{Directory: directory})
	require.NoError(t, err)
	paths, err := filepath.Glob(filepath.Join(directory, tables))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		require.NoError(t, os.Truncate(path, 0))
	}
	_, err = s.Get(t.Context(), entry(7, "").Key)
	require.Error(t, err)
	require.NotErrorIs(t, err, kv.ErrNotFound)
	require.Error(t, s.Walk(t.Context(), kv.Range{}, func([]byte, []byte) (bool, error) { return true, nil }))
	require.Error(t, s.Prune(t.Context()))
	_ = s.Close() // the files are beyond help
	require.NoError(t, open(t, directory).Close())
	require.DirExists(t, directory+asideSuffix)
}
