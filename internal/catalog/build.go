package catalog

import (
	"context"

	"github.com/otlpgate/otlpgate/internal/store"
)

// build reads all keys and users, after a change with that number. The token must
// be held. Changes that come meanwhile are seen in part, or not: the next catchUp
// loads them.
func (c *Catalog) build(ctx context.Context, seen uint64) error {
	x, err := c.readAll(ctx)
	if err != nil {
		return err
	}
	x.settle()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.index, c.seen = x, seen
	return nil
}

func (c *Catalog) readAll(ctx context.Context) (*index, error) {
	x := newIndex()
	if err := c.readUsers(ctx, x); err != nil {
		return nil, err
	}
	if err := c.readKeys(ctx, x); err != nil {
		return nil, err
	}
	for use, err := range c.source.AllUses(ctx) {
		if err != nil {
			return nil, err
		}
		x.putUse(&use)
	}
	return x, nil
}

func (c *Catalog) readUsers(ctx context.Context, x *index) error {
	for user, err := range store.AllUsers(ctx, c.source, store.UserFilter{}) {
		if err != nil {
			return err
		}
		x.putUser(&user)
	}
	return nil
}

// readKeys also reads the owners that are listed no more, as they are deleted.
func (c *Catalog) readKeys(ctx context.Context, x *index) error {
	var unlisted []string
	for key, err := range store.AllKeys(ctx, c.source, store.KeyFilter{}) {
		if err != nil {
			return err
		}
		if !x.knowsOwner(&key) {
			unlisted = append(unlisted, key.OwnerID)
		}
		x.putKey(&key)
	}
	for _, id := range unlisted {
		user, err := c.source.User(ctx, id)
		if ok, err := found(err); err != nil {
			return err
		} else if ok {
			x.putUser(&user)
		}
	}
	return nil
}
