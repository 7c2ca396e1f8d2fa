package catalog

import (
	"slices"
	"sort"
)

// order is all keys, sorted by a field, ascending.
type order struct {
	by    field
	slots []slot
	moved []slot // whose place has changed since, or that are not in it yet
}

// settle brings those that have moved to their places: the others are looked at
// only to be copied.
func (o *order) settle(entries []entry) {
	if len(o.moved) == 0 {
		return
	}
	moved := o.moved
	o.moved = nil
	slices.Sort(moved)
	moved = slices.Compact(moved)
	o.remove(moved, len(entries))
	slices.SortFunc(moved, func(a, b slot) int { return entries[a].place(o.by).compare(entries[b].place(o.by)) })
	o.insert(moved, entries)
}

// remove takes slots out, of which some may not be in it.
func (o *order) remove(gone []slot, of int) {
	if len(o.slots) == 0 {
		return
	}
	set := newSet(of)
	for _, s := range gone {
		set.add(s)
	}
	o.slots = slices.DeleteFunc(o.slots, set.has)
}

// insert puts in slots that are sorted, the last one first, so that all behind a
// place move once, by as many as are still to come.
func (o *order) insert(sorted []slot, entries []entry) {
	end := len(o.slots)
	o.slots = append(o.slots, sorted...)
	for i, s := range slices.Backward(sorted) {
		at := entries[s].place(o.by)
		n := sort.Search(end, func(n int) bool { return entries[o.slots[n]].place(o.by).compare(at) > 0 })
		copy(o.slots[n+i+1:], o.slots[n:end])
		o.slots[n+i] = s
		end = n
	}
}

// line is an order as a listing walks it.
type line struct {
	order      *order
	entries    []entry
	descending bool
}

func (l line) len() int { return len(l.order.slots) }

func (l line) at(n int) slot {
	if l.descending {
		return l.order.slots[l.len()-1-n]
	}
	return l.order.slots[n]
}

// search returns how many stand before a place: those that stand at it count
// where it is included.
func (l line) search(p *place, included bool) int {
	return sort.Search(l.len(), func(n int) bool {
		c := l.entries[l.at(n)].place(l.order.by).compare(*p)
		if l.descending {
			c = -c
		}
		return c > 0 || (c == 0 && !included)
	})
}

func (l line) placeOf(s slot) *place {
	p := l.entries[s].place(l.order.by)
	return &p
}
