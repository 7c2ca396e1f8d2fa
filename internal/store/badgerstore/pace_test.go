package badgerstore

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A rest is not interrupted, and whoever closes the store waits for it.
func TestTheRestAfterAStallIsShort(t *testing.T) {
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
