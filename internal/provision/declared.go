package provision

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"time"

	"github.com/otlpgate/otlpgate/internal/store"
)

// Reconciliation counts what Declared changed.
type Reconciliation struct {
	Created, Updated, Withdrawn int
}

// Declared makes the store's declared keys be those given: new ones are
// created, changed ones updated, and those no longer given withdrawn, which
// refuses them until they are declared again. Each key needs ID, Name, Type,
// Environment, Role or OwnerID, Scopes and one Secret; the rest is optional.
// Keys made through the API are never touched: an id or digest of one is an
// error.
func Declared(ctx context.Context, s store.Store, keys []store.Key, now time.Time) (Reconciliation, error) {
	var done Reconciliation
	wanted := make(map[string]bool, len(keys))
	for i := range keys {
		wanted[keys[i].ID] = true
		if err := declare(ctx, s, keys[i], now, &done); err != nil {
			return done, fmt.Errorf("declared key %s: %w", keys[i].ID, err)
		}
	}
	for key, err := range allKeys(ctx, s, store.KeyFilter{Declared: true}) {
		if err != nil {
			return done, err
		}
		if wanted[key.ID] || key.Withdrawn {
			continue
		}
		if err := withdraw(ctx, s, key.ID, now); err != nil {
			return done, fmt.Errorf("withdraw declared key %s: %w", key.ID, err)
		}
		done.Withdrawn++
	}
	return done, nil
}

func declare(ctx context.Context, s store.Store, key store.Key, now time.Time, done *Reconciliation) error {
	if err := release(ctx, s, key, now); err != nil {
		return err
	}
	current, err := s.Key(ctx, key.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		done.Created++
		return createDeclared(ctx, s, key, now)
	case err != nil:
		return err
	case !current.Declared:
		return errors.New("this id belongs to a key made through the admin API: declare another id")
	}
	merged, err := merge(current, key, now).Normal()
	if err != nil {
		return err
	}
	if reflect.DeepEqual(merged, current) {
		return nil
	}
	done.Updated++
	return updateDeclared(ctx, s, key, now)
}

// release takes the digests of key from other declared keys, so that a key can
// be given another id and two can change places. One that was revoked keeps
// them: it cannot come back under another id.
func release(ctx context.Context, s store.Store, key store.Key, now time.Time) error {
	for _, secret := range key.Secrets {
		holder, err := s.KeyByDigest(ctx, secret.Digest)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err != nil || holder.ID == key.ID || !holder.Declared || !holder.RevokedAt.IsZero() {
			continue
		}
		_, err = s.UpdateKey(ctx, holder.ID, func(k *store.Key) (store.Audit, error) {
			k.Secrets = slices.DeleteFunc(k.Secrets, func(s store.Secret) bool { return s.Digest == secret.Digest })
			k.UpdatedAt = now
			return store.Audit{Time: now, Action: "key.declare", Target: k.ID}, nil
		})
		if err != nil {
			return fmt.Errorf("take its digest from declared key %s: %w", holder.ID, err)
		}
	}
	return nil
}

func createDeclared(ctx context.Context, s store.Store, key store.Key, now time.Time) error {
	key.Declared, key.CreatedAt, key.UpdatedAt = true, now, now
	for i := range key.Secrets {
		key.Secrets[i].CreatedAt = now
	}
	_, err := s.CreateKey(ctx, key, store.Audit{Time: now, Action: "key.declare", Target: key.ID})
	return digestTaken(err)
}

func updateDeclared(ctx context.Context, s store.Store, key store.Key, now time.Time) error {
	_, err := s.UpdateKey(ctx, key.ID, func(k *store.Key) (store.Audit, error) {
		*k = merge(*k, key, now)
		k.UpdatedAt = now
		return store.Audit{Time: now, Action: "key.declare", Target: k.ID}, nil
	})
	return digestTaken(err)
}

func digestTaken(err error) error {
	if errors.Is(err, store.ErrExists) {
		return fmt.Errorf("another key has the same digest: declare each key once (%w)", err)
	}
	return err
}

// merge returns current with everything that a declaration sets at now.
func merge(current, declared store.Key, now time.Time) store.Key {
	merged := declared
	merged.Declared = true
	merged.CreatedAt, merged.CreatedBy, merged.UpdatedAt = current.CreatedAt, current.CreatedBy, current.UpdatedAt
	merged.Revision, merged.RevokedAt = current.Revision, current.RevokedAt
	merged.Secrets = make([]store.Secret, len(declared.Secrets))
	for i, secret := range declared.Secrets {
		secret.CreatedAt = now
		if known, ok := current.Secret(secret.Digest); ok {
			secret.CreatedAt = known.CreatedAt
		}
		merged.Secrets[i] = secret
	}
	return merged
}

func withdraw(ctx context.Context, s store.Store, id string, now time.Time) error {
	_, err := s.UpdateKey(ctx, id, func(k *store.Key) (store.Audit, error) {
		k.Withdrawn, k.UpdatedAt = true, now
		return store.Audit{Time: now, Action: "key.withdraw", Target: id}, nil
	})
	return err
}

// allKeys walks every page of a listing.
func allKeys(ctx context.Context, s store.Keys, filter store.KeyFilter) iter.Seq2[store.Key, error] {
	return func(yield func(store.Key, error) bool) {
		page := store.Page{Limit: store.MaxLimit}
		for {
			found, err := s.ListKeys(ctx, filter, page)
			if err != nil {
				yield(store.Key{}, fmt.Errorf("list keys: %w", err))
				return
			}
			for i := range found.Keys {
				if !yield(found.Keys[i], nil) {
					return
				}
			}
			if page.Cursor = found.Next; page.Cursor == "" {
				return
			}
		}
	}
}
