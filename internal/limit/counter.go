package limit

import (
	"context"
	"time"
)

// Amounts says how much of each unit.
type Amounts [unitCount]int64

// Cost is what a request costs on the limits that it falls under: those on
// Ingest, and those on its own traffic.
type Cost struct {
	Ingest Amounts
	On     Traffic // its signal, or API; zero where unknown
	Own    Amounts
	// Slot asks for one of the requests that may be under way at once.
	Slot bool
}

// of returns the cost on one limit; zero means that it does not apply.
func (c *Cost) of(l *Limit) int64 {
	switch l.On {
	case Ingest:
		return c.Ingest[l.Unit]
	case c.On:
		return c.Own[l.Unit]
	default:
		return 0
	}
}

// Verdict is the outcome of a decision.
type Verdict uint8

const (
	// Unknown means that the counts of the key are not at hand: Prepare, then
	// ask again. Nothing was charged.
	Unknown Verdict = iota
	// Admitted means that all was charged.
	Admitted
	// OverLimit means that nothing was charged, and that it can pass later.
	OverLimit
	// TooLarge means that nothing was charged, and that it can never pass.
	TooLarge
)

// Decision is the answer to a request to spend.
type Decision struct {
	Verdict Verdict
	// Limit is the one that stands in the way; of several, the one that does
	// so the longest. Zero where it is the concurrency.
	Limit Limit
	// Cost is what the request would have cost on Limit.
	Cost int64
	// Concurrency is the bound that stands in the way, zero where it is a
	// limit.
	Concurrency int
	// RetryAfter is after how long a request of the same cost is admitted if
	// nothing else is spent meanwhile. Zero unless OverLimit.
	RetryAfter time.Duration
}

// Quota is the state of one limit of a key.
type Quota struct {
	Limit
	// Used is what counts against Max now. It may be over Max after Max was
	// lowered.
	Used int64
	// ResetAt is when nothing counts any more if nothing else is spent; the
	// time of the question where nothing does already.
	ResetAt time.Time
}

// Remaining is what can be spent at once.
func (q Quota) Remaining() int64 { return max(q.Max-q.Used, 0) }

// State is the state of all limits of a key.
type State struct {
	Quotas []Quota // in the order of Policy.Limits
	// UnderWay is how many requests hold a slot; zero where Concurrency is.
	UnderWay    int
	Concurrency int
}

// Counter counts what keys spend.
//
// Implementations MUST be safe for concurrent use; MUST charge all of a cost
// or nothing; MUST never admit more than Max in any interval as long as the
// window, at any concurrency, and whatever the clock does between calls; under
// saturation MUST admit at least 98 % of it; MUST count by on, unit and window,
// so that a changed Max applies at once to what was spent before; and MUST
// forget keys whose windows are empty. Now is the time of the call; time that
// goes back stands still.
type Counter interface {
	// Admit charges a cost to the key and notes it in the receipt, or does
	// neither. It decides from memory and MUST NOT block.
	Admit(now time.Time, key string, p *Policy, c *Cost, r *Receipt) Decision
	// Prepare brings the key's counts to hand after Unknown.
	Prepare(ctx context.Context, now time.Time, key string) error
	// Refund gives back what the receipt notes and is still in a window, and
	// empties the receipt. The slot is not part of it.
	Refund(now time.Time, key string, r *Receipt)
	// Release gives a slot back. It MUST be called once for each one admitted
	// under a policy that bounds concurrency, and only then.
	Release(now time.Time, key string)
	// State returns the key's state. It may ask the keeper of the counts.
	State(ctx context.Context, now time.Time, key string, p *Policy) (State, error)
	// StateAtHand is State of what is in memory; it MUST NOT block. Buffer is
	// reused where it is large enough.
	StateAtHand(now time.Time, key string, p *Policy, buffer []Quota) State
}

// windowID names a window of a key. It is what counts are kept by.
type windowID struct {
	on     Traffic
	unit   Unit
	length Window
}

func (l *Limit) id() windowID { return windowID{l.On, l.Unit, l.Window} }

// Receipt notes what was charged where, so that it can be given back. The zero
// value notes nothing. Not safe for concurrent use.
type Receipt struct {
	few  [4]charge // most requests have no more
	n    int
	more []charge
}

type charge struct {
	window windowID
	bucket int64
	cost   int64
}

func (r *Receipt) note(c charge) {
	if r.n < len(r.few) {
		r.few[r.n] = c
		r.n++
		return
	}
	r.more = append(r.more, c)
}

func (r *Receipt) each(do func(charge)) {
	for _, c := range r.few[:r.n] {
		do(c)
	}
	for _, c := range r.more {
		do(c)
	}
}

// Forget empties the receipt: what it notes is spent for good.
func (r *Receipt) Forget() { r.n, r.more = 0, r.more[:0] }
