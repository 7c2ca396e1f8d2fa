package limit

import "math"

// subWindows is into how many a window is divided.
const subWindows = 60

// window counts the cost of one limit.
//
// Time is cut into buckets of a sixtieth of the window, rounded up. What counts
// at a time is its own bucket and the sixty before it: those sixty-one cover
// every interval as long as the window that ends in the bucket, so none can
// hold more than max; and they cover at most a sixtieth more than the window,
// which is what strictness costs.
//
// Time is in nanoseconds. It never goes back: a time before the newest one seen
// counts as that.
type window struct {
	id     windowID
	width  int64 // of a bucket
	now    int64 // the newest time seen
	bucket int64 // that of now
	until  int64 // where it ends
	sum    int64 // of all buckets
	fresh  int64 // the cost of the bucket of now

	// past are the buckets before it that hold something, oldest first, in a
	// ring.
	past         []cell
	first, count int32
}

type cell struct {
	bucket int64
	cost   int64
}

func newWindow(id windowID) window {
	width := (int64(id.length) + subWindows - 1) / subWindows
	return window{id: id, width: width, now: math.MinInt64, until: math.MinInt64}
}

// advance moves the window to now and drops what has left it.
func (w *window) advance(now int64) {
	if now >= w.until {
		w.turn(floorDiv(now, w.width))
	}
	w.now = max(w.now, now)
}

// turn begins a bucket.
func (w *window) turn(bucket int64) {
	oldest := bucket - subWindows
	for w.count > 0 && w.at(0).bucket < oldest {
		w.sum -= w.at(0).cost
		if w.first++; int(w.first) == len(w.past) {
			w.first = 0
		}
		w.count--
	}
	if w.bucket < oldest {
		w.sum -= w.fresh
	} else if w.fresh > 0 {
		w.push(cell{w.bucket, w.fresh})
	}
	w.fresh, w.bucket, w.until = 0, bucket, (bucket+1)*w.width
}

// floorDiv is division that rounds towards the past, also before 1970.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// at returns the i-th bucket of the past, oldest first.
func (w *window) at(i int32) *cell {
	at := int(w.first) + int(i)
	if at >= len(w.past) {
		at -= len(w.past)
	}
	return &w.past[at]
}

// admits reports whether the cost fits now. Call advance first.
func (w *window) admits(limit, cost int64) bool { return w.sum <= limit-cost }

// opensAt returns when a cost that is not over the limit fits, if nothing else
// is charged. Call advance first.
func (w *window) opensAt(limit, cost int64) int64 {
	over := w.sum - (limit - cost)
	if over <= 0 {
		return w.now
	}
	for i := range w.count {
		c := w.at(i)
		if over -= c.cost; over <= 0 {
			return w.leaves(c.bucket)
		}
	}
	return w.leaves(w.bucket)
}

// emptyAt returns when nothing counts any more; now where nothing does.
func (w *window) emptyAt() int64 {
	if w.fresh > 0 {
		return w.leaves(w.bucket)
	}
	for i := w.count - 1; i >= 0; i-- {
		if c := w.at(i); c.cost > 0 { // not refunded
			return w.leaves(c.bucket)
		}
	}
	return w.now
}

// leaves returns the first time at which a bucket does not count any more.
func (w *window) leaves(bucket int64) int64 { return (bucket + subWindows + 1) * w.width }

// charge adds a cost to the bucket of now and returns that. Call advance first.
func (w *window) charge(cost int64) int64 {
	w.sum += cost
	w.fresh += cost
	return w.bucket
}

func (w *window) push(c cell) {
	if int(w.count) == len(w.past) {
		w.grow()
	}
	w.count++
	*w.at(w.count - 1) = c
}

// grow makes room for more of the past, up to as much as can count at once.
// Most keys are used now and then, and need little.
func (w *window) grow() {
	past := make([]cell, min(max(2*len(w.past), 1), subWindows))
	for i := range w.count {
		past[i] = *w.at(i)
	}
	w.past, w.first = past, 0
}

// refund takes a cost back from its bucket, if that still counts.
func (w *window) refund(bucket, cost int64) {
	held := w.costOf(bucket)
	if held == nil {
		return
	}
	cost = min(cost, *held)
	*held -= cost
	w.sum -= cost
}

// costOf returns where the cost of a bucket is counted, nil where it is not.
func (w *window) costOf(bucket int64) *int64 {
	if bucket == w.bucket {
		return &w.fresh
	}
	for i := w.count - 1; i >= 0; i-- {
		if c := w.at(i); c.bucket == bucket {
			return &c.cost
		}
	}
	return nil
}
