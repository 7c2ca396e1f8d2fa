package badgerkv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
)

// Prune gives back the space of entries that have expired, in part now and the
// rest as time goes on. Badger drops an expired entry when it comes upon it while
// it merges tables; but where keys grow with time it never comes upon the old ones
// again. So Prune deletes them, which makes it go there. Call it every few hours.
// It reads all that is kept, gently: for a fifth of the time. It returns ErrNoSpace
// where even deleting is unsafe.
func (s *Store) Prune(ctx context.Context) error {
	if err := s.life.enter(ctx); err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	defer s.life.leave()
	if err := s.prune(ctx); err != nil {
		return fmt.Errorf("prune %q: %w", s.directory, err)
	}
	return nil
}

// pruneBatch is how many entries are deleted at once.
const pruneBatch = 1000

// Prune works for a stint and rests, and looks every so many entries whether it is
// time.
const (
	stint     = 2 * time.Millisecond
	restEvery = 64
)

func (s *Store) prune(ctx context.Context) error {
	p := pruning{store: s, txn: s.db.NewTransaction(false)}
	o := badger.DefaultIteratorOptions
	o.PrefetchValues = false
	o.AllVersions = true // else those that have expired are not shown
	if err := badgerdb.Guard(func() error { p.it = p.txn.NewIterator(o); return nil }); err != nil {
		return err
	}
	defer closeIterator(p.it, p.txn)
	pace := badgerdb.NewPace(stint)
	for n := 1; ; n++ {
		ok, err := p.next()
		if err == nil && (len(p.expired) >= pruneBatch || !ok) {
			err = p.delete()
		}
		if err != nil || !ok {
			return err
		}
		if n%restEvery == 0 {
			if err := s.life.interrupted(ctx); err != nil {
				return err
			}
			pace.Rest()
		}
	}
}

// pruning is a Prune under way.
type pruning struct {
	store   *Store
	txn     *badger.Txn
	it      *badger.Iterator
	begun   bool
	newest  []byte   // the key that the iterator is at, whose newest version comes first
	expired [][]byte // keys that are to be deleted
}

// next goes to the next version of an entry and reports whether there is one.
func (p *pruning) next() (ok bool, err error) {
	err = badgerdb.Guard(func() error {
		if p.begun {
			p.it.Next()
		} else {
			p.it.Rewind()
			p.begun = true
		}
		if ok = p.it.Valid(); ok {
			p.look(p.it.Item())
		}
		return nil
	})
	return ok, err
}

func (p *pruning) look(item *badger.Item) {
	if bytes.Equal(item.Key(), p.newest) {
		return // an older version
	}
	p.newest = item.KeyCopy(p.newest)
	if at := item.ExpiresAt(); at > 0 && at <= uint64(time.Now().Unix()) { // the clock that Badger goes by
		p.expired = append(p.expired, item.KeyCopy(nil))
	}
}

// delete deletes what was found.
func (p *pruning) delete() error {
	if len(p.expired) == 0 {
		return nil
	}
	if err := p.store.roomy(min(p.store.minFree, leastFree)); err != nil {
		return err
	}
	keys := p.expired
	p.expired = nil
	p.store.writing.Lock()
	defer p.store.writing.Unlock()
	return badgerdb.Guard(func() error {
		txn := p.store.db.NewTransaction(true)
		defer txn.Discard()
		for _, key := range keys {
			if _, err := txn.Get(key); !errors.Is(err, badger.ErrKeyNotFound) {
				continue // written anew, or unreadable
			}
			if err := txn.Delete(key); err != nil {
				return err
			}
		}
		return txn.Commit()
	})
}
