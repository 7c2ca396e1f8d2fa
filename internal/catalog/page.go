package catalog

import (
	"github.com/otlpgate/otlpgate/internal/store"
)

// Listing says what is listed.
type Listing struct {
	Filter Filter
	Sort   Sort
	// Page has the Next or the Previous of another page of the same listing for
	// a cursor.
	Page store.Page
}

// Page is a part of a listing.
type Page struct {
	IDs []string // of keys
	// Total is how many keys the whole listing has, Offset how many of them
	// stand before the page.
	Total, Offset int
	// Next and Previous are cursors; empty where nothing is.
	Next, Previous string
}

// page returns the keys behind a position, or before it, as many as a page has.
func (l line) page(passed set, from position, size int) (found []slot, offset int) {
	if from.before {
		return l.before(passed, from.at, size)
	}
	return l.behind(passed, from.at, size)
}

func (l line) behind(passed set, p *place, size int) (found []slot, offset int) {
	start := 0
	if p != nil {
		start = l.search(p, true)
		offset = l.count(passed, start)
	}
	for n := start; n < l.len() && len(found) < size; n++ {
		if s := l.at(n); passed.has(s) {
			found = append(found, s)
		}
	}
	return found, offset
}

func (l line) before(passed set, p *place, size int) (found []slot, offset int) {
	end := l.len()
	if p != nil {
		end = l.search(p, false)
	}
	all := l.count(passed, end)
	found = make([]slot, min(size, all))
	for n, left := end-1, len(found); left > 0; n-- {
		if s := l.at(n); passed.has(s) {
			left--
			found[left] = s
		}
	}
	return found, all - len(found)
}

// count returns how many of the first n have passed.
func (l line) count(passed set, n int) int {
	slots, count := l.order.slots[:n], 0
	if l.descending {
		slots = l.order.slots[l.len()-n:]
	}
	for _, s := range slots {
		count += int(passed[s/64] >> (s % 64) & 1)
	}
	return count
}

// list returns the page of a listing that lies at a position.
func (x *index) list(l *Listing, o ordering, from position) Page {
	passed := x.match(&l.Filter)
	line := x.line(o.by, o.descending)
	found, offset := line.page(passed, from, l.Page.Size())
	page := Page{IDs: make([]string, len(found)), Total: passed.len(), Offset: offset}
	for i, s := range found {
		page.IDs[i] = x.entries[s].id()
	}
	edge := func(before bool, at int) string {
		p := position{before: before}
		if len(found) > 0 {
			p.at = line.placeOf(found[at])
		}
		return o.cursor(p)
	}
	if offset > 0 {
		page.Previous = edge(true, 0)
	}
	if offset+len(found) < page.Total {
		page.Next = edge(false, len(found)-1)
	}
	return page
}
