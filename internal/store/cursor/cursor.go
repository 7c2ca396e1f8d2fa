// Package cursor makes the cursors of listings: opaque texts that name a place in
// one listing and are refused in any other.
package cursor

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/otlpgate/otlpgate/internal/store"
)

// format is the first byte of every cursor.
const format = 1

var table = crc32.MakeTable(crc32.Castagnoli)

// Listing makes and reads the cursors of one listing, which is named by its kind
// and filter. A cursor is the base64url of the format byte, a CRC-32C over listing
// and position (4 bytes), and the position of the last record returned.
type Listing string

// Of names a listing by its kind and the parts of its filter.
func Of(kind string, filter ...string) Listing {
	return Listing(fmt.Sprintf("%s%q", kind, filter))
}

// At returns the cursor that continues behind a position.
func (l Listing) At(position []byte) string {
	raw := binary.BigEndian.AppendUint32([]byte{format}, l.sum(position))
	return base64.RawURLEncoding.EncodeToString(append(raw, position...))
}

// Position returns what a cursor points at, which has a number of bytes at least;
// nil for the empty cursor. The error of any other text is store.ErrBadCursor.
func (l Listing) Position(cursor string, atLeast int) ([]byte, error) {
	if cursor == "" {
		return nil, nil
	}
	const head = 1 + crc32.Size
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) < head+atLeast || raw[0] != format ||
		binary.BigEndian.Uint32(raw[1:]) != l.sum(raw[head:]) {
		return nil, fmt.Errorf("cursor %.40q: must be the next cursor of the same listing: %w", cursor, store.ErrBadCursor)
	}
	return raw[head:], nil
}

func (l Listing) sum(position []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte(l), table), table, position)
}
