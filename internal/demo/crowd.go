package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/audit"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// crowd are keys beyond those of the company's story, as a program makes them that
// gives a key to each of its tenants: in throngs, each at one moment, so that the
// store can write those of a throng together.
type crowd struct {
	size    int
	senders []*key // the first, as many as are to have usage
}

const (
	// throngSize is how many keys are made together: as many as the store writes
	// at once.
	throngSize = 256
	// perTenant is how many keys a tenant has, on average.
	perTenant = 64
)

func (c *crowd) users() int { return (c.size + perTenant - 1) / perTenant }

func (w *world) newCrowd(size, senders int) *crowd {
	c := &crowd{size: max(size, 0)}
	for n := range min(max(senders, 0), c.size) {
		name := crowdName(n)
		d := newDice(w.Seed, name)
		c.senders = append(c.senders, &key{name: name, dice: d, user: &person{record: store.User{Active: true}}, sender: &sender{
			agent: []string{goSDK, pythonSDK, nodeSDK, javaSDK, collector}[n%5], rhythm: []rhythm{office, shopping, steady}[n%3],
			rate: d.about(6, .9), growth: .3, spread: 1, failing: .001,
			flows: []flow{traces(access.GRPC, .8, 20), metrics(.2, 60)}, from: []origin{at(countries[n%12], 3, 2, 1)},
		}})
	}
	return c
}

// keep notes how the nth key is kept, where it is one that sends. Each may be noted
// together with others.
func (c *crowd) keep(n int, record store.Key) {
	if n < len(c.senders) {
		c.senders[n].record = record
	}
}

func crowdName(n int) string { return fmt.Sprintf("tenant-%05d-ingest-%02d", n/perTenant, n%perTenant) }

func (w *world) tenantID(n int) string { return w.userID(fmt.Sprintf("tenant %d", n/perTenant)) }

// throng returns the events of the crowd: throngs of keys, spread over the
// company's life, and the ends of some.
func (w *world) throng() []event {
	throngs := (w.crowd.size + throngSize - 1) / throngSize
	events := make([]event, 0, 2*throngs)
	for n := range throngs {
		made := w.back(300 - 270*float64(n)/float64(throngs)).Truncate(time.Minute)
		ended := made.Add(25 * day)
		first, last := n*throngSize, min((n+1)*throngSize, w.crowd.size)
		events = append(events,
			event{made, func(ctx context.Context) error { return w.together(ctx, first, last, made, w.tenant) }},
			event{made, func(ctx context.Context) error { return w.together(ctx, first, last, made, w.member) }},
			event{ended, func(ctx context.Context) error { return w.together(ctx, first, last, ended, w.dismiss) }})
	}
	return events
}

// together does something for each of a range of the crowd, all at once.
func (w *world) together(ctx context.Context, first, last int, at time.Time, do func(ctx context.Context, n int, at time.Time) error) error {
	errs := make([]error, last-first)
	var doing sync.WaitGroup
	for n := first; n < last; n++ {
		doing.Go(func() { errs[n-first] = do(ctx, n, at) })
	}
	doing.Wait()
	return errors.Join(errs...)
}

// operator is who makes the crowd: a program with the administrator's key.
func (w *world) operator() store.Actor { return by{}.actor(w) }

// tenant makes the user of the nth key, where that is the tenant's first.
func (w *world) tenant(ctx context.Context, n int, at time.Time) error {
	if n%perTenant != 0 {
		return nil
	}
	user := store.User{
		ID: w.tenantID(n), Name: fmt.Sprintf("Tenant %05d", n/perTenant), Email: fmt.Sprintf("tenant-%05d@example.com", n/perTenant),
		Role: identity.Member, Active: true, CreatedAt: at, UpdatedAt: at,
	}
	_, err := w.store.CreateUser(ctx, user, store.Audit{
		Time: at, Actor: w.operator(), Action: audit.UserCreate, Target: user.ID, Changes: audit.UserChanges(nil, &user),
	})
	return err
}

// member makes the nth key. One in twenty has expired.
func (w *world) member(ctx context.Context, n int, at time.Time) error {
	k := key{name: crowdName(n), description: "Made by the provisioner", owner: "tenant", scopes: otlp, plan: []string{"free", "pro", "enterprise"}[n%3]}
	d := newDice(w.Seed, k.name)
	record := w.draft(&k, at)
	record.Type, record.OwnerID, record.Role, record.CreatedBy = identity.UserKey, w.tenantID(n), "", w.bootstrap.ID
	if d.IntN(20) == 0 {
		record.ExpiresAt = at.Add(14 * day).Truncate(time.Hour)
	}
	kept, err := w.store.CreateKey(ctx, record, store.Audit{
		Time: at, Actor: w.operator(), Action: audit.KeyCreate, Target: record.ID, Changes: audit.KeyChanges(nil, &record),
	})
	w.crowd.keep(n, kept)
	return err
}

// dismissed reports whether the nth key was revoked.
func dismissed(n int) bool { return n%17 == 16 }

// dismiss revokes the nth key, where it is one of those that were.
func (w *world) dismiss(ctx context.Context, n int, at time.Time) error {
	if !dismissed(n) {
		return nil
	}
	kept, err := w.store.UpdateKey(ctx, w.keyID(crowdName(n)), func(k *store.Key) (store.Audit, error) {
		before := *k
		k.RevokedAt, k.UpdatedAt = at, at
		return store.Audit{Time: at, Actor: w.operator(), Action: audit.KeyRevoke, Target: k.ID, Changes: audit.KeyChanges(&before, k)}, nil
	})
	w.crowd.keep(n, kept)
	return err
}

// remember gives the crowd their last uses: most were used of late.
func (w *world) remember() {
	for n := range w.crowd.size {
		name := crowdName(n)
		d := newDice(w.Seed, "use of "+name)
		at := w.Now.Add(-time.Duration(d.Float64() * d.Float64() * float64(29*day))).Truncate(time.Microsecond)
		if !dismissed(n) && n%500 != 7 { // these were never used
			w.uses.note(w.keyID(name), w.digestFor("secret 0 of "+name).Ref(), at)
		}
	}
}
