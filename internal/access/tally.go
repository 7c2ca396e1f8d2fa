package access

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
)

// Detail says which requests get a line of their own.
type Detail string

// Denied gives one to those that were refused, All to every one, None to none.
const (
	Denied Detail = "denied"
	All    Detail = "all"
	None   Detail = "none"
)

// Validate returns an error for a detail that there is not.
func (d Detail) Validate() error {
	switch d {
	case Denied, All, None:
		return nil
	}
	return fmt.Errorf("unknown detail %q: must be denied, all or none", string(d))
}

// maxStripes is more than processors will meet at once.
const maxStripes = 64

// The bounds of what is remembered until it is taken.
const (
	// maxLines is how many requests can have a line of their own, and maxAlike
	// how many of one group, so that whoever floods the gate leaves room for the
	// lines of others. Beyond, requests are counted alone.
	maxLines = 16_384
	maxAlike = 1_024
	// maxGroups is how many groups are told apart with all that they have. Beyond,
	// addresses and hints, of which there is no end, are left out of new ones.
	maxGroups = 131_072
	// maxStrangers is how many groups without a key are told apart, and how many
	// requests without one have a line. Such cost nothing to make: they must leave
	// room for others, and not fill the disk.
	maxStrangers = 2_048
	// maxUserAgent is how many bytes of a user agent are remembered: more than
	// anybody shows, and far less than a header can have.
	maxUserAgent = 256
)

// Tally remembers what became of requests until it is taken. Safe for concurrent
// use; make it with NewTally.
//
// It is made of stripes, each behind a lock of its own. A request takes any that
// is free, whatever its key: even those of one key do not wait for each other.
type Tally struct {
	detail  Detail
	stripes []stripe
	dropped atomic.Int64
}

type stripe struct {
	mu        sync.Mutex // guards the rest
	groups    map[Group]*Count
	strangers int // groups without a key
	lines     []Request
	strange   int      // lines without a key
	_         [64]byte // from the next one's cache line
}

// NewTally returns an empty tally.
func NewTally(d Detail) *Tally {
	t := &Tally{detail: d, stripes: make([]stripe, min(4*runtime.GOMAXPROCS(0), maxStripes))}
	for i := range t.stripes {
		t.stripes[i].groups = map[Group]*Count{}
	}
	return t
}

// Record remembers a request. It sets its Minute, and Requests where that is
// zero, cuts a long UserAgent, and keeps nothing of the pointer.
func (t *Tally) Record(r *Request) {
	r.Minute = r.At.Unix() / 60
	r.Requests = max(r.Requests, 1)
	if len(r.UserAgent) > maxUserAgent {
		r.UserAgent = strings.Clone(r.UserAgent[:maxUserAgent]) // not to keep the rest in memory
	}
	s := t.lock()
	defer s.mu.Unlock()
	t.record(s, r)
}

// lock returns a stripe whose lock it holds.
func (t *Tally) lock() *stripe {
	n := uint64(len(t.stripes))
	start := rand.Uint64N(n) //nolint:gosec // it need not be hard to guess
	for i := range n {
		if s := &t.stripes[(start+i)%n]; s.mu.TryLock() {
			return s
		}
	}
	s := &t.stripes[start]
	s.mu.Lock()
	return s
}

func (t *Tally) record(s *stripe, r *Request) {
	c := t.count(s, r)
	c.Add(&r.Volume)
	if !t.wantsLine(r) {
		return
	}
	if !t.hasRoom(s, r, c) {
		t.dropped.Add(1)
		return
	}
	s.lines = append(s.lines, *r)
	if r.KeyID == "" {
		s.strange++
	}
	c.Logged.Add(&r.Volume)
}

// hasRoom reports whether a request of a group can have a line.
func (t *Tally) hasRoom(s *stripe, r *Request, c *Count) bool {
	n := len(t.stripes)
	return len(s.lines) < maxLines/n && c.Logged.Requests < int64(maxAlike/n) && (r.KeyID != "" || s.strange < maxStrangers/n)
}

func (t *Tally) wantsLine(r *Request) bool {
	return t.detail == All || (t.detail == Denied && r.Outcome == Refused)
}

// count returns the count of the request's group. The lock must be held.
func (t *Tally) count(s *stripe, r *Request) *Count {
	if c, ok := s.groups[r.Group]; ok {
		return c
	}
	g := r.Group
	stranger := g.KeyID == ""
	if len(s.groups) >= maxGroups/len(t.stripes) || (stranger && s.strangers >= maxStrangers/len(t.stripes)) {
		g.Address, g.Hint = netip.Addr{}, ""
		if c, ok := s.groups[g]; ok {
			return c
		}
	}
	c := &Count{Group: g, UserAgent: r.UserAgent}
	s.groups[g] = c
	if stranger {
		s.strangers++
	}
	return c
}

// Taken is what a tally remembered.
type Taken struct {
	// Counts are of all requests, those with lines included, and no two of the
	// same group.
	Counts []Count
	// Lines are in no order.
	Lines []Request
}

// Take returns what was recorded since the last call, and forgets it.
func (t *Tally) Take() Taken {
	var taken Taken
	groups := map[Group]*Count{}
	for i := range t.stripes {
		found, lines := t.stripes[i].take()
		for g, c := range found {
			if known, ok := groups[g]; ok {
				known.Add(&c.Volume)
				known.Logged.Add(&c.Logged)
			} else {
				groups[g] = c
			}
		}
		taken.Lines = append(taken.Lines, lines...)
	}
	taken.Counts = make([]Count, 0, len(groups))
	for _, c := range groups {
		taken.Counts = append(taken.Counts, *c)
	}
	return taken
}

func (s *stripe) take() (map[Group]*Count, []Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	groups, lines := s.groups, s.lines
	s.groups, s.strangers, s.lines, s.strange = make(map[Group]*Count, len(groups)), 0, nil, 0
	return groups, lines
}

// Dropped returns how many lines there was no room for, since the beginning.
func (t *Tally) Dropped() int64 { return t.dropped.Load() }
