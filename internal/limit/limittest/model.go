package limittest

import (
	"time"

	"github.com/otlpgate/otlpgate/internal/limit"
)

// slack is for how much longer than its window something may count, as a part
// of the window: 98 % of the limit must be admitted under saturation.
const slack = 50

// ledger is the judge of a counter: a list of all that was admitted to a key,
// with the times. It knows nothing of how counters count.
type ledger struct {
	entries []*entry
	newest  time.Time // the furthest that the clock was ever read
}

// entry is a cost that was admitted.
type entry struct {
	cost     limit.Cost
	limits   []limit.Limit // those that it fell under
	at       time.Time     // what the clock read
	newest   time.Time     // the furthest that it had been read by then
	furthest time.Time     // the furthest that it has been read since
	refunded bool
}

// reads notes a reading of the clock. Each must be noted before it is used.
func (l *ledger) reads(now time.Time) {
	l.newest = later(l.newest, now)
	for _, e := range l.entries {
		e.furthest = later(e.furthest, now)
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// admitted notes that a cost was admitted under some limits.
func (l *ledger) admitted(now time.Time, limits []limit.Limit, cost limit.Cost) *entry {
	e := &entry{cost: cost, limits: limits, at: now, newest: l.newest, furthest: now}
	l.entries = append(l.entries, e)
	return e
}

// least returns what must count on the limit now: all since the first cost since
// which no more than the window has passed. That is so while the clock was never
// read further ahead than that, also where it went back meanwhile.
func (l *ledger) least(on limit.Limit) int64 {
	sum, within := int64(0), false
	for _, e := range l.entries {
		n := e.on(on)
		within = within || n > 0 && e.furthest.Sub(e.at) <= time.Duration(on.Window)
		if within {
			sum += n
		}
	}
	return sum
}

// most returns what may count on the limit at most at a reading of the clock.
// Where the clock had been ahead, a cost may count as if spent at the newest
// time that was ever read.
func (l *ledger) most(now time.Time, on limit.Limit) int64 {
	longest := time.Duration(on.Window) + time.Duration(on.Window)/slack
	sum := int64(0)
	for _, e := range l.entries {
		if now.Sub(e.newest) <= longest {
			sum += e.on(on)
		}
	}
	return sum
}

// on returns what was charged to a limit, whatever its max was, and not given
// back.
func (e *entry) on(l limit.Limit) int64 {
	if e.refunded {
		return 0
	}
	for _, under := range e.limits {
		if under.Max = l.Max; under == l {
			return costOn(e.cost, l)
		}
	}
	return 0
}

// costOn returns what a cost is on a limit.
func costOn(c limit.Cost, on limit.Limit) int64 {
	if on.On == limit.Ingest {
		return c.Ingest[on.Unit]
	}
	if on.On == c.On {
		return c.Own[on.Unit]
	}
	return 0
}
