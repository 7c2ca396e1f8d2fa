package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/store/badgerstore"
)

func TestSizesForPeople(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1000: "1.0 kB", 1_500_000: "1.5 MB", 2_000_000_000_000: "2.0 TB", 5e15: "5000.0 TB",
	} {
		assert.Equal(t, want, sizeText(n))
	}
}

// newBackup is the backup of an empty store.
func newBackup(t *testing.T) []byte {
	t.Helper()
	s, err := badgerstore.Open(t.Context(), badgerstore.Options{Directory: t.TempDir()})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	var out bytes.Buffer
	require.NoError(t, s.Backup(t.Context(), &out, nil))
	return out.Bytes()
}

func TestABackupThatCannotBeWrittenIsNoBackup(t *testing.T) {
	t.Parallel()
	tr := &transfer{in: bytes.NewReader(newBackup(t)), out: fullDisk{}, show: &progress{now: time.Now}}
	_, err := badgerstore.Verify(t.Context(), tr, nil)
	require.Error(t, err)
	err = (&connection{}).transferFailure(t.Context(), t.Context(), tr, err)
	assert.EqualError(t, err, "back up: write: no space left on device")
}

func TestADraftReplacesNoFileThatCameUpMeanwhile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.backup")
	for force, want := range map[bool]string{false: "another's", true: "mine"} {
		require.NoError(t, checkReplaceable(path, force))
		d, err := createDraft(path)
		require.NoError(t, err)
		_, err = d.WriteString("mine")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, []byte("another's"), 0o600))
		err = d.publish(force)
		if force {
			require.NoError(t, err)
		} else {
			require.EqualError(t, err, "write "+path+": it exists already")
		}
		d.discard()
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, want, string(content))
		left, err := os.ReadDir(filepath.Dir(path))
		require.NoError(t, err)
		assert.Len(t, left, 1, "the draft is gone")
		require.NoError(t, os.Remove(path))
	}
}

func TestNoProgressOffTheTerminal(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	g := (&program{stderr: &stderr, now: time.Now, getenv: func(string) string { return "" }}).newProgress("backing up")
	g.setBytes(1)
	g.clear()
	assert.Empty(t, stderr.String())
}
