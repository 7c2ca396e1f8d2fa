package e2e

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTwoCollectorsCannotShareAStorageDirectory(t *testing.T) {
	t.Parallel()
	first := start(t, options{})
	second := launch(t, options{storage: first.storage, vault: first.vault})
	assert.NotZero(t, second.wait(t))
	for _, part := range []string{"storage::directory", first.storage, "process " + strconv.Itoa(first.cmd.Process.Pid), "stop that"} {
		assert.Contains(t, second.output.String(), part)
	}
	assert.Equal(t, 200, sendProtobuf(t, first, traces, traces.request(), first.create(t).bearer()).http, "the first is not harmed")
}

func TestADamagedStorageDirectoryStopsTheStartAndTellsTheRemedy(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, storage string){
		"a flipped byte in a table":    flipByte("*.sst"),
		"a flipped byte in MANIFEST":   flipByte("MANIFEST"),
		"the end of MANIFEST cut off":  func(t *testing.T, s string) { t.Helper(); truncate(t, filepath.Join(s, "MANIFEST"), 3) },
		"a table that is gone":         remove("*.sst"),
		"a MANIFEST that is gone":      remove("MANIFEST"),
		"a table of half its length":   func(t *testing.T, s string) { t.Helper(); truncate(t, one(t, s, "*.sst"), -1) },
		"a table filled with nothing":  func(t *testing.T, s string) { t.Helper(); zero(t, one(t, s, "*.sst")) },
		"tables and MANIFEST are gone": func(t *testing.T, s string) { t.Helper(); remove("*.sst")(t, s); remove("MANIFEST")(t, s) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, options{})
			for range 5 {
				c.create(t)
			}
			c.stop(t)
			damage(t, c.storage)
			left := tables(t, c.storage, "*.sst")
			for range 2 { // a second try must not do what the first would not
				again := launch(t, options{storage: c.storage, vault: c.vault})
				assert.NotZero(t, again.wait(t))
				for _, part := range []string{"storage::directory", c.storage, "is damaged", "restore"} {
					assert.Contains(t, again.output.String(), part)
				}
			}
			assert.Subset(t, tables(t, c.storage, "*"), left, "what is left is kept, if under another name")
		})
	}
}

func one(t *testing.T, directory, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(directory, pattern))
	require.NoError(t, err)
	require.NotEmpty(t, found, pattern)
	return found[0]
}

func flipByte(pattern string) func(*testing.T, string) {
	return func(t *testing.T, directory string) {
		t.Helper()
		path := one(t, directory, pattern)
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		content[len(content)/2] ^= 0x40
		require.NoError(t, os.WriteFile(path, content, 0o600))
	}
}

func remove(pattern string) func(*testing.T, string) {
	return func(t *testing.T, directory string) {
		t.Helper()
		require.NoError(t, os.Remove(one(t, directory, pattern)))
	}
}

// truncate cuts bytes off the end; -1 cuts half of the file.
func truncate(t *testing.T, path string, bytes int64) {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	if bytes < 0 {
		bytes = info.Size() / 2
	}
	require.NoError(t, os.Truncate(path, info.Size()-bytes))
}

func zero(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, make([]byte, info.Size()), 0o600))
}

// tables are the digests of the files with such names.
func tables(t *testing.T, directory, pattern string) (digests []string) {
	t.Helper()
	eachFile(t, directory, func(path string, content []byte) {
		if ok, err := filepath.Match(pattern, filepath.Base(path)); ok {
			require.NoError(t, err)
			digests = append(digests, fmt.Sprintf("%x", sha256.Sum256(content)))
		}
	})
	return digests
}
