package alert

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// Keys are read to be judged.
type Keys interface {
	store.KeyLister
	User(ctx context.Context, id string) (store.User, error)
}

// LastUses tells when the secrets of a key were last used.
type LastUses func(ctx context.Context, keyID string) ([]store.Use, error)

// Usage tells how much keys are used. Implementations MUST know what happened
// until InUse was called.
type Usage interface {
	// InUse returns the keys that were used since a time of late.
	InUse(ctx context.Context, since time.Time) ([]string, error)
	// Requests returns how many requests a key made from a time to another, and how
	// many of them were refused or failed.
	Requests(ctx context.Context, keyID string, from, to time.Time) (requests, errors int64, err error)
}

// judge judges all keys.
type judge struct {
	rules     Rules
	keys      Keys
	lastUses  LastUses
	usage     Usage
	sightings *sightings
	book      *book
}

// lately is how far back keys in use are looked for: between two evaluations none
// must be missed.
const lately = 15 * time.Minute

// run judges all keys and returns the alerts that begin or end. A key that cannot
// be read keeps its alerts as they are, and those of a key that is there no more end:
// a backup may have been restored.
func (j *judge) run(ctx context.Context, now time.Time) ([]Alert, error) {
	rated, err := j.rated(ctx, now)
	if err != nil {
		return nil, err
	}
	e := evaluation{judge: j, now: now, rated: rated, owners: map[string]*store.User{}}
	gone := j.book.firing("")
	for key, err := range store.AllKeys(ctx, j.keys, store.KeyFilter{}) {
		if err != nil {
			return e.turned, fmt.Errorf("judge keys: %w", err)
		}
		delete(gone, key.ID)
		e.key(ctx, &key)
	}
	for id := range gone {
		e.turned = append(e.turned, j.book.judged(&store.Key{ID: id}, nil, now)...)
	}
	return e.turned, errors.Join(e.errs...)
}

// rated returns the keys whose error rate is to be looked at: the others have not
// been used.
func (j *judge) rated(ctx context.Context, now time.Time) (map[string]bool, error) {
	ids, err := j.usage.InUse(ctx, now.Add(-lately))
	if err != nil {
		return nil, fmt.Errorf("judge keys: %w", err)
	}
	rated := j.book.firing(ErrorRate)
	for _, id := range ids {
		rated[id] = true
	}
	return rated, nil
}

// maxErrors bounds what an evaluation reports.
const maxErrors = 3

// evaluation is one run of a judge.
type evaluation struct {
	*judge
	now    time.Time
	rated  map[string]bool
	owners map[string]*store.User
	turned []Alert
	errs   []error
}

func (e *evaluation) key(ctx context.Context, k *store.Key) {
	f, err := e.facts(ctx, k)
	if err != nil {
		if len(e.errs) < maxErrors {
			e.errs = append(e.errs, fmt.Errorf("judge key %s: %w", k.ID, err))
		}
		return
	}
	e.turned = append(e.turned, e.book.judged(k, e.rules.judge(f, e.now), e.now)...)
}

func (e *evaluation) facts(ctx context.Context, k *store.Key) (*facts, error) {
	f := &facts{key: k, uses: map[store.SecretRef]time.Time{}}
	owner, err := e.owner(ctx, k)
	if err != nil {
		return nil, err
	}
	if f.active = k.StatusAt(e.now, owner) == store.Active; !f.active {
		return f, nil
	}
	uses, err := e.lastUses(ctx, k.ID)
	if err != nil {
		return nil, err
	}
	for _, use := range uses {
		f.uses[use.Secret] = use.At
	}
	if e.rated[k.ID] {
		f.requests, f.errors, err = e.usage.Requests(ctx, k.ID, e.now.Add(-e.rules.RateWindow), e.now.Add(time.Minute))
		if err != nil {
			return nil, err
		}
	}
	if e.rules.UnexpectedCountry {
		f.countries, err = e.sightings.list(ctx, k.ID)
	}
	return f, err
}

// owner reads each owner once; nil is one that is not there.
func (e *evaluation) owner(ctx context.Context, k *store.Key) (*store.User, error) {
	if k.Type != identity.UserKey {
		return nil, nil
	}
	if owner, ok := e.owners[k.OwnerID]; ok {
		return owner, nil
	}
	user, err := e.keys.User(ctx, k.OwnerID)
	if errors.Is(err, store.ErrNotFound) {
		e.owners[k.OwnerID] = nil
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	e.owners[k.OwnerID] = &user
	return &user, nil
}
