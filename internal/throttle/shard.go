package throttle

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// shard keeps the buckets of a part of the addresses.
type shard struct {
	each     rate // of each address
	together rate // of all that find no place
	capacity int

	mu       sync.Mutex                      // guards the rest
	tracked  *simplelru.LRU[source, *bucket] // by last failure
	overflow bucket
}

func newShard(capacity int, each rate) *shard {
	tracked, err := simplelru.NewLRU[source, *bucket](capacity, nil)
	if err != nil {
		panic("throttle: " + err.Error()) // only where capacity is not positive
	}
	together := each.times(max(int64(capacity)/overflowShare, 1))
	return &shard{
		each: each, together: together, capacity: capacity,
		tracked: tracked, overflow: bucket{credit: together.capacity},
	}
}

func (s *shard) wait(now int64, src source) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.tracked.Peek(src); ok {
		b.settle(now, s.each)
		return b.wait(now, s.each)
	}
	if s.hasPlace(now) {
		return 0
	}
	s.overflow.settle(now, s.together)
	return s.overflow.wait(now, s.together)
}

func (s *shard) fail(now int64, src source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.tracked.Get(src)
	if !ok && !s.hasPlace(now) {
		s.overflow.settle(now, s.together)
		s.overflow.charge(s.together)
		return
	}
	if !ok {
		b = &bucket{credit: s.each.capacity, at: now}
		s.tracked.Add(src, b) // in the place of the oldest, where there is none left
	}
	b.settle(now, s.each)
	b.charge(s.each)
}

// hasPlace reports whether another address can be tracked without forgetting
// what one has spent. It looks at the one that failed least recently: that
// need not be the first whose bucket fills up, but no bucket takes longer than
// twice the time to fill an empty one, which is how long one can bar the others.
func (s *shard) hasPlace(now int64) bool {
	if s.tracked.Len() < s.capacity {
		return true
	}
	_, oldest, _ := s.tracked.GetOldest()
	oldest.settle(now, s.each)
	return oldest.full(s.each)
}

func (s *shard) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tracked.Len()
}
