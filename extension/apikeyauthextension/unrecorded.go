package apikeyauthextension

import (
	"sync"
	"time"
)

// unrecorded counts the requests whose end comes by their context. The zero value
// is ready. Safe for concurrent use.
type unrecorded struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed when n is zero; nil: nobody waits
}

func (u *unrecorded) add() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.n++
}

func (u *unrecorded) done() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.n--
	if u.n == 0 && u.none != nil {
		close(u.none)
		u.none = nil
	}
}

// wait waits until there are none, for a time. One caller at a time may wait.
func (u *unrecorded) wait(longest time.Duration) {
	u.mu.Lock()
	if u.n == 0 {
		u.mu.Unlock()
		return
	}
	none := make(chan struct{})
	u.none = none
	u.mu.Unlock()
	select {
	case <-none:
	case <-time.After(longest):
	}
}
