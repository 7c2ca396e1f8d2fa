package usage

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// LastUses knows when each secret was last used. What a crash loses is what was
// learned since the last Flush. Safe for concurrent use; make it with
// NewLastUses.
type LastUses struct {
	keeper store.Uses
	seed   maphash.Seed
	shards [shardCount]shard
}

// shardCount is how many locks the requests of many keys spread over.
const shardCount = 64

// A shard holds the keys used of late. Requests hold its lock for reading
// alone, but for the first use of a secret.
type shard struct {
	mu   sync.RWMutex
	keys map[string][]*use // by id; a key has two secrets at most
	_    [64]byte          // from the next one's cache line
}

// use is that of one secret. Its times are Unix microseconds.
type use struct {
	secret store.SecretRef
	at     atomic.Int64
	kept   atomic.Int64 // what the keeper knows; zero: nothing
}

// idleAfter is how long a secret that is not used is remembered.
const idleAfter = time.Minute

// NewLastUses returns one that knows nothing but what the keeper does.
func NewLastUses(keeper store.Uses) *LastUses {
	l := &LastUses{keeper: keeper, seed: maphash.MakeSeed()}
	for i := range l.shards {
		l.shards[i].keys = map[string][]*use{}
	}
	return l
}

// Used notes that the key's secret was used. It does not allocate once it knows
// the secret.
func (l *LastUses) Used(id *identity.Identity, at time.Time) {
	s := l.shardOf(id.KeyID)
	s.mu.RLock()
	u := s.find(id.KeyID, id.SecretInfo.Ref)
	if u != nil {
		u.note(at.UnixMicro())
	}
	s.mu.RUnlock()
	if u == nil {
		s.add(id.KeyID, id.SecretInfo.Ref, at.UnixMicro())
	}
}

func (l *LastUses) shardOf(keyID string) *shard {
	return &l.shards[maphash.String(l.seed, keyID)%shardCount]
}

// find returns the use of a secret, nil where there is none. The lock must be
// held.
func (s *shard) find(keyID string, secret store.SecretRef) *use {
	for _, u := range s.keys[keyID] {
		if u.secret == secret {
			return u
		}
	}
	return nil
}

func (s *shard) add(keyID string, secret store.SecretRef, at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.find(keyID, secret)
	if u == nil {
		u = &use{secret: secret}
		s.keys[keyID] = append(s.keys[keyID], u)
	}
	u.note(at)
}

// note keeps the latest time. The lock must be held, for reading at least: what
// is noted on a use that has been forgotten would be lost.
func (u *use) note(at int64) {
	for {
		known := u.at.Load()
		if at <= known || u.at.CompareAndSwap(known, at) {
			return
		}
	}
}

// LastUses returns the last use of each of the key's secrets, in no order.
func (l *LastUses) LastUses(ctx context.Context, keyID string) ([]store.Use, error) {
	kept, err := l.keeper.LastUses(ctx, keyID)
	if err != nil {
		return nil, err
	}
	latest := map[store.SecretRef]time.Time{}
	for _, use := range kept {
		latest[use.Secret] = use.At
	}
	for _, use := range l.shardOf(keyID).of(keyID) {
		if use.At.After(latest[use.Secret]) {
			latest[use.Secret] = use.At
		}
	}
	uses := make([]store.Use, 0, len(latest))
	for ref, at := range latest {
		uses = append(uses, store.Use{KeyID: keyID, Secret: ref, At: at})
	}
	return uses, nil
}

// of returns what the shard knows of a key.
func (s *shard) of(keyID string) []store.Use {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var uses []store.Use
	for _, u := range s.keys[keyID] {
		uses = append(uses, store.Use{KeyID: keyID, Secret: u.secret, At: time.UnixMicro(u.at.Load()).UTC()})
	}
	return uses
}

// Unkept returns the uses that the keeper has not been told of yet, in no order.
func (l *LastUses) Unkept() []store.Use {
	var news []store.Use
	for i := range l.shards {
		news, _ = l.shards[i].collect(news, nil)
	}
	return news
}

// Flush hands what is new to the keeper, and forgets what has not been used for
// a minute. What the keeper did not take is tried again by the next Flush.
func (l *LastUses) Flush(ctx context.Context, now time.Time) error {
	var news []store.Use
	var from []*use
	for i := range l.shards {
		news, from = l.shards[i].collect(news, from)
	}
	if len(news) > 0 {
		if err := l.keeper.KeepUses(ctx, news); err != nil {
			return fmt.Errorf("keep the last uses of %d secrets: %w", len(news), err)
		}
	}
	for i, u := range from {
		u.kept.Store(news[i].At.UnixMicro())
	}
	for i := range l.shards {
		l.shards[i].forget(now.Add(-idleAfter).UnixMicro())
	}
	return nil
}

// collect adds what the keeper does not know yet.
func (s *shard) collect(news []store.Use, from []*use) ([]store.Use, []*use) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for keyID, uses := range s.keys {
		for _, u := range uses {
			if at := u.at.Load(); at > u.kept.Load() {
				news, from = append(news, store.Use{KeyID: keyID, Secret: u.secret, At: time.UnixMicro(at).UTC()}), append(from, u)
			}
		}
	}
	return news, from
}

// forget drops uses before a time that the keeper knows.
func (s *shard) forget(before int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for keyID, uses := range s.keys {
		uses = slices.DeleteFunc(uses, func(u *use) bool { at := u.at.Load(); return at < before && at == u.kept.Load() })
		if len(uses) == 0 {
			delete(s.keys, keyID)
		} else {
			s.keys[keyID] = uses
		}
	}
}
