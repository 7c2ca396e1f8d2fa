package alert

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/otlpgate/otlpgate/internal/kv"
	"github.com/otlpgate/otlpgate/internal/store"
)

// book holds the alerts that fire, and those that have ended of late. Safe for
// concurrent use.
type book struct {
	store kv.Store

	mu     sync.Mutex // guards the rest
	alerts map[string]Alert
	byKey  map[string]map[string]bool // ids of alerts, by key
	dirty  map[string]bool            // ids of alerts that are not kept as they are
}

const (
	// resolvedKept is how long an alert that has ended is shown.
	resolvedKept = 30 * 24 * time.Hour
	// maxResolved is how many of them, the newest.
	maxResolved = 10_000
)

func newBook(s kv.Store) *book {
	return &book{store: s, alerts: map[string]Alert{}, byKey: map[string]map[string]bool{}, dirty: map[string]bool{}}
}

// load reads what was kept.
func (b *book) load(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.store.Walk(ctx, kv.Range{Prefix: []byte(alertPrefix)}, func(_, value []byte) (bool, error) {
		var a Alert
		if json.Unmarshal(value, &a) == nil && a.ID != "" {
			b.put(a)
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("read alerts: %w", err)
	}
	return nil
}

// put sets an alert. The lock must be held.
func (b *book) put(a Alert) {
	b.alerts[a.ID] = a
	if b.byKey[a.KeyID] == nil {
		b.byKey[a.KeyID] = map[string]bool{}
	}
	b.byKey[a.KeyID][a.ID] = true
}

// judged brings the alerts of a key to what was found amiss with it, and returns
// those that begin or end with that.
func (b *book) judged(k *store.Key, found []finding, now time.Time) []Alert {
	b.mu.Lock()
	defer b.mu.Unlock()
	var turned []Alert
	amiss := map[string]bool{}
	for _, f := range found {
		id := idOf(f.kind, k.ID, f.subject)
		amiss[id] = true
		if a, begins := b.fire(id, k, f, now); begins {
			turned = append(turned, a)
		}
	}
	for id := range b.byKey[k.ID] {
		a := b.alerts[id]
		if a.State != Firing || amiss[id] {
			continue
		}
		if a.OverSince.IsZero() {
			a.OverSince = now
		}
		if now.Sub(a.OverSince) >= a.Kind.lingers() {
			a.State, a.ResolvedAt, a.UpdatedAt, a.OverSince = Resolved, now, now, time.Time{}
			turned = append(turned, a)
		}
		b.put(a)
		b.dirty[id] = true
	}
	return turned
}

// fire lets an alert fire, and reports whether it did not before. The lock must be
// held.
func (b *book) fire(id string, k *store.Key, f finding, now time.Time) (Alert, bool) {
	a, known := b.alerts[id]
	before := a
	begins := !known || a.State != Firing
	if begins {
		a = Alert{ID: id, Kind: f.kind, KeyID: k.ID, Subject: f.subject, State: Firing, Severity: f.kind.severity(), StartedAt: now}
	}
	a.KeyName, a.KeyType, a.OwnerID, a.Summary, a.Description = k.Name, k.Type, k.OwnerID, f.summary, f.description
	a.OverSince = time.Time{}
	if a != before {
		a.UpdatedAt = now
		b.put(a)
		b.dirty[id] = true
	}
	return a, begins
}

// firing returns the ids of the keys with an alert of a kind that fires; the empty
// kind is any.
func (b *book) firing(kind Kind) map[string]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	ids := map[string]bool{}
	for _, a := range b.alerts {
		if a.State == Firing && (kind == "" || a.Kind == kind) {
			ids[a.KeyID] = true
		}
	}
	return ids
}

// counts returns how many alerts of each kind fire.
func (b *book) counts() map[Kind]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	counts := map[Kind]int{}
	for _, kind := range Kinds() {
		counts[kind] = 0
	}
	for _, a := range b.alerts {
		if a.State == Firing {
			counts[a.Kind]++
		}
	}
	return counts
}

// all returns the alerts, the newest first.
func (b *book) all() []Alert {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]Alert, 0, len(b.alerts))
	for _, a := range b.alerts {
		all = append(all, a)
	}
	slices.SortFunc(all, newestFirst)
	return all
}

// keep writes what has changed, each with what goes with it.
func (b *book) keep(ctx context.Context, notices map[string][]kv.Entry) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var groups [][]kv.Entry
	var ids []string
	for id := range b.dirty {
		a := b.alerts[id]
		value, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("encode alert %s: %w", id, err)
		}
		entry := kv.Entry{Key: []byte(alertPrefix + id), Value: value}
		if a.State == Resolved {
			entry.ExpiresAt = a.ResolvedAt.Add(resolvedKept)
		}
		groups, ids = append(groups, append([]kv.Entry{entry}, notices[id]...)), append(ids, id)
	}
	written, err := b.store.Write(ctx, groups)
	for _, id := range ids[:written] {
		delete(b.dirty, id)
	}
	if err != nil {
		return fmt.Errorf("keep %d alerts: %w", len(groups), err)
	}
	return nil
}

// forget drops alerts that have ended long ago, or are too many, here and from the
// store. It must not run together with what lets alerts fire.
func (b *book) forget(ctx context.Context, now time.Time) error {
	dropped := b.drop(now)
	if len(dropped) == 0 {
		return nil
	}
	if _, err := b.store.Write(ctx, dropped); err != nil {
		return fmt.Errorf("forget %d alerts: %w", len(dropped), err)
	}
	return nil
}

// drop drops them here, and returns what the store is to forget.
func (b *book) drop(now time.Time) [][]kv.Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	var dropped [][]kv.Entry
	var ended []Alert
	for _, a := range b.alerts {
		if a.State == Resolved && !b.dirty[a.ID] {
			ended = append(ended, a)
		}
	}
	slices.SortFunc(ended, func(x, y Alert) int { return y.ResolvedAt.Compare(x.ResolvedAt) })
	for i, a := range ended {
		if i < maxResolved && now.Sub(a.ResolvedAt) < resolvedKept {
			continue
		}
		dropped = append(dropped, []kv.Entry{{Key: []byte(alertPrefix + a.ID)}})
		delete(b.alerts, a.ID)
		if delete(b.byKey[a.KeyID], a.ID); len(b.byKey[a.KeyID]) == 0 {
			delete(b.byKey, a.KeyID)
		}
	}
	return dropped
}
