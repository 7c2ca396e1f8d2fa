package badgerdb

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAGentleWorkRestsFourTimesAsLongAsItWorks(t *testing.T) {
	const stint = 300 * time.Microsecond
	p := NewPace(stint)
	require.Zero(t, p.restFor(stint-1))
	require.Equal(t, 4*stint, p.restFor(stint))
	require.Equal(t, 6*stint, p.restFor(stint*3/2))
}

// A rest is not interrupted, and whoever closes the store waits for it.
func TestTheRestAfterAWaitIsShort(t *testing.T) {
	p := NewPace(300 * time.Microsecond)
	require.LessOrEqual(t, p.restFor(300*time.Millisecond), 5*time.Millisecond)
	require.LessOrEqual(t, p.restFor(time.Hour), 5*time.Millisecond)
}
