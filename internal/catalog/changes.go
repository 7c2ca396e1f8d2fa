package catalog

import (
	"context"

	"github.com/otlpgate/otlpgate/internal/store"
)

// mostChanges is how many changes are caught up with one by one. Where there are
// more, all is read anew, which is sure to end.
const mostChanges = 5000

// changes are records to be put.
type changes struct {
	keys  []store.Key
	users []store.User
	uses  []store.Use // of those keys, which are put without
}

// catchUp puts what has changed since seen. The token must be held.
func (c *Catalog) catchUp(ctx context.Context) error {
	newest, err := c.newest(ctx)
	switch {
	case err != nil:
		return err
	case c.index == nil || newest-c.seen > mostChanges:
		return c.build(ctx, newest)
	case newest == c.seen: // somebody else was faster
		return nil
	}
	changed, err := c.changedSince(ctx, newest)
	if err != nil {
		return err
	}
	c.put(func(x *index) {
		changed.putInto(x)
		c.seen = newest
	})
	return nil
}

// changedSince loads what the audit records name that are newer than seen, of
// which there are some.
func (c *Catalog) changedSince(ctx context.Context, newest uint64) (*changes, error) {
	targets, err := c.targetsSince(ctx, newest)
	if err != nil {
		return nil, err
	}
	changed := &changes{}
	for id := range targets {
		if err := c.load(ctx, id, changed); err != nil {
			return nil, err
		}
	}
	return changed, nil
}

// targetsSince returns the ids of records that have changed, of whatever kind: up
// to the newest change at least.
func (c *Catalog) targetsSince(ctx context.Context, newest uint64) (map[string]struct{}, error) {
	targets := map[string]struct{}{}
	page := store.Page{Limit: int(min(newest-c.seen, store.MaxLimit))}
	for {
		found, err := c.source.ListAudit(ctx, store.AuditFilter{}, page)
		if err != nil {
			return nil, err
		}
		for i := range found.Records {
			record := &found.Records[i]
			if record.Seq <= c.seen {
				return targets, nil
			}
			if record.Target != "" {
				targets[record.Target] = struct{}{}
			}
		}
		if page.Cursor = found.Next; page.Cursor == "" {
			return targets, nil
		}
	}
}

// load adds the key and the user with an id, which may be of either or neither.
func (c *Catalog) load(ctx context.Context, id string, into *changes) error {
	if err := c.loadUser(ctx, id, into); err != nil {
		return err
	}
	key, err := c.source.Key(ctx, id)
	if ok, err := found(err); err != nil || !ok {
		return err
	}
	uses, err := c.source.LastUses(ctx, id)
	if err != nil {
		return err
	}
	into.keys, into.uses = append(into.keys, key), append(into.uses, uses...)
	if !c.index.knowsOwner(&key) { // a user that was deleted long ago
		return c.loadUser(ctx, key.OwnerID, into)
	}
	return nil
}

func (c *Catalog) loadUser(ctx context.Context, id string, into *changes) error {
	user, err := c.source.User(ctx, id)
	ok, err := found(err)
	if ok {
		into.users = append(into.users, user)
	}
	return err
}

func (ch *changes) putInto(x *index) {
	for i := range ch.users {
		x.putUser(&ch.users[i])
	}
	for i := range ch.keys {
		x.putKey(&ch.keys[i])
	}
	for i := range ch.uses {
		x.putUse(&ch.uses[i])
	}
}
