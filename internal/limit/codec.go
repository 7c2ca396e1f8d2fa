package limit

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
)

// The format of kept counts: a version byte; then for each long window its
// traffic and unit (a byte each), and as varints its length, the newest time it
// has seen, the number of its cells, and of each cell the bucket (the first as
// it is, others as the distance to the one before) and the cost.
const countsVersion = 1

// encode returns the account's counts of long windows, and the time at which
// the last of them runs out. Empty means that there are none.
func (a *account) encode() (data []byte, end int64) {
	for i := range a.windows.len() {
		w := a.windows.at(i)
		if !w.id.length.Long() || w.sum == 0 {
			continue
		}
		if len(data) == 0 {
			data = append(data, countsVersion)
		}
		data = w.encode(data)
		end = max(end, w.emptyAt())
	}
	return data, end
}

func (w *window) encode(data []byte) []byte {
	data = append(data, byte(w.id.on), byte(w.id.unit))
	data = binary.AppendVarint(data, int64(w.id.length))
	data = binary.AppendVarint(data, w.now)
	cells := w.cells()
	data = binary.AppendVarint(data, int64(len(cells)))
	previous := int64(0)
	for _, c := range cells {
		data = binary.AppendVarint(data, c.bucket-previous)
		data = binary.AppendVarint(data, c.cost)
		previous = c.bucket
	}
	return data
}

// cells returns the buckets that hold something, oldest first.
func (w *window) cells() []cell {
	cells := make([]cell, 0, subWindows+1)
	for i := range w.count {
		cells = append(cells, *w.at(i))
	}
	if w.fresh > 0 {
		cells = append(cells, cell{w.bucket, w.fresh})
	}
	return cells
}

var errCounts = errors.New("kept counts are damaged")

// decodeCounts reads what encode wrote.
func decodeCounts(data []byte) ([]window, error) {
	if len(data) == 0 {
		return nil, nil
	}
	r := reader{data: data[1:]}
	if data[0] != countsVersion {
		return nil, errCounts
	}
	var windows []window
	for len(r.data) > 0 && !r.bad {
		w := r.window()
		if r.bad || slices.ContainsFunc(windows, func(other window) bool { return other.id == w.id }) {
			return nil, errCounts
		}
		windows = append(windows, w)
	}
	return windows, nil
}

// reader takes numbers off data. What it returns means nothing once it is bad.
type reader struct {
	data []byte
	bad  bool
}

func (r *reader) byte() byte {
	if len(r.data) == 0 {
		r.bad = true
		return 0
	}
	b := r.data[0]
	r.data = r.data[1:]
	return b
}

// varint reads a number of that range.
func (r *reader) varint(low, high int64) int64 {
	v, n := binary.Varint(r.data)
	if n <= 0 || v < low || v > high {
		r.bad = true
		return low
	}
	r.data = r.data[n:]
	return v
}

func (r *reader) window() window {
	l := Limit{On: Traffic(r.byte()), Unit: Unit(r.byte()), Max: 1}
	l.Window = Window(r.varint(int64(LongWindow), int64(MaxWindow)))
	if l.Validate() != nil {
		r.bad = true
	}
	w := newWindow(l.id())
	now := r.varint(math.MinInt64/2, math.MaxInt64/2)
	count := r.varint(1, subWindows+1)
	if r.bad {
		return w
	}
	w.advance(now)
	bucket := r.varint(w.bucket-subWindows, w.bucket)
	for i := range count {
		if i > 0 {
			bucket += r.varint(1, subWindows)
		}
		cost := r.varint(0, MaxMax)
		if w.sum += cost; bucket > w.bucket || w.sum > math.MaxInt64/4 {
			r.bad = true
		}
		if r.bad {
			return w
		}
		if bucket == w.bucket {
			w.fresh = cost
		} else {
			w.push(cell{bucket, cost})
		}
	}
	return w
}

// startAt moves a window that was kept by a clock ahead of this one's back, as
// a whole: no time has passed since, as far as this clock tells. It reports
// whether it had to.
func (w *window) startAt(now int64) bool {
	if w.now <= now {
		return false
	}
	shift := w.bucket - floorDiv(now, w.width)
	for i := range w.count {
		w.at(i).bucket -= shift
	}
	w.bucket -= shift
	w.now, w.until = math.MinInt64, math.MinInt64
	w.advance(now)
	return true
}
