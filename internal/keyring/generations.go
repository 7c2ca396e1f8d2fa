package keyring

import (
	"hash/maphash"
	"sync/atomic"
)

// generationSlots is how many counters are kept. Names that share one outdate
// each other's entries, which costs a read of the store per change.
const generationSlots = 1 << 16

// generations counts the changes of every name in fixed memory (512 KiB).
type generations struct {
	seed  maphash.Seed
	count [generationSlots]atomic.Uint64
	total atomic.Uint64 // of all names
}

func newGenerations() *generations { return &generations{seed: maphash.MakeSeed()} }

func (g *generations) slot(name []byte) *atomic.Uint64 {
	return &g.count[maphash.Bytes(g.seed, name)%generationSlots]
}

func (g *generations) of(name []byte) uint64 { return g.slot(name).Load() }

func (g *generations) ofAll() uint64 { return g.total.Load() }

func (g *generations) advance(name []byte) {
	g.slot(name).Add(1)
	g.total.Add(1)
}
