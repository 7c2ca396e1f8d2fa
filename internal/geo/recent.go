package geo

import "sync/atomic"

// recent remembers the countries of records, by their offset in the file, since
// decoding one takes longer than finding it, and allocates. All addresses of a
// country share some few records, but for databases of cities. A record takes
// the place of another one; all together take 8 kB.
type recent [1 << recentBits]atomic.Uint64 // offset+1 and country; zero: nothing

const (
	recentBits  = 10
	countryBits = 16
)

func (r *recent) get(offset uintptr) (country, bool) {
	held := r.slot(offset).Load()
	return country(held & (1<<countryBits - 1)), held>>countryBits == uint64(offset)+1
}

func (r *recent) put(offset uintptr, c country) {
	r.slot(offset).Store((uint64(offset)+1)<<countryBits | uint64(c))
}

func (r *recent) slot(offset uintptr) *atomic.Uint64 {
	return &r[uint64(offset)*0x9e3779b97f4a7c15>>(64-recentBits)] // Fibonacci hashing
}
