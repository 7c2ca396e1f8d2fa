package identity

import (
	"context"
	"net/netip"
	"time"
)

// Arrival is where and when a request came to its gate.
type Arrival struct {
	At time.Time
	// Address is that of the client behind any trusted proxies; invalid where
	// unknown.
	Address netip.Addr
}

// Result is what the pipelines did with a request, for whoever keeps account of
// it. Items are spans, data points, log records and samples, as limits count
// them.
type Result struct {
	Items        int64 // passed on
	RefusedItems int64
	Bytes        int64 // of the items passed on, where a pipeline measured them
	Failed       bool  // a consumer behind the processor returned an error
	Refusal      *Refusal
	// Signal is what the request sent, unknown where that was nothing or several.
	Signal Signal
}

// passing is what one pipeline has passed on of a signal.
type passing struct {
	pipeline     any
	signal       Signal
	items, bytes int64
}

// Pass notes what a pipeline is about to pass on. What a pipeline sends adds up,
// and of several pipelines the one that sends most counts: they are fed with the
// same. The pipeline is compared and must be comparable.
func (a *Admission) Pass(pipeline any, signal Signal, items, bytes int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.passings == nil {
		a.passings = a.few[:0]
	}
	for i := range a.passings {
		if p := &a.passings[i]; p.pipeline == pipeline && p.signal == signal {
			p.items += items
			p.bytes += bytes
			return
		}
	}
	a.passings = append(a.passings, passing{pipeline, signal, items, bytes})
}

// Drop notes that a pipeline refused items of a signal. Where a request feeds
// several pipelines each refuses the same, so the largest count stands.
func (a *Admission) Drop(signal Signal, items int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dropped[signal] = max(a.dropped[signal], items)
}

// Fail notes that a consumer behind the processor returned an error.
func (a *Admission) Fail() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failed = true
}

// Result returns what was noted.
func (a *Admission) Result() Result {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := Result{Failed: a.failed, Refusal: a.refusal}
	var most [signalCount]passing
	for _, p := range a.passings {
		m := &most[p.signal]
		m.items, m.bytes = max(m.items, p.items), max(m.bytes, p.bytes)
	}
	signals := 0
	for signal := range signalCount {
		r.Items += most[signal].items
		r.Bytes += most[signal].bytes
		r.RefusedItems += a.dropped[signal]
		if most[signal].items+a.dropped[signal] > 0 {
			signals++
			r.Signal = signal
		}
	}
	if signals > 1 {
		r.Signal = SignalUnknown
	}
	return r
}

// EndWith is for a door that may not see the end of a request, which its context
// does: end is called then, in a goroutine of its own, unless the request is
// claimed before.
func (a *Admission) EndWith(ctx context.Context, end func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unwatch = context.AfterFunc(ctx, end)
}

// Claim is for a door that sees the end of the request. It reports whether it
// took that over from one that called EndWith.
func (a *Admission) Claim() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.unwatch != nil && a.unwatch()
}
