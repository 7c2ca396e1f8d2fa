package badgerstore

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const damageKeys = 1200

// damages alters one file. Size is that of what the file holds, without the
// zeros that a log in use ends with.
var damages = map[string]func(t *testing.T, path string, size int64){
	"missing":  func(t *testing.T, path string, _ int64) { require.NoError(t, os.Remove(path)) },
	"empty":    func(t *testing.T, path string, _ int64) { require.NoError(t, os.Truncate(path, 0)) },
	"10 bytes": func(t *testing.T, path string, _ int64) { require.NoError(t, os.Truncate(path, 10)) },
	"half":     func(t *testing.T, path string, size int64) { require.NoError(t, os.Truncate(path, size/2)) },
	"tail cut": func(t *testing.T, path string, size int64) { require.NoError(t, os.Truncate(path, max(size-3, 0))) },
	"garbage":  func(t *testing.T, path string, size int64) { overwrite(t, path, 0, random(size)) },
	"zeros":    func(t *testing.T, path string, size int64) { overwrite(t, path, 0, make([]byte, size)) },
	"flip 25":  func(t *testing.T, path string, _ int64) { flip(t, path, 25) },
	"flip 1/3": func(t *testing.T, path string, size int64) { flip(t, path, size/3) },
	"flip end": func(t *testing.T, path string, size int64) { flip(t, path, size-1) },
}

// harmless reports whether nothing is lost with a file.
func harmless(name string) bool {
	return filepath.Ext(name) == valueLogSuffix || slices.Contains([]string{"DISCARD", "KEYREGISTRY", "LOCK", "WATERMARK"}, name)
}

func random(size int64) []byte {
	data := make([]byte, size)
	_, _ = rand.Read(data)
	return data
}

func overwrite(t *testing.T, path string, offset int64, data []byte) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = f.WriteAt(data, offset)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func flip(t *testing.T, path string, offset int64) {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	if offset >= 0 && offset < int64(len(data)) {
		overwrite(t, path, offset, []byte{data[offset] ^ 0x10})
	}
}

// contentSize is the size of a file without the zeros at its end.
func contentSize(t *testing.T, path string) int64 {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return int64(len(strings.TrimRight(string(data), "\x00")))
}

// killedDirectory returns a storage directory of damageKeys keys and more, whose
// process was killed, so that it has tables on several levels and logs in use.
func killedDirectory(t *testing.T) (directory string, keys int) {
	directory = newDirectory(t)
	require.NoError(t, os.Mkdir(directory, 0o700))
	fillRange(t, directory, 0, damageKeys/2)
	fillRange(t, directory, damageKeys/2, damageKeys)
	c := childProcess(t.Context(), "write", directory)
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	acknowledged := 0
	for lines := bufio.NewScanner(out); acknowledged < 40 && lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "c ") {
			acknowledged++
		}
	}
	require.NoError(t, c.Process.Kill())
	_ = c.Wait()
	require.Equal(t, 40, acknowledged)
	return directory, damageKeys + acknowledged
}

// copyDirectory copies files without the zeros at their ends, which it leaves
// to the file system.
func copyDirectory(t *testing.T, from string) string {
	to := newDirectory(t)
	require.NoError(t, os.Mkdir(to, 0o700))
	entries, err := os.ReadDir(from)
	require.NoError(t, err)
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(from, e.Name()))
		require.NoError(t, err)
		path := filepath.Join(to, e.Name())
		require.NoError(t, os.WriteFile(path, bytes.TrimRight(data, "\x00"), 0o600))
		require.NoError(t, os.Truncate(path, int64(len(data))))
	}
	return to
}

// TestDamagedDirectory damages each kind of file in each way. The store must
// refuse the directory and say what to do; or, where the file holds nothing,
// have every acknowledged key.
func TestDamagedDirectory(t *testing.T) {
	whole, keys := killedDirectory(t)
	for _, name := range victims(t, whole) {
		for how, damage := range damages {
			if harmless(name) && how != "missing" && how != "empty" && how != "garbage" {
				continue
			}
			t.Run(name+"/"+how, func(t *testing.T) {
				t.Parallel()
				directory := copyDirectory(t, whole)
				path := filepath.Join(directory, name)
				damage(t, path, contentSize(t, path))
				if harmless(name) {
					requireWhole(t, directory, keys)
					return
				}
				if filepath.Ext(name) == writeLogSuffix && (how == "tail cut" || how == "flip end") {
					requireNoLoss(t, directory, keys)
					return
				}
				requireRefused(t, directory)
				requireRefused(t, directory) // a restart must not make it seem well
			})
		}
	}
}

// victims are the files of a directory, the last of each kind of which there
// are several.
func victims(t *testing.T, directory string) []string {
	entries, err := os.ReadDir(directory)
	require.NoError(t, err)
	var names []string
	seen := map[string]bool{}
	for _, e := range slices.Backward(entries) {
		kind := filepath.Ext(e.Name())
		if testing.Short() && kind != ".sst" && kind != ".mem" {
			continue
		}
		if kind == "" || !seen[kind] {
			seen[kind] = true
			names = append(names, e.Name())
		}
	}
	return names
}

func requireRefused(t *testing.T, directory string) {
	t.Helper()
	code, output := child(t, "open", directory)
	require.Equal(t, exitRefused, code, output)
	require.NotContains(t, output, "goroutine ", "a Go trace is no answer")
	require.Contains(t, output, fmt.Sprintf("storage directory %q is damaged", directory))
	require.Contains(t, output, "gatectl restore")
}

func requireWhole(t *testing.T, directory string, keys int) {
	t.Helper()
	code, output := child(t, "open", directory)
	require.Zero(t, code, output)
	_, count, ok := strings.Cut(output, "keys: ")
	require.True(t, ok, output)
	n, err := strconv.Atoi(strings.TrimSpace(count))
	require.NoError(t, err)
	require.GreaterOrEqual(t, n, keys)
}

// requireNoLoss is for where the newest write is lost: it may have been one
// that was not acknowledged.
func requireNoLoss(t *testing.T, directory string, keys int) {
	t.Helper()
	if code, _ := child(t, "open", directory); code != 0 {
		requireRefused(t, directory)
		return
	}
	requireWhole(t, directory, keys)
}

// TestLostTableBehindNewerWrites cuts the tables off MANIFEST while the log
// still has the newest change, so that only the middle is missing.
func TestLostTableBehindNewerWrites(t *testing.T) {
	directory, _ := killedDirectory(t)
	require.NoError(t, os.Truncate(filepath.Join(directory, "MANIFEST"), 10))
	tables, err := filepath.Glob(filepath.Join(directory, "*.sst"))
	require.NoError(t, err)
	require.NotEmpty(t, tables)
	requireRefused(t, directory)
	for _, path := range tables {
		require.FileExists(t, path+asideSuffix, "what may yet be saved must not be deleted")
	}
}

// TestEmptiedDirectory removes all but the watermark: it must not start as new.
func TestEmptiedDirectory(t *testing.T) {
	directory, _ := killedDirectory(t)
	entries, err := os.ReadDir(directory)
	require.NoError(t, err)
	for _, e := range entries {
		if e.Name() != watermarkFile {
			require.NoError(t, os.Remove(filepath.Join(directory, e.Name())))
		}
	}
	requireRefused(t, directory)
}

// TestCrashLeftovers adds what a kill at a bad moment leaves: that is no damage.
func TestCrashLeftovers(t *testing.T) {
	directory, keys := killedDirectory(t)
	for name, data := range map[string][]byte{"000099.sst": random(5000), "000098.sst": nil, "00099.mem": nil, "000099.vlog": nil, "MANIFEST-REWRITE": random(9)} {
		require.NoError(t, os.WriteFile(filepath.Join(directory, name), data, 0o600))
	}
	requireWhole(t, directory, keys)
	left, err := filepath.Glob(filepath.Join(directory, "*"+asideSuffix))
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestDamageWhileOpen spoils the tables under a running store: reads must say
// so, and not that the key is unknown.
func TestDamageWhileOpen(t *testing.T) {
	directory := newDirectory(t)
	require.NoError(t, os.Mkdir(directory, 0o700))
	fillDirectory(t, directory, 2000)
	code, output := child(t, "spoil", directory)
	require.Zero(t, code, output)
	require.Equal(t, strings.Repeat("altered true false\n", 3)+strings.Repeat("truncated true false\n", 3), output)
}
