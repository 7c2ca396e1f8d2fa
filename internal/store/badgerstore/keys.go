package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/otlpgate/otlpgate/internal/store"
)

// CreateKey implements store.Keys.
func (s *Store) CreateKey(ctx context.Context, key store.Key, audit store.Audit) (store.Key, error) {
	normal, err := key.Normal()
	if err == nil {
		err = s.write(ctx, func(c *change) error { return c.createKey(&normal, audit) })
	}
	if err != nil {
		return store.Key{}, fmt.Errorf("create key %q: %w", key.ID, err)
	}
	return normal, nil
}

// UpdateKey implements store.Keys.
func (s *Store) UpdateKey(ctx context.Context, id string, edit func(*store.Key) (store.Audit, error)) (store.Key, error) {
	var updated store.Key
	var refused error
	err := s.write(ctx, func(c *change) error {
		old, err := c.key(id)
		if err != nil {
			return err
		}
		updated = clone(old)
		audit, err := edit(&updated)
		if err != nil {
			refused = err
			return err
		}
		return c.updateKey(&old, &updated, audit)
	})
	switch {
	case refused != nil && errors.Is(err, refused):
		return store.Key{}, refused
	case err != nil:
		return store.Key{}, fmt.Errorf("update key %q: %w", id, err)
	}
	return updated, nil
}

// Key implements store.Keys.
func (s *Store) Key(ctx context.Context, id string) (store.Key, error) {
	var key store.Key
	err := s.view(ctx, func(v *snapshot) (err error) {
		key, err = v.key(id)
		return err
	})
	if err != nil {
		return store.Key{}, fmt.Errorf("read key %q: %w", id, err)
	}
	return key, nil
}

// KeyByDigest implements store.Keys.
func (s *Store) KeyByDigest(ctx context.Context, digest store.Digest) (store.Key, error) {
	var key store.Key
	err := s.view(ctx, func(v *snapshot) (err error) {
		key, err = v.keyByDigest(digest)
		return err
	})
	if err != nil {
		return store.Key{}, fmt.Errorf("read key by digest %x…: %w", digest[:4], err)
	}
	return key, nil
}

// clone returns a key that shares no list with k. A record that was read is in
// normal form already.
func clone(k store.Key) store.Key {
	k, _ = k.Normal()
	return k
}

func (c *change) createKey(key *store.Key, audit store.Audit) error {
	if _, err := c.key(key.ID); !vacant(err) {
		return taken(err, "id %q", key.ID)
	}
	return c.writeKey(nil, key, audit)
}

// vacant reports whether a look-up has shown that nothing is in the way of a
// record to be written.
func vacant(lookUp error) bool { return errors.Is(lookUp, store.ErrNotFound) }

// taken says what is in the way, where it is not the look-up that failed.
func taken(lookUp error, what string, args ...any) error {
	if lookUp != nil {
		return lookUp
	}
	return fmt.Errorf(what+": %w", append(args, store.ErrExists)...)
}

// updateKey brings an edited key into normal form and stages it.
func (c *change) updateKey(old, edited *store.Key, audit store.Audit) error {
	normal, err := edited.Normal()
	if err != nil {
		return err
	}
	if err := checkUnmoved(old.ID, normal.ID, old.CreatedAt, normal.CreatedAt); err != nil {
		return err
	}
	*edited = normal
	return c.writeKey(old, edited, audit)
}

// checkUnmoved refuses edits of what listings and indexes are ordered by.
func checkUnmoved(oldID, id string, oldCreated, created time.Time) error {
	if id != oldID {
		return fmt.Errorf("id changed to %q, must stay: %w", id, store.ErrInvalid)
	}
	if !created.Equal(oldCreated) {
		return fmt.Errorf("creation time changed to %s, must stay: %w", created, store.ErrInvalid)
	}
	return nil
}

// writeKey stages a key, its index entries and its audit record. Old is what it
// replaces, nil for a new key.
func (c *change) writeKey(old, key *store.Key, audit store.Audit) error {
	key.Revision = c.number
	if err := c.indexDigests(old, key); err != nil {
		return err
	}
	if err := c.putRecord(keyKey(key.ID), key); err != nil {
		return err
	}
	c.listKey(old, key)
	return c.putAudit(key.ID, audit)
}

// indexDigests claims the digests that key has and old has not, and gives up
// those that only old has, with their last use.
func (c *change) indexDigests(old, key *store.Key) error {
	if old == nil {
		old = &store.Key{}
	}
	for _, secret := range key.Secrets {
		if _, kept := old.Secret(secret.Digest); kept {
			continue
		}
		if _, err := c.keyByDigest(secret.Digest); !vacant(err) {
			return taken(err, "digest %x…", secret.Digest[:4])
		}
		c.put(digestKey(secret.Digest), []byte(key.ID))
	}
	for _, secret := range old.Secrets {
		if _, kept := key.Secret(secret.Digest); !kept {
			c.put(digestKey(secret.Digest), nil)
			c.remove(useKey(old.ID, secret.Digest.Ref()))
		}
	}
	return nil
}

// listKey stages the listing entries that a key has and old has not, and the
// deletion of those that only old has.
func (c *change) listKey(old, key *store.Key) {
	var before map[string]bool
	if old != nil {
		before = listings(old)
	}
	after := listings(key)
	for entry := range after {
		if !before[entry] {
			c.list([]byte(entry))
		}
	}
	for entry := range before {
		if !after[entry] {
			c.remove([]byte(entry))
		}
	}
}

// listings are the listing entries of a key.
func listings(k *store.Key) map[string]bool {
	at := position(k.CreatedAt, k.ID)
	entries := map[string]bool{
		string(join([]byte{createdFamily}, at)):   true,
		string(join(statePrefix(stateOf(k)), at)): true,
	}
	if k.OwnerID != "" {
		entries[string(join(ownerPrefix(k.OwnerID), at))] = true
	}
	return entries
}
