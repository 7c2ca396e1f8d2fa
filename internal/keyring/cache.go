package keyring

import (
	"encoding/binary"
	"sync"

	"github.com/dgraph-io/ristretto/v2"

	"github.com/otlpgate/otlpgate/internal/credential"
)

// maxUnknown bounds the unknown digests that are remembered, apart from the
// known keys so that guessing cannot push those out.
const maxUnknown = 16384

// cache holds entries by digest in two Ristretto caches. Either may drop what
// it is given, which costs a read of the store and nothing else.
type cache struct {
	known   *ristretto.Cache[uint64, *entry]
	unknown *ristretto.Cache[uint64, *entry]

	// life is held for reading by set and for writing by close: Ristretto
	// ignores what it is given once closed, but panics meanwhile.
	life sync.RWMutex
}

func newCache(maxKeys int64) (*cache, error) {
	known, err := newRistretto(maxKeys)
	if err != nil {
		return nil, err
	}
	unknown, err := newRistretto(maxUnknown)
	if err != nil {
		known.Close()
		return nil, err
	}
	return &cache{known: known, unknown: unknown}, nil
}

func newRistretto(maxEntries int64) (*ristretto.Cache[uint64, *entry], error) {
	return ristretto.NewCache(&ristretto.Config[uint64, *entry]{
		NumCounters:        10 * maxEntries,
		MaxCost:            maxEntries,
		BufferItems:        64,
		IgnoreInternalCost: true,
	})
}

// slot is the cache key of a digest. Two digests may share it: get compares
// the whole digest.
func slot(d credential.Digest) uint64 { return binary.LittleEndian.Uint64(d[:8]) }

func (c *cache) get(d credential.Digest) *entry {
	for _, half := range [...]*ristretto.Cache[uint64, *entry]{c.known, c.unknown} {
		if e, ok := half.Get(slot(d)); ok && e.digest.Equal(d) {
			return e
		}
	}
	return nil
}

// set stores the entry in its half and takes the digest's former answer out of
// the other, where get would come upon it first.
func (c *cache) set(e *entry) {
	c.life.RLock()
	defer c.life.RUnlock()
	half, other := c.known, c.unknown
	if e.unknown() {
		half, other = other, half
	}
	other.Del(slot(e.digest))
	half.Set(slot(e.digest), e, 1)
}

func (c *cache) close() {
	c.life.Lock()
	defer c.life.Unlock()
	c.known.Close()
	c.unknown.Close()
}
