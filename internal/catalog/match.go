package catalog

import (
	"strings"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// test is a filter as entries are tried by it.
type test struct {
	*index
	mask, flags flags // those of mask must be as in flags
	owner       slot  // noSlot: any
	plans       []slot
	status      store.Status
	now         int64  // Unix microseconds
	query       string // lower case
	found       []bool // users by slot: the query is in their name or email
}

// match returns the keys that pass a filter. It walks them as they lie in memory,
// since a walk in the order of a listing would wait for memory at each.
func (x *index) match(f *Filter) set {
	passed := newSet(len(x.entries))
	t, some := x.testOf(f)
	if !some {
		return passed
	}
	for s := range x.entries {
		if t.passes(&x.entries[s]) {
			passed.add(slot(s))
		}
	}
	return passed
}

// testOf reports false where nothing can pass.
func (x *index) testOf(f *Filter) (t test, some bool) {
	t = test{index: x, owner: noSlot, status: f.Status, now: f.Now.UnixMicro(), query: strings.ToLower(f.Query)}
	t.want(ofUser, f.Type == identity.UserKey, f.Type != "")
	t.want(ofTest, f.Environment == identity.Test, f.Environment != "")
	t.want(declared, true, f.Declared)
	if f.OwnerID != "" {
		var known bool
		if t.owner, known = x.owners[f.OwnerID]; !known {
			return t, false
		}
	}
	if f.Plan != "" {
		if t.plans = x.plansOf(f); len(t.plans) == 0 {
			return t, false
		}
	}
	if t.query != "" {
		t.found = x.usersWith(t.query)
	}
	return t, !strings.Contains(f.Query, separator)
}

// want makes a flag one of those that matter, where it does.
func (t *test) want(flag flags, is, matters bool) {
	t.mask |= flag.where(matters)
	t.flags |= flag.where(matters && is)
}

// plansOf returns the names that stand for the plan of a filter.
func (x *index) plansOf(f *Filter) []slot {
	var names []slot
	if s, known := x.plans[f.Plan]; known {
		names = append(names, s)
	}
	if f.Plan == f.DefaultPlan {
		names = append(names, x.plans[""])
	}
	return names
}

func (x *index) usersWith(query string) []bool {
	found := make([]bool, len(x.users))
	for s := range x.users {
		found[s] = strings.Contains(x.users[s].text, query)
	}
	return found
}

func (t *test) passes(e *entry) bool {
	return e.flags&t.mask == t.flags &&
		(t.owner == noSlot || t.owner == e.owner) &&
		(len(t.plans) == 0 || e.plan == t.plans[0] || e.plan == t.plans[len(t.plans)-1]) &&
		(t.status == "" || t.status == t.index.status(e, t.now)) &&
		(t.query == "" || strings.Contains(e.text(), t.query) || (e.owner != noSlot && t.found[e.owner]))
}
