package badgerstore

import (
	"bytes"
	"context"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
)

// scan is a walk over the entries whose key starts with prefix.
type scan struct {
	prefix  []byte
	after   []byte // start behind prefix+after; nil: at the beginning
	newest  bool   // walk backwards
	collect bool   // give visit the values too, still sealed
	gentle  bool   // leave the processor to others for most of the time
}

// interruptEvery is the number of entries after which a scan looks whether it
// is still wanted.
const interruptEvery = 64

// stint is how long a gentle scan works before it rests.
const stint = 300 * time.Microsecond

// walk calls visit with the rest of each key after the prefix, until it returns
// false or an error. What it is given may be kept.
func (v *snapshot) walk(ctx context.Context, w scan, visit func(suffix, value []byte) (bool, error)) error {
	it := v.iterator(w)
	defer func() { _ = badgerdb.Guard(func() error { it.Close(); return nil }) }()
	var key, value []byte
	pace := badgerdb.NewPace(stint)
	step := func() { it.Seek(w.start()) }
	for n := 1; ; n++ {
		valid := false
		err := badgerdb.Guard(func() (err error) {
			step()
			if valid = it.ValidForPrefix(w.prefix); valid {
				key, value, err = w.read(it.Item())
			}
			return err
		})
		if err != nil {
			return v.damaged(w.prefix, err)
		}
		if !valid {
			return nil
		}
		step = it.Next
		if suffix := key[len(w.prefix):]; w.after == nil || !bytes.Equal(suffix, w.after) {
			if more, err := visit(suffix, value); err != nil || !more {
				return err
			}
		}
		if n%interruptEvery == 0 {
			if err := v.store.interrupted(ctx); err != nil {
				return err
			}
			if w.gentle {
				pace.Rest()
			}
		}
	}
}

func (v *snapshot) iterator(w scan) *badger.Iterator {
	o := badger.DefaultIteratorOptions
	o.Prefix = w.prefix
	o.Reverse = w.newest
	o.PrefetchValues = false
	return v.txn.NewIterator(o)
}

// start is the key to seek: the first one at or after it, in the direction of
// the walk, is the first that is wanted or the one of after itself.
func (w scan) start() []byte {
	switch {
	case w.after != nil:
		return join(w.prefix, w.after)
	case w.newest:
		return join(w.prefix, bytes.Repeat([]byte{0xff}, positionLength+1))
	}
	return w.prefix
}

func (w scan) read(item *badger.Item) (key, value []byte, err error) {
	key = item.KeyCopy(nil)
	if w.collect {
		value, err = item.ValueCopy(nil)
	}
	return key, value, err
}
