package apikeyauthextension

import (
	"sync/atomic"
	"time"
)

// steadyClock is the system's clock, but for its going back: then time goes on
// as it would have. Where the system's is set ahead, or the machine has slept,
// it follows: kept counts, their ends and the fields of answers are all in one
// time. Safe for concurrent use.
type steadyClock struct {
	start time.Time
	ahead atomic.Int64 // of the time that has passed since start
}

func newSteadyClock() *steadyClock { return &steadyClock{start: time.Now()} }

func (c *steadyClock) now() time.Time {
	now := time.Now()
	return c.at(now.Sub(c.start), now.Round(0).Sub(c.start.Round(0))) // Round takes the monotonic reading off
}

// at returns the time when that much has passed, and by the system's clock seems
// to have.
func (c *steadyClock) at(passed, seemingly time.Duration) time.Time {
	jump, known := int64(seemingly-passed), c.ahead.Load()
	for jump > known && !c.ahead.CompareAndSwap(known, jump) {
		known = c.ahead.Load()
	}
	return c.start.Add(passed + time.Duration(max(jump, known)))
}
