package limit

import "time"

// slotWait is what a request that found no slot is told to wait: slots come
// free when other requests end, which cannot be foreseen.
const slotWait = time.Second

// account is what is counted of one key. Its owner guards it.
type account struct {
	seen     int64 // the time of its last use
	underWay int32

	// Of long windows, and of use only where there is a keeper.
	prepared bool   // what was kept has been read
	changes  uint64 // counts changes
	kept     uint64 // changes of which the keeper knows

	windows windows
}

// find returns the key's window of that limit, nil where nothing was charged.
// The account may be nil.
func (a *account) find(id windowID) *window {
	if a == nil {
		return nil
	}
	return a.windows.find(id)
}

// admit charges the cost or says why not.
func (a *account) admit(now int64, p *Policy, c *Cost, r *Receipt) Decision {
	d := a.judge(now, p, c)
	if d.Verdict != Admitted {
		return d
	}
	for i := range p.limits {
		l := &p.limits[i]
		cost := c.of(l)
		if cost == 0 {
			continue
		}
		w := a.windows.open(l.id())
		w.advance(now)
		r.note(charge{window: w.id, bucket: w.charge(cost), cost: cost})
		if l.Window.Long() {
			a.changes++
		}
	}
	if c.Slot && p.concurrency > 0 {
		a.underWay++
	}
	return d
}

// judge decides without charging. Of several limits in the way it names the one
// that is so the longest: no other matters to whoever waits for it.
func (a *account) judge(now int64, p *Policy, c *Cost) Decision {
	d := Decision{Verdict: Admitted}
	if c.Slot && p.concurrency > 0 && int(a.underWay) >= p.concurrency {
		d = Decision{Verdict: OverLimit, Concurrency: p.concurrency, RetryAfter: slotWait}
	}
	for i := range p.limits {
		l := &p.limits[i]
		cost := c.of(l)
		if cost == 0 {
			continue
		}
		if cost > l.Max {
			return Decision{Verdict: TooLarge, Limit: *l, Cost: cost}
		}
		w := a.find(l.id())
		if w == nil {
			continue
		}
		w.advance(now)
		if w.admits(l.Max, cost) {
			continue
		}
		if wait := time.Duration(w.opensAt(l.Max, cost) - now); wait > d.RetryAfter {
			d = Decision{Verdict: OverLimit, Limit: *l, Cost: cost, RetryAfter: wait}
		}
	}
	return d
}

// refund gives back what the receipt notes.
func (a *account) refund(now int64, r *Receipt) {
	r.each(func(c charge) {
		w := a.windows.find(c.window)
		if w == nil {
			return
		}
		w.advance(now)
		w.refund(c.bucket, c.cost)
		if c.window.length.Long() {
			a.changes++
		}
	})
}

// state appends the quotas of the policy to the buffer. The account may be nil.
func (a *account) state(now int64, p *Policy, buffer []Quota) State {
	s := State{Quotas: buffer[:0]}
	if p == nil {
		return s
	}
	for i := range p.limits {
		l := &p.limits[i]
		q := Quota{Limit: *l, ResetAt: time.Unix(0, now)}
		if w := a.find(l.id()); w != nil {
			w.advance(now)
			if q.Used = w.sum; q.Used > 0 {
				q.ResetAt = time.Unix(0, w.emptyAt())
			}
		}
		s.Quotas = append(s.Quotas, q)
	}
	if p.concurrency > 0 && a != nil {
		s.UnderWay = int(a.underWay)
	}
	s.Concurrency = p.concurrency
	return s
}

// dirty reports whether the keeper knows less than the account.
func (a *account) dirty() bool { return a.changes != a.kept }

// idleTime is for how long an account whose counts are all kept must have been
// unused to be forgotten: reading them again takes the keeper's time.
const idleTime = int64(10 * time.Minute)

// sweep drops what does not count any more, and reports whether the account
// can be forgotten. Durable says that there is a keeper.
func (a *account) sweep(now int64, durable bool) bool {
	transient := false // some count would be lost
	a.windows.retain(func(w *window) bool {
		w.advance(now)
		transient = transient || w.sum > 0 && (!durable || !w.id.length.Long())
		return w.sum > 0
	})
	if a.underWay > 0 || transient || (durable && a.dirty()) {
		return false
	}
	return a.windows.len() == 0 || now-a.seen > idleTime
}
