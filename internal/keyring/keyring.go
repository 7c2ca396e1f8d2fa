// Package keyring turns the digest of a presented key into the identity it
// stands for: first from memory (Ristretto), then from the store.
//
// A key that was revoked or changed must never be served from memory once the
// change has been acknowledged, although Ristretto delays and drops both Sets
// and Dels. So nothing here relies on one being applied: every cached answer
// carries the generations of its digest and its owner as they were before the
// store was read, and counts only while both still stand. A change moves the
// generation on, which outdates whatever was read before it, cached or in
// flight.
package keyring

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// Source is the part of a store that the keyring reads.
//
// KeyByDigest and User MUST return store.ErrNotFound only where the record is
// known not to exist; any other error means that it is unknown now.
type Source interface {
	KeyByDigest(ctx context.Context, digest store.Digest) (store.Key, error)
	User(ctx context.Context, id string) (store.User, error)
}

// Observer is told what the keyring does. Implementations MUST be fast and
// safe for concurrent use.
type Observer interface {
	// CacheRead reports a look-up in memory. Negative is set where the answer,
	// a hit, was that the key is unknown.
	CacheRead(hit, negative bool)
	// StoreRead reports a read of the store. The error, where there is one, says
	// why it gave no answer.
	StoreRead(took time.Duration, err error)
}

// Options configure a keyring.
type Options struct {
	Source Source
	// MaxKeys bounds the keys held in memory; at least 1.
	MaxKeys int64
	// NegativeTTL is how long an unknown key is remembered as such; zero
	// remembers none.
	NegativeTTL time.Duration
	// StoreTimeout bounds one read of the store, which many requests may
	// share; zero means DefaultStoreTimeout.
	StoreTimeout time.Duration
	// Plans are what keys are limited by. Required: without them every key
	// would be unlimited.
	Plans *limit.Plans
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Observer may be nil.
	Observer Observer
}

// DefaultStoreTimeout bounds a read of the store where Options names no other.
const DefaultStoreTimeout = 2 * time.Second

// Keyring resolves digests. It is safe for concurrent use; make it with New
// and end it with Close.
type Keyring struct {
	source       Source
	cache        *cache
	digests      *generations
	owners       *generations
	flights      singleflight.Group
	storeTimeout time.Duration
	negativeTTL  time.Duration
	plans        *limit.Plans
	now          func() time.Time
	observer     Observer
}

// New returns an empty keyring over a source.
func New(o Options) (*Keyring, error) {
	if o.Plans == nil {
		return nil, errors.New("make keyring: Plans is required")
	}
	c, err := newCache(o.MaxKeys)
	if err != nil {
		return nil, fmt.Errorf("make key cache of %d keys: %w", o.MaxKeys, err)
	}
	k := &Keyring{
		source: o.Source, cache: c,
		digests: newGenerations(), owners: newGenerations(),
		storeTimeout: o.StoreTimeout, negativeTTL: o.NegativeTTL,
		plans: o.Plans, now: o.Now, observer: o.Observer,
	}
	if k.storeTimeout == 0 {
		k.storeTimeout = DefaultStoreTimeout
	}
	if k.now == nil {
		k.now = time.Now
	}
	if k.observer == nil {
		k.observer = silent{}
	}
	return k, nil
}

// Close releases the cache. The keyring must not be used afterwards; reads that
// their callers have given up may still be under way.
func (k *Keyring) Close() { k.cache.close() }

// Cached answers from memory alone and never blocks. It reports false where
// only the store can tell. A refusal says why the key may not be used, and whose
// identity it is, if any, is for accounts alone.
func (k *Keyring) Cached(digest credential.Digest) (*identity.Identity, *identity.Refusal, bool) {
	e := k.current(digest)
	k.observer.CacheRead(e != nil, e != nil && e.unknown())
	if e == nil {
		return nil, nil, false
	}
	id, refusal := e.answer(k.now())
	return id, refusal, true
}

// Lookup answers from memory, else from the store. Its results are those of
// Cached.
func (k *Keyring) Lookup(ctx context.Context, digest credential.Digest) (*identity.Identity, *identity.Refusal) {
	if id, refusal, ok := k.Cached(digest); ok {
		return id, refusal
	}
	return k.Fetch(ctx, digest)
}

var refuseUnresolvable = identity.NewRetryableRefusal(identity.KeyUnresolvable,
	"the API key cannot be checked right now: retry later", 5*time.Second)

// Fetch is Lookup for a caller that has just been told false by Cached. The
// read of the store is shared by concurrent callers for one key. Where there
// is no answer, or the caller's context ends first, it refuses as
// KeyUnresolvable.
func (k *Keyring) Fetch(ctx context.Context, digest credential.Digest) (*identity.Identity, *identity.Refusal) {
	generation := k.digests.of(digest[:])
	// Generations are part of the flight's name, lest a caller that comes after
	// a change joins a read that began before it. Whose key it is only the read
	// will tell, so a change of any owner counts.
	name := string(digest[:]) + strconv.FormatUint(generation, 36) + "." + strconv.FormatUint(k.owners.ofAll(), 36)
	flight := k.flights.DoChan(name, func() (any, error) {
		// Not the caller's context: others wait for this read too.
		readCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.storeTimeout)
		defer cancel()
		return k.read(readCtx, digest, generation)
	})
	select {
	case <-ctx.Done():
		return nil, refuseUnresolvable
	case result := <-flight:
		if result.Err != nil {
			return nil, refuseUnresolvable
		}
		return result.Val.(*entry).answer(k.now())
	}
}

// current returns the cached entry if it still counts.
func (k *Keyring) current(digest credential.Digest) *entry {
	e := k.cache.get(digest)
	if e == nil || !k.stands(e) || (e.unknown() && !k.now().Before(e.forgetAt)) {
		return nil
	}
	return e
}

// stands reports whether nothing was changed since the entry was read.
func (k *Keyring) stands(e *entry) bool {
	return k.digests.of(e.digest[:]) == e.digestGeneration &&
		(e.ownerID == "" || k.owners.of([]byte(e.ownerID)) == e.ownerGeneration)
}

// read asks the store and caches the answer.
func (k *Keyring) read(ctx context.Context, digest credential.Digest, generation uint64) (*entry, error) {
	start := k.now()
	e, err := k.load(ctx, digest, generation)
	k.observer.StoreRead(k.now().Sub(start), err)
	if err != nil {
		return nil, err
	}
	if !e.unknown() || k.negativeTTL > 0 {
		k.cache.set(e)
	}
	return e, nil
}

func (k *Keyring) load(ctx context.Context, digest credential.Digest, generation uint64) (*entry, error) {
	e := &entry{digest: digest, digestGeneration: generation}
	key, err := k.source.KeyByDigest(ctx, store.Digest(digest))
	if errors.Is(err, store.ErrNotFound) {
		e.forgetAt = k.now().Add(k.negativeTTL)
		return e, nil
	}
	if err != nil {
		return nil, err
	}
	owner, err := k.loadOwner(ctx, e, &key)
	if err != nil {
		return nil, err
	}
	return e, e.fill(&key, owner, k.plans)
}

// loadOwner returns the owner's record, nil for a system key or where the
// owner does not exist.
func (k *Keyring) loadOwner(ctx context.Context, e *entry, key *store.Key) (*store.User, error) {
	if key.Type != identity.UserKey {
		return nil, nil
	}
	e.ownerID = key.OwnerID
	e.ownerGeneration = k.owners.of([]byte(key.OwnerID))
	owner, err := k.source.User(ctx, key.OwnerID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &owner, nil
}

// ForgetKey makes every later look-up of these digests read the store anew.
func (k *Keyring) ForgetKey(digests ...store.Digest) {
	for _, d := range digests {
		k.digests.advance(d[:])
	}
}

// ForgetOwner does the same for all keys of a user.
func (k *Keyring) ForgetOwner(userID string) { k.owners.advance([]byte(userID)) }

type silent struct{}

func (silent) CacheRead(bool, bool)           {}
func (silent) StoreRead(time.Duration, error) {}
