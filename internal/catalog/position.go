package catalog

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/cursor"
)

// ordering is how a listing is sorted, and what makes its cursors.
type ordering struct {
	by         field
	descending bool
	name       cursor.Listing
}

// position is where a page begins, or ends.
type position struct {
	before bool   // the page ends there
	at     *place // nil: the beginning of the listing, or its end
}

// ordering returns the one of a listing.
func (l *Listing) ordering() (ordering, error) {
	by, descending, err := l.Sort.parts()
	f := &l.Filter
	return ordering{by, descending, cursor.Of("catalog", strconv.Itoa(int(by)), strconv.FormatBool(descending),
		string(f.Status), string(f.Type), string(f.Environment), f.OwnerID, f.Plan, strconv.FormatBool(f.Declared), f.Query)}, err
}

// The first byte of a position, which tells on which side of it the page lies.
const (
	behindIt = '>'
	beforeIt = '<'
)

// cursor returns the text of a position: the side, and then of a place the number,
// the length of the text, the text and the id.
func (o ordering) cursor(p position) string {
	raw := []byte{behindIt}
	if p.before {
		raw[0] = beforeIt
	}
	if p.at != nil {
		raw = binary.BigEndian.AppendUint64(raw, uint64(p.at.number))
		raw = binary.AppendUvarint(raw, uint64(len(p.at.text)))
		raw = append(append(raw, p.at.text...), p.at.id...)
	}
	return o.name.At(raw)
}

// position reads what cursor wrote; the empty text is the beginning.
func (o ordering) position(text string) (position, error) {
	raw, err := o.name.Position(text, 1)
	if err != nil || raw == nil {
		return position{}, err
	}
	p, ok := position{before: raw[0] == beforeIt}, true
	if len(raw) > 1 {
		p.at, ok = placeFrom(raw[1:])
	}
	if !ok {
		return position{}, fmt.Errorf("cursor %.40q: must be one that the same listing gave: %w", text, store.ErrBadCursor)
	}
	return p, nil
}

func placeFrom(raw []byte) (*place, bool) {
	if len(raw) < 8 {
		return nil, false
	}
	number, rest := binary.BigEndian.Uint64(raw), raw[8:]
	length, n := binary.Uvarint(rest)
	if n <= 0 || length > uint64(len(rest)-n) {
		return nil, false
	}
	rest = rest[n:]
	return &place{number: int64(number), text: string(rest[:length]), id: string(rest[length:])}, true
}
