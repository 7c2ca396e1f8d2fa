package limit

import (
	"context"
	"sync"
	"time"
)

// Tab is what one request has been charged. Doors enter it and close it; the
// pipelines that the request feeds spend on it. However many of them there are
// it charges the request once, its telemetry once, and gives back all of it if
// one of them fails. Nil, and there is none for keys without limits, admits
// everything. Safe for concurrent use.
type Tab struct {
	counter Counter
	clock   func() time.Time
	key     string
	policy  *Policy

	mu       sync.Mutex // guards the rest
	receipt  Receipt
	entered  bool // the request is charged on all traffic
	slot     bool // one is held
	holds    int  // who is at work on the request
	closed   bool
	failed   bool
	stop     func() bool          // ends what CloseAfter began
	requests [trafficCount]bool   // where the request is charged on its own traffic
	charged  [trafficCount]volume // the telemetry charged
	sent     []sending
	few      [2]sending // for sent to start with
}

// volume is an amount of telemetry.
type volume struct{ items, bytes int64 }

// sending is what one pipeline has sent.
type sending struct {
	pipeline any
	on       Traffic
	volume   volume
}

// NewTab opens the tab of a request with that key. The clock must not go back.
func NewTab(c Counter, clock func() time.Time, key string, p *Policy) *Tab {
	if p == nil {
		return nil
	}
	t := &Tab{counter: c, clock: clock, key: key, policy: p}
	t.sent = t.few[:0]
	return t
}

// EnterAtHand is Enter for callers that must not block; the verdict may be
// Unknown.
func (t *Tab) EnterAtHand(on Traffic) Decision {
	if t == nil {
		return Decision{Verdict: Admitted}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.enter(on, true)
}

// Enter charges the request on its traffic, zero where that is not known yet,
// and takes a slot. Both happen once: whoever comes later is told what was
// decided, and charges at most what the first did not know. An error means that
// nothing could be decided.
func (t *Tab) Enter(ctx context.Context, on Traffic) (Decision, error) {
	if t == nil {
		return Decision{Verdict: Admitted}, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.prepared(ctx, func() Decision { return t.enter(on, true) })
}

// Charge is Enter without the slot, for a door that cannot tell when the request
// ends.
func (t *Tab) Charge(ctx context.Context, on Traffic) (Decision, error) {
	if t == nil {
		return Decision{Verdict: Admitted}, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.prepared(ctx, func() Decision { return t.enter(on, false) })
}

// Spend charges the telemetry that a pipeline is about to pass on. What a
// pipeline sends adds up, and of several pipelines the one that sends most
// counts: they are fed with the same. It charges the request too, where no door
// has done so.
func (t *Tab) Spend(ctx context.Context, pipeline any, on Traffic, items, bytes int64) (Decision, error) {
	if t == nil {
		return Decision{Verdict: Admitted}, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.sending(pipeline, on)
	total := volume{s.volume.items + items, s.volume.bytes + bytes}
	extra := volume{max(total.items-t.charged[on].items, 0), max(total.bytes-t.charged[on].bytes, 0)}
	d, err := t.prepared(ctx, func() Decision {
		c := t.request(on)
		c.Ingest[Items], c.Own[Items] = extra.items, extra.items
		c.Ingest[Bytes], c.Own[Bytes] = extra.bytes, extra.bytes
		return t.admit(&c)
	})
	if err == nil && d.Verdict == Admitted {
		s.volume = total
		t.charged[on] = volume{t.charged[on].items + extra.items, t.charged[on].bytes + extra.bytes}
	}
	return d, err
}

// Next begins another request of a stream: what was charged until now is spent.
func (t *Tab) Next(ctx context.Context, on Traffic) (Decision, error) {
	if t == nil {
		return Decision{Verdict: Admitted}, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.receipt.Forget()
	t.entered, t.requests = false, [trafficCount]bool{}
	return t.prepared(ctx, func() Decision { c := t.request(on); return t.admit(&c) })
}

// Counts reports whether some limit is on that unit of that traffic, so that it
// has to be measured.
func (t *Tab) Counts(on Traffic, unit Unit) bool {
	if t == nil {
		return false
	}
	for i := range t.policy.limits {
		if l := &t.policy.limits[i]; l.Unit == unit && l.applies(on) {
			return true
		}
	}
	return false
}

// enter charges the request and takes a slot, as far as that is still to do.
func (t *Tab) enter(on Traffic, slot bool) Decision {
	c := t.request(on)
	c.Slot = slot && !t.slot && !t.closed && t.policy.concurrency > 0
	if c == (Cost{On: on}) {
		return Decision{Verdict: Admitted}
	}
	d := t.admit(&c)
	t.slot = t.slot || (c.Slot && d.Verdict == Admitted)
	return d
}

// request is the cost of the request itself, as far as it is not charged.
func (t *Tab) request(on Traffic) Cost {
	c := Cost{On: on}
	if on != API && !t.entered {
		c.Ingest[Requests] = 1
	}
	if on != 0 && !t.requests[on] {
		c.Own[Requests] = 1
	}
	return c
}

func (t *Tab) admit(c *Cost) Decision {
	d := t.counter.Admit(t.clock(), t.key, t.policy, c, &t.receipt)
	if d.Verdict == Admitted {
		t.entered = true
		t.requests[c.On] = true
	}
	return d
}

// prepared decides, if need be after the counts have been brought to hand.
func (t *Tab) prepared(ctx context.Context, decide func() Decision) (Decision, error) {
	d := decide()
	for d.Verdict == Unknown {
		if err := t.counter.Prepare(ctx, t.clock(), t.key); err != nil {
			return d, err
		}
		d = decide()
	}
	return d, nil
}

// sending returns the account of a pipeline.
func (t *Tab) sending(pipeline any, on Traffic) *sending {
	for i := range t.sent {
		if t.sent[i].pipeline == pipeline && t.sent[i].on == on {
			return &t.sent[i]
		}
	}
	t.sent = append(t.sent, sending{pipeline: pipeline, on: on})
	return &t.sent[len(t.sent)-1]
}

// Fail gives back what the request was charged, at once, and what it may still
// be charged, when it is closed: it has failed, and its sender will repeat it.
// It gives back the slot too, unless somebody is at work on the request: Close
// may come when the sender has repeated it already.
func (t *Tab) Fail() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = true
	t.refund()
	t.leave()
}

func (t *Tab) refund() {
	if t.receipt.n > 0 {
		t.counter.Refund(t.clock(), t.key, &t.receipt)
	}
}

// Hold says that the request is at work until Unhold, even if it is closed
// meanwhile because its sender has gone. It reports false where the request is
// over already.
func (t *Tab) Hold() bool {
	if t == nil {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed && t.holds == 0 {
		return false
	}
	t.holds++
	if !t.slot && t.entered {
		t.slot = t.takeSlot()
	}
	return true
}

// Unhold ends what Hold began. The slot is given back when the last hold ends,
// and not only by Close: where no door sees the end of a request, Close comes
// when its sender has the answer already and may have sent the next one. If
// then another pipeline is still to come, its Hold takes a slot again if one is
// free, and goes on without one otherwise: it was admitted.
func (t *Tab) Unhold() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.holds--
	t.leave()
}

// CloseAfter closes the tab when the context ends, unless Close comes before. It
// is for doors that do not see the end of the request, which the context does.
func (t *Tab) CloseAfter(ctx context.Context) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stop = context.AfterFunc(ctx, t.Close)
}

// Close ends the request and gives its slot back unless somebody is at work on it.
// Only the first call counts, so that every way out may call it.
func (t *Tab) Close() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.closed = true
	if t.stop != nil {
		t.stop()
	}
	if t.failed {
		t.refund()
	}
	t.leave()
}

func (t *Tab) leave() {
	if t.slot && t.holds == 0 {
		t.slot = false
		t.counter.Release(t.clock(), t.key)
	}
}

func (t *Tab) takeSlot() bool {
	if t.policy.concurrency == 0 {
		return false
	}
	d := t.counter.Admit(t.clock(), t.key, t.policy, &Cost{Slot: true}, &t.receipt)
	return d.Verdict == Admitted
}
