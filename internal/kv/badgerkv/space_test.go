package badgerkv

import (
	"crypto/rand"
	"encoding/binary"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/kv"
)

// The keys of an access log grow with time, so that new ones never meet the old
// ones in a table: without Prune their space would never be given back.
func TestTheSpaceOfWhatHasExpiredIsGivenBack(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 130 MB")
	}
	directory := t.TempDir()
	s := open(t, directory)
	const perRound, size, rounds = 400, 8 << 10, 40 // 3.2 MB each
	value := make([]byte, size)
	_, _ = rand.Read(value)
	largest := int64(0)
	for round := range rounds {
		groups := make([][]kv.Entry, perRound)
		for i := range groups {
			key := binary.BigEndian.AppendUint32([]byte("l"), uint32(round*perRound+i))
			groups[i] = []kv.Entry{{Key: key, Value: value, ExpiresAt: time.Now().Add(time.Second)}}
		}
		_, err := s.Write(t.Context(), groups)
		require.NoError(t, err)
		if round%10 == 9 { // all but the newest has expired
			time.Sleep(2 * time.Second) // Badger's clock cannot be set
			require.NoError(t, s.Prune(t.Context()))
			largest = max(largest, tables(t, directory))
			t.Logf("round %d: %d MiB", round, tables(t, directory)>>20)
		}
	}
	total := int64(perRound * size * rounds)
	t.Logf("%d MiB written, at most %d MiB kept", total>>20, largest>>20)
	assert.Less(t, largest, total/3)
}

// tables is the size of the files that hold what was written, as far as they are
// on disk.
func tables(t *testing.T, directory string) (size int64) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	require.NoError(t, err)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && len(e.Name()) > 4 && e.Name()[len(e.Name())-4:] == ".sst" {
			size += info.Size()
		}
	}
	return size
}
