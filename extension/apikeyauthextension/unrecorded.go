package apikeyauthextension

import (
	"sync/atomic"
	"time"
)

// unrecordedGrace is how long a shutdown waits for requests whose end comes by
// their context.
const unrecordedGrace = 250 * time.Millisecond

// unrecorded counts the requests whose end comes by their context. All requests
// share it, so it takes no lock. The zero value is ready. Safe for concurrent use.
type unrecorded struct {
	n    atomic.Int64
	none atomic.Pointer[chan struct{}] // told when n comes to zero; nil: nobody waits
}

func (u *unrecorded) add() { u.n.Add(1) }

func (u *unrecorded) done() {
	if u.n.Add(-1) > 0 {
		return
	}
	if none := u.none.Load(); none != nil {
		select {
		case *none <- struct{}{}:
		default:
		}
	}
}

// wait waits until there are none, for a time. One caller at a time may wait.
func (u *unrecorded) wait(longest time.Duration) {
	none := make(chan struct{}, 1)
	u.none.Store(&none)
	if u.n.Load() == 0 { // after the store: a done since then has told none
		return
	}
	select {
	case <-none:
	case <-time.After(longest):
	}
}
