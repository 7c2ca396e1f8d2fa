package throttle

import (
	"math"
	"time"
)

// rate is what a bucket is worth. A bucket counts nanoseconds of credit, so
// that everything is exact.
type rate struct {
	interval int64 // the price of one failure
	capacity int64 // a multiple of interval
}

// maxCapacity (73 years) keeps sums of credits and times from overflowing.
const maxCapacity = 1 << 61

func newRate(burst int, perSecond float64) rate {
	interval := int64(min(max(math.Ceil(float64(time.Second)/perSecond), 1), maxCapacity))
	return rate{interval: interval, capacity: min(int64(burst), maxCapacity/interval) * interval}
}

// times returns the rate of n buckets together, or a little less.
func (r rate) times(n int64) rate {
	interval := (r.interval + n - 1) / n
	return rate{interval: interval, capacity: r.capacity - r.capacity%interval}
}

// bucket is the allowance of one address. Its credit is that of the time at;
// it is negative where failures were under way when it ran out.
type bucket struct {
	credit int64
	at     int64
}

// settle adds what was earned since. A time before at is usual, since
// concurrent requests read the clock before they come here in another order,
// and earns nothing. One that is further back than it takes to fill the bucket
// means that the clock was set: earning goes on from there.
func (b *bucket) settle(now int64, r rate) {
	switch {
	case now > b.at:
		b.credit = min(b.credit+now-b.at, r.capacity)
		b.at = now
	case b.at-now > r.capacity:
		b.at = now
	}
}

// wait returns how long after now the bucket, settled at now, affords a
// failure; not positive where it does.
func (b *bucket) wait(now int64, r rate) time.Duration {
	if b.credit >= r.interval {
		return 0
	}
	return time.Duration(r.interval - b.credit + b.at - now)
}

func (b *bucket) charge(r rate) { b.credit = max(b.credit-r.interval, -r.capacity) }

func (b *bucket) full(r rate) bool { return b.credit == r.capacity }
