package usage

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/otlpgate/otlpgate/internal/kv"
	"github.com/otlpgate/otlpgate/internal/kv/packed"
)

// A page holds the buckets of a key for a part of its time, by their place in it.
//
// It is kept as pageFormat and, packed, the Unix time in seconds when it starts; the
// number of buckets, and of each its place, the number of endpoints and of
// countries. An endpoint is its name, Requests, Failed, Items, RefusedItems, Bytes,
// the number of reasons, and each as its name and count; a country its name, Requests
// and Errors.
type page struct {
	start int64
	slots map[int]*Bucket
}

const pageFormat = 1

// errPage means that what was kept is no page.
var errPage = errors.New("is no page of usage")

func newPage(start int64) *page { return &page{start: start, slots: map[int]*Bucket{}} }

func (p *page) slot(i int) *Bucket {
	b := p.slots[i]
	if b == nil {
		b = &Bucket{}
		p.slots[i] = b
	}
	return b
}

// encode returns the page as it is kept. It merges names where there are too many
// to fit.
func (p *page) encode() []byte {
	var out []byte
	for _, most := range tighter {
		if out = p.encodeWithin(most); len(out) <= kv.MaxValue {
			break
		}
	}
	return out
}

func (p *page) encodeWithin(most bounds) []byte {
	var w packed.Writer
	w.Number(p.start)
	w.Number(int64(len(p.slots)))
	for _, place := range slices.Sorted(maps.Keys(p.slots)) {
		b := p.slots[place]
		b.bound(most)
		w.Number(int64(place))
		b.encode(&w)
	}
	return w.AppendTo([]byte{pageFormat})
}

func (b *Bucket) encode(w *packed.Writer) {
	w.Number(int64(len(b.Endpoints)))
	w.Number(int64(len(b.Countries)))
	for _, name := range slices.Sorted(maps.Keys(b.Endpoints)) {
		c := b.Endpoints[name]
		w.Text(name)
		for _, n := range []int64{c.Requests, c.Failed, c.Items, c.RefusedItems, c.Bytes, int64(len(c.Refused))} {
			w.Number(n)
		}
		for _, reason := range slices.Sorted(maps.Keys(c.Refused)) {
			w.Text(reason)
			w.Number(c.Refused[reason])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.Countries)) {
		c := b.Countries[name]
		w.Text(name)
		w.Number(c.Requests)
		w.Number(c.Errors)
	}
}

func decodePage(value []byte) (*page, error) {
	if len(value) == 0 || value[0] != pageFormat {
		return nil, errPage
	}
	r := packed.NewReader(value[1:])
	p := newPage(r.Number())
	for range r.Count() {
		place := int(r.Number())
		p.slots[place] = decodeBucket(r)
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("%w: %d bytes: %w", errPage, len(value), err)
	}
	return p, nil
}

func decodeBucket(r *packed.Reader) *Bucket {
	b := &Bucket{}
	endpoints, countries := r.Count(), r.Count()
	for range endpoints {
		c := b.endpoint(r.Text())
		for _, n := range []*int64{&c.Requests, &c.Failed, &c.Items, &c.RefusedItems, &c.Bytes} {
			*n = r.Number()
		}
		for range r.Count() {
			reason := r.Text()
			c.refuse(reason, r.Number())
		}
	}
	for range countries {
		c := b.country(r.Text())
		c.Requests, c.Errors = r.Number(), r.Number()
	}
	return b
}
