package demo

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/otlpgate/otlpgate/internal/audit"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// key is a key of the company.
type key struct {
	name, description string
	owner             string // handle; empty for system keys
	by                string // handle of who made it; empty: an administrator
	test              bool
	scopes            []identity.Scope
	projects          []string
	plan              string
	limits            []limit.Limit
	allowed           []string // networks
	countries         []string // that are expected
	age               float64  // since when there is one, in days ago
	expires           float64  // in days from now; zero: never
	acts              []act
	sender            *sender
	signIn            bool // its secret is written down
	declared          bool // by a document

	user    *person // the owner; nil for system keys
	record  store.Key
	dice    dice
	perMin  float64 // requests that its plan allows; zero: any number
	sending bool    // usage is wanted of it
}

// act is something that is done with a key.
type act struct {
	ago    float64
	exact  bool // to the minute, as something follows from it that is to be so
	action string
	// edit changes the key.
	edit func(w *world, k *key, record *store.Key, at time.Time)
}

// rotated gives a key a new secret.
func rotated(ago float64, grace time.Duration) act {
	return act{ago, false, audit.KeyRotate, func(w *world, k *key, record *store.Key, at time.Time) {
		n := int(at.Unix()) // no two rotations happen at once
		record.Rotate(w.coined(k.kind(), k.name, n, at), grace, at)
	}}
}

// exactly lets something be done to the minute.
func exactly(a act) act {
	a.exact = true
	return a
}

// revoked ends a key.
func revoked(ago float64) act {
	return act{ago, false, audit.KeyRevoke, func(_ *world, _ *key, record *store.Key, at time.Time) { record.RevokedAt = at }}
}

// changed edits a key.
func changed(ago float64, edit func(*store.Key)) act {
	return act{ago, false, audit.KeyUpdate, func(_ *world, _ *key, record *store.Key, _ time.Time) { edit(record) }}
}

// extended moves the end of a key, to some days from now.
func extended(ago, expires float64) act {
	return act{ago, false, audit.KeyUpdate, func(w *world, _ *key, record *store.Key, _ time.Time) { record.ExpiresAt = w.endIn(expires) }}
}

// endIn returns when a key ends in some days from now, at midnight but for those
// that end soon.
func (w *world) endIn(days float64) time.Time {
	end := w.Now.Add(spanOf(days))
	if days > 30 {
		return end.Truncate(day)
	}
	return end.Truncate(time.Hour)
}

func (k *key) kind() credential.Kind {
	switch {
	case k.owner == "":
		return credential.Sys
	case k.test:
		return credential.Test
	}
	return credential.Live
}

// draft returns the key as it is made.
func (w *world) draft(k *key, at time.Time) store.Key {
	record := store.Key{
		ID: w.keyID(k.name), Name: k.name, Description: k.description, Type: identity.SystemKey, Environment: identity.Live,
		Scopes: k.scopes, Projects: k.projects, Plan: k.plan, Limits: k.limits, AllowedIPs: prefixes(k.allowed), ExpectedCountries: k.countries,
		Secrets: []store.Secret{w.coined(k.kind(), k.name, 0, at)}, CreatedAt: at, UpdatedAt: at,
	}
	if k.test {
		record.Environment = identity.Test
	}
	if k.expires != 0 {
		record.ExpiresAt = w.endIn(k.expires)
	}
	if secret, ok := w.signIns[k.name]; ok {
		record.Secrets[0] = minted(secret, at)
	}
	if k.user == nil {
		record.Role = leastRole(k.scopes)
		return record
	}
	record.Type, record.OwnerID = identity.UserKey, w.userID(k.owner)
	return record
}

// leastRole returns the smallest role that allows the scopes.
func leastRole(scopes []identity.Scope) identity.Role {
	set := identity.NewScopeSet(scopes...)
	for _, role := range []identity.Role{identity.Viewer, identity.Member} {
		if role.Scopes().HasAll(set) {
			return role
		}
	}
	return identity.AdminRole
}

func prefixes(texts []string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

// grow returns the events of a key's life.
func (w *world) grow(k *key) []event {
	at := w.workday(k.age)
	var events []event
	if !k.declared {
		moment := at
		events = append(events, event{at, func(ctx context.Context) error { return w.createKey(ctx, k, moment) }})
	}
	for _, a := range k.acts {
		done := w.workday(a.ago)
		if a.exact {
			done = w.back(a.ago)
		}
		at = later(done, at)
		moment := at
		events = append(events, event{at, func(ctx context.Context) error { return w.updateKey(ctx, k, a, moment) }})
	}
	return events
}

// keeper returns who acts on a key: whoever has made it, else an administrator.
func (w *world) keeper(k *key, at time.Time) by {
	if k.by == "" {
		return w.administrator(at)
	}
	return by{person: w.person(k.by)}
}

func (w *world) createKey(ctx context.Context, k *key, at time.Time) error {
	by := w.keeper(k, at)
	record := w.draft(k, at)
	record.CreatedBy = by.creator(w)
	kept, err := w.store.CreateKey(ctx, record, store.Audit{
		Time: at, Actor: by.actor(w), Action: audit.KeyCreate, Target: record.ID, Changes: audit.KeyChanges(nil, &record),
	})
	k.record = kept
	w.called(by, at, postKeys)
	return err
}

// endpointOf tells the call by which an action is done.
var endpointOf = map[string]string{audit.KeyRotate: rotateKey, audit.KeyRevoke: deleteKey, audit.KeyUpdate: patchKey}

func (w *world) updateKey(ctx context.Context, k *key, a act, at time.Time) error {
	by := w.keeper(k, at)
	kept, err := w.store.UpdateKey(ctx, w.keyID(k.name), func(record *store.Key) (store.Audit, error) {
		before := *record
		a.edit(w, k, record, at)
		record.UpdatedAt = at
		return store.Audit{Time: at, Actor: by.actor(w), Action: a.action, Target: record.ID, Changes: audit.KeyChanges(&before, record)}, nil
	})
	if err != nil {
		return fmt.Errorf("%s of %s: %w", a.action, k.name, err)
	}
	k.record = kept
	w.called(by, at, endpointOf[a.action])
	return nil
}
