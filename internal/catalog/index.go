package catalog

import (
	"strings"

	"github.com/otlpgate/otlpgate/internal/store"
)

// index is what is held of all keys and users. What has changed is put, which
// marks where it stands no more, and then settled. Not safe for concurrent use.
type index struct {
	entries []entry
	keys    map[string]slot // by id
	users   []user
	owners  map[string]slot // by id
	plans   map[string]slot // by name; the empty one is 0
	orders  [fields]order
}

// user is what is held of one, or of an id that is an owner's and no user's.
type user struct {
	text    string // lower-case name and email
	enabled bool
}

func newIndex() *index {
	x := &index{keys: map[string]slot{}, owners: map[string]slot{}, plans: map[string]slot{"": 0}}
	for by := range x.orders {
		x.orders[by].by = field(by)
	}
	return x
}

// putUser adds a user or replaces what was held of it.
func (x *index) putUser(u *store.User) {
	x.users[x.owner(u.ID)] = user{
		text:    strings.ToLower(u.Name + separator + u.Email),
		enabled: u.Enabled(),
	}
}

// owner returns the slot of a user, who is none until put.
func (x *index) owner(id string) slot {
	s, ok := x.owners[id]
	if !ok {
		s = slot(len(x.users))
		x.users, x.owners[id] = append(x.users, user{}), s
	}
	return s
}

// knowsOwner reports whether the owner of a key is held, if it has one.
func (x *index) knowsOwner(k *store.Key) bool {
	_, ok := x.owners[k.OwnerID]
	return ok || k.OwnerID == ""
}

// putKey adds a key, or replaces what was held of it, without its last use.
func (x *index) putKey(k *store.Key) {
	e := newEntry(k)
	if k.OwnerID != "" {
		e.owner = x.owner(k.OwnerID)
	}
	e.plan = x.plan(k.Plan)
	s, known := x.keys[k.ID]
	if !known {
		s = slot(len(x.entries))
		x.entries = append(x.entries, entry{})
	}
	x.keys[e.id()] = s // also where it is known: the id in the map is part of data
	for by := range x.orders {
		if o := &x.orders[by]; !known || x.entries[s].place(o.by) != e.place(o.by) {
			o.moved = append(o.moved, s)
		}
	}
	x.entries[s] = e
}

func (x *index) plan(name string) slot {
	s, ok := x.plans[name]
	if !ok {
		s = slot(len(x.plans))
		x.plans[strings.Clone(name)] = s
	}
	return s
}

// putUse notes a use, unless it is of a secret that no key has, or a later one is
// known.
func (x *index) putUse(u *store.Use) {
	if s, ok := x.isNews(u); ok {
		x.entries[s].used = u.At.UnixMicro()
		x.orders[byUsed].moved = append(x.orders[byUsed].moved, s)
	}
}

// isNews reports whether a use says something of a key, and of which.
func (x *index) isNews(u *store.Use) (slot, bool) {
	s, ok := x.keys[u.KeyID]
	if !ok {
		return 0, false
	}
	e := &x.entries[s]
	return s, u.At.UnixMicro() > e.used && e.has(u.Secret)
}

// settle brings the orders up to what was put.
func (x *index) settle() {
	for by := range x.orders {
		x.orders[by].settle(x.entries)
	}
}

// line returns all keys as they are sorted.
func (x *index) line(by field, descending bool) line {
	return line{order: &x.orders[by], entries: x.entries, descending: descending}
}

// status is Key.StatusAt of an entry.
func (x *index) status(e *entry, now int64) store.Status {
	switch {
	case e.flags&revoked != 0:
		return store.Revoked
	case e.expires <= now:
		return store.Expired
	case e.flags&withdrawn != 0, e.flags&ofUser != 0 && (e.owner == noSlot || !x.users[e.owner].enabled):
		return store.Disabled
	}
	return store.Active
}
