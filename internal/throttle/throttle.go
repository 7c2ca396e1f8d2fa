package throttle

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"time"
)

// What the zero Options mean. Nobody who has a key comes near them, many
// senders behind one address included, and who guesses gets five tries a second.
const (
	DefaultBurst        = 300
	DefaultPerSecond    = 5
	DefaultMaxAddresses = 65536
)

const (
	maxShards = 16
	// overflowShare is how much smaller the shared allowance of addresses that
	// find no place is than that of all tracked ones.
	overflowShare = 16
)

// Options configure a Throttle. A value that is not positive means its
// default.
type Options struct {
	Burst        int     // failures that an address may cause at once
	PerSecond    float64 // failures that it may cause in the long run
	MaxAddresses int     // how many addresses are kept apart at a time
}

func (o Options) withDefaults() Options {
	if o.Burst <= 0 {
		o.Burst = DefaultBurst
	}
	if !(o.PerSecond > 0) { // NaN too
		o.PerSecond = DefaultPerSecond
	}
	if o.MaxAddresses <= 0 {
		o.MaxAddresses = DefaultMaxAddresses
	}
	return o
}

// Throttle counts failures by address. IPv6 addresses count by their /64,
// since whoever has one has all of it; all invalid addresses count as one.
// Safe for concurrent use; it has no goroutine and needs no closing.
type Throttle struct {
	epoch  time.Time // what times are relative to; monotonic, unlike Unix time
	seed   maphash.Seed
	shards []*shard
}

// New makes a Throttle that has seen no failure.
func New(o Options) *Throttle {
	o = o.withDefaults()
	t := &Throttle{epoch: time.Now(), seed: maphash.MakeSeed()}
	n := min(maxShards, o.MaxAddresses)
	for range n {
		t.shards = append(t.shards, newShard(o.MaxAddresses/n, newRate(o.Burst, o.PerSecond)))
	}
	return t
}

// Allow reports whether the address may cause another failure now. It charges
// nothing and does not allocate. Where it says no, it will say yes after wait,
// unless the address or, while too many are failing, another causes a failure
// meanwhile.
//
// A time that is a little before an earlier one, as between goroutines, earns
// nothing. After one that is further back than it takes to fill a bucket,
// earning goes on from there. Times more than 73 years from New count as that
// far.
func (t *Throttle) Allow(now time.Time, addr netip.Addr) (ok bool, wait time.Duration) {
	src := sourceOf(addr)
	wait = t.shard(src).wait(t.since(now), src)
	return wait <= 0, wait
}

// Fail charges the address with one failure.
func (t *Throttle) Fail(now time.Time, addr netip.Addr) {
	src := sourceOf(addr)
	t.shard(src).fail(t.since(now), src)
}

// Len returns the number of addresses that have a bucket of their own.
func (t *Throttle) Len() int {
	n := 0
	for _, s := range t.shards {
		n += s.len()
	}
	return n
}

func (t *Throttle) since(now time.Time) int64 {
	return min(max(int64(now.Sub(t.epoch)), -maxCapacity), maxCapacity)
}

// shard depends on a random seed, so that nobody can aim at one.
func (t *Throttle) shard(src source) *shard {
	return t.shards[maphash.Comparable(t.seed, src)%uint64(len(t.shards))]
}

// source is what failures are counted by. The zero value is an unknown one.
type source struct {
	bits   uint64 // the IPv4 address or the /64 of the IPv6 address
	family uint8  // 4 or 6
}

func sourceOf(addr netip.Addr) source {
	addr = addr.Unmap()
	switch {
	case addr.Is4():
		b := addr.As4()
		return source{uint64(binary.BigEndian.Uint32(b[:])), 4}
	case addr.Is6():
		b := addr.As16()
		return source{binary.BigEndian.Uint64(b[:8]), 6}
	}
	return source{}
}
