package usage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/otlpgate/otlpgate/internal/kv"
)

// A page holds the buckets of a key for a part of its time, by their place in it.
//
// It is kept as: pageFormat; the Unix time in seconds when it starts; the number
// of names, and each as its length and bytes; the number of buckets, and of each
// its place, the number of endpoints and of countries. An endpoint is its name's
// number, Requests, Failed, Items, RefusedItems, Bytes, the number of reasons, and
// each as its name's number and count; a country its name's number, Requests and
// Errors. All numbers are unsigned varints.
type page struct {
	start int64
	slots map[int]*Bucket
}

const pageFormat = 1

// maxNumber is more than anybody counts, and what adds up to it from all that a
// page holds is a number still.
const maxNumber = 1 << 56

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

// pageWriter numbers names as they come.
type pageWriter struct {
	names   map[string]uint64
	ordered []string
	body    []byte
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
	w := pageWriter{names: map[string]uint64{}}
	w.number(int64(len(p.slots)))
	for _, i := range slices.Sorted(maps.Keys(p.slots)) {
		p.slots[i].bound(most)
		w.bucket(i, p.slots[i])
	}
	out := append(make([]byte, 0, len(w.body)+64), pageFormat)
	out = binary.AppendUvarint(out, uint64(p.start))
	out = binary.AppendUvarint(out, uint64(len(w.ordered)))
	for _, name := range w.ordered {
		out = append(binary.AppendUvarint(out, uint64(len(name))), name...)
	}
	return append(out, w.body...)
}

func (w *pageWriter) number(n int64) { w.body = binary.AppendUvarint(w.body, uint64(n)) }

func (w *pageWriter) name(name string) {
	n, ok := w.names[name]
	if !ok {
		n = uint64(len(w.ordered))
		w.names[name] = n
		w.ordered = append(w.ordered, name)
	}
	w.body = binary.AppendUvarint(w.body, n)
}

func (w *pageWriter) bucket(place int, b *Bucket) {
	w.number(int64(place))
	w.number(int64(len(b.Endpoints)))
	w.number(int64(len(b.Countries)))
	for _, name := range slices.Sorted(maps.Keys(b.Endpoints)) {
		c := b.Endpoints[name]
		w.name(name)
		for _, n := range []int64{c.Requests, c.Failed, c.Items, c.RefusedItems, c.Bytes, int64(len(c.Refused))} {
			w.number(n)
		}
		for _, reason := range slices.Sorted(maps.Keys(c.Refused)) {
			w.name(reason)
			w.number(c.Refused[reason])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.Countries)) {
		c := b.Countries[name]
		w.name(name)
		w.number(c.Requests)
		w.number(c.Errors)
	}
}

// pageReader remembers the first error.
type pageReader struct {
	rest  []byte
	names []string
	err   error
}

func decodePage(value []byte) (*page, error) {
	if len(value) == 0 || value[0] != pageFormat {
		return nil, errPage
	}
	r := pageReader{rest: value[1:]}
	p := newPage(r.number())
	for range r.count() {
		r.names = append(r.names, r.text())
	}
	for range r.count() {
		place := int(r.number())
		p.slots[place] = r.bucket()
	}
	if r.err == nil && len(r.rest) > 0 {
		r.err = errPage
	}
	if r.err != nil {
		return nil, fmt.Errorf("%d bytes: %w", len(value), r.err)
	}
	return p, nil
}

func (r *pageReader) number() int64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > maxNumber {
		r.err = errPage
		r.rest = nil
		return 0
	}
	r.rest = r.rest[size:]
	return int64(n)
}

// count reads how many there are of what takes a byte at least.
func (r *pageReader) count() int {
	n := r.number()
	if n > int64(len(r.rest)) {
		r.err = errPage
		return 0
	}
	return int(n)
}

func (r *pageReader) text() string {
	n := r.count()
	text := string(r.rest[:n])
	r.rest = r.rest[n:]
	return text
}

func (r *pageReader) name() string {
	n := r.number()
	if n >= int64(len(r.names)) {
		r.err = errPage
		return ""
	}
	return r.names[n]
}

func (r *pageReader) bucket() *Bucket {
	b := &Bucket{}
	endpoints, countries := r.count(), r.count()
	for range endpoints {
		c := b.endpoint(r.name())
		for _, n := range []*int64{&c.Requests, &c.Failed, &c.Items, &c.RefusedItems, &c.Bytes} {
			*n = r.number()
		}
		for range r.count() {
			reason := r.name()
			c.refuse(reason, r.number())
		}
	}
	for range countries {
		c := b.country(r.name())
		c.Requests, c.Errors = r.number(), r.number()
	}
	return b
}
