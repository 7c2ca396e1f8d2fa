package badgerstore

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/otlpgate/otlpgate/internal/store"
)

// cursorFormat is the first byte of every cursor.
const cursorFormat = 1

// cursors makes and reads the cursors of one listing, which is named by its
// kind and filter: the cursor of one listing is not valid in another. A cursor
// is the base64url of the format byte, a CRC-32C over listing and position
// (4 bytes), and the position of the last record returned.
type cursors string

// listing names a listing by its kind and the parts of its filter.
func listing(kind string, filter ...string) cursors {
	return cursors(fmt.Sprintf("%s%q", kind, filter))
}

// at returns the cursor that continues behind a position.
func (l cursors) at(position []byte) string {
	raw := binary.BigEndian.AppendUint32([]byte{cursorFormat}, l.sum(position))
	return base64.RawURLEncoding.EncodeToString(append(raw, position...))
}

// position returns what a cursor points at, nil for the empty cursor.
func (l cursors) position(cursor string) ([]byte, error) {
	if cursor == "" {
		return nil, nil
	}
	const head = 1 + crc32.Size
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) < head+positionLength || raw[0] != cursorFormat ||
		binary.BigEndian.Uint32(raw[1:]) != l.sum(raw[head:]) {
		return nil, fmt.Errorf("cursor %.40q: must be the next cursor of the same listing: %w", cursor, store.ErrBadCursor)
	}
	return raw[head:], nil
}

func (l cursors) sum(position []byte) uint32 { return checksum([]byte(l), position) }
