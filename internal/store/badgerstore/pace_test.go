package badgerstore

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAGentleScanRestsFourTimesAsLongAsItWorks(t *testing.T) {
	require.Zero(t, restFor(stint-1))
	require.Equal(t, 4*stint, restFor(stint))
	require.Equal(t, 6*stint, restFor(stint*3/2))
}

// A rest is not interrupted, and whoever closes the store waits for it.
func TestTheRestAfterAStallIsShort(t *testing.T) {
	require.LessOrEqual(t, restFor(300*time.Millisecond), 5*time.Millisecond)
	require.LessOrEqual(t, restFor(time.Hour), 5*time.Millisecond)

	directory := newDirectory(t)
	fillDirectory(t, directory, interruptEvery)
	s := openIn(t, directory)
	const stall = 300 * time.Millisecond
	var stalled time.Time
	require.NoError(t, s.view(t.Context(), func(v *snapshot) error {
		seen := 0
		return v.walk(t.Context(), scan{prefix: []byte{keyFamily}, gentle: true}, func([]byte, []byte) (bool, error) {
			if seen++; seen == interruptEvery {
				time.Sleep(stall)
				stalled = time.Now()
			}
			return true, nil
		})
	}))
	require.Less(t, time.Since(stalled), stall, "it rested for 1.2 s once")
}
