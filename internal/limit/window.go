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
	sum    int64 // of all cells

	// cells are the buckets that hold something, oldest first, in a ring.
	cells []cell
	first int
	count int
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
	if now < w.until {
		w.now = max(w.now, now)
		return
	}
	bucket := floorDiv(now, w.width)
	w.now, w.bucket, w.until = now, bucket, (bucket+1)*w.width
	for w.count > 0 && w.at(0).bucket < bucket-subWindows {
		w.sum -= w.at(0).cost
		if w.first++; w.first == len(w.cells) {
			w.first = 0
		}
		w.count--
	}
}

// floorDiv is division that rounds towards the past, also before 1970.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// at returns the i-th cell, oldest first.
func (w *window) at(i int) *cell {
	if i += w.first; i >= len(w.cells) {
		i -= len(w.cells)
	}
	return &w.cells[i]
}

// admits reports whether the cost fits now. Call advance first.
func (w *window) admits(limit, cost int64) bool { return w.sum <= limit-cost }

// opensAt returns when a cost that is not over the limit fits, if nothing else
// is charged. Call advance first.
func (w *window) opensAt(limit, cost int64) int64 {
	over := w.sum - (limit - cost)
	for i := 0; i < w.count && over > 0; i++ {
		c := w.at(i)
		if over -= c.cost; over <= 0 {
			return w.leaves(c.bucket)
		}
	}
	return w.now
}

// emptyAt returns when nothing counts any more; now where nothing does.
func (w *window) emptyAt() int64 {
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
	if w.count > 0 {
		if newest := w.at(w.count - 1); newest.bucket == w.bucket {
			newest.cost += cost
			return w.bucket
		}
	}
	w.push(cell{w.bucket, cost})
	return w.bucket
}

func (w *window) push(c cell) {
	if w.count == len(w.cells) {
		w.grow()
	}
	w.count++
	*w.at(w.count - 1) = c
}

// grow makes room for more cells, up to as many as can count at once. Most keys
// are used now and then, and need few.
func (w *window) grow() {
	cells := make([]cell, min(max(2*len(w.cells), 1), subWindows+1))
	for i := range w.count {
		cells[i] = *w.at(i)
	}
	w.cells, w.first = cells, 0
}

// refund takes a cost back from its bucket, if that still counts.
func (w *window) refund(bucket, cost int64) {
	for i := w.count - 1; i >= 0; i-- {
		c := w.at(i)
		if c.bucket == bucket {
			cost = min(cost, c.cost)
			c.cost -= cost
			w.sum -= cost
			return
		}
	}
}
