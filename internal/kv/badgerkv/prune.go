package badgerkv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// Prune gives back the space of entries that have expired, in part now and the
// rest as time goes on. Badger drops an expired entry when it comes upon it while
// it merges tables; but where keys grow with time it never comes upon the old ones
// again. So Prune deletes them, which makes it go there. Call it every few hours.
// It works gently, for a fifth of the time.
func (s *Store) Prune(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	defer s.leave()
	p := pruning{store: s, worked: time.Now()}
	if err := p.run(ctx); err != nil {
		return fmt.Errorf("prune %q: %w", s.directory, err)
	}
	return nil
}

// pruneBatch is how many entries are deleted at once.
const pruneBatch = 1000

type pruning struct {
	store   *Store
	expired [][]byte
	worked  time.Time // when the work began that a rest is due for
}

func (p *pruning) run(ctx context.Context) error {
	s := p.store
	txn := s.db.NewTransaction(false)
	defer txn.Discard()
	o := badger.DefaultIteratorOptions
	o.PrefetchValues = false
	o.AllVersions = true // else those that have expired are not shown
	it := txn.NewIterator(o)
	defer func() { _ = guard(func() error { it.Close(); return nil }) }()
	var newest []byte
	begun := false
	for n := 1; ; n++ {
		ok := false
		err := guard(func() error {
			if begun {
				it.Next()
			} else {
				it.Rewind()
				begun = true
			}
			if ok = it.Valid(); !ok {
				return nil
			}
			item := it.Item()
			if bytes.Equal(item.Key(), newest) { // an older version
				return nil
			}
			newest = item.KeyCopy(newest)
			if at := item.ExpiresAt(); at > 0 && at <= uint64(now().Unix()) {
				p.expired = append(p.expired, item.KeyCopy(nil))
			}
			return nil
		})
		if err == nil && (len(p.expired) >= pruneBatch || !ok) {
			err = p.delete()
		}
		if err != nil || !ok {
			return err
		}
		if n%interruptEvery == 0 {
			if err := p.rest(ctx); err != nil {
				return err
			}
		}
	}
}

// delete deletes what was found.
func (p *pruning) delete() error {
	if len(p.expired) == 0 {
		return nil
	}
	keys := p.expired
	p.expired = nil
	p.store.writing.Lock()
	defer p.store.writing.Unlock()
	return guard(func() error {
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

// stint is how long is worked before a rest of four times as long.
const stint = 2 * time.Millisecond

func (p *pruning) rest(ctx context.Context) error {
	if err := p.store.interrupted(ctx); err != nil {
		return err
	}
	if worked := time.Since(p.worked); worked >= stint {
		time.Sleep(4 * min(worked, 2*stint))
		p.worked = time.Now()
	}
	return nil
}
