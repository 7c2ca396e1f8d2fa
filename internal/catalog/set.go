package catalog

import "math/bits"

// set is one of slots, a bit for each.
type set []uint64

func newSet(of int) set { return make(set, (of+63)/64) }

func (s set) add(n slot)      { s[n/64] |= 1 << (n % 64) }
func (s set) has(n slot) bool { return s[n/64]&(1<<(n%64)) != 0 }

func (s set) len() int {
	n := 0
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}
