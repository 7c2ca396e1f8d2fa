package accesslog

import (
	"encoding/base64"
	"encoding/binary"
	"time"
)

// What is kept of the log, in a kv.Store:
//
//	l minute shard run serial part → block of entries
//
// Minute is the Unix time in seconds, 8 bytes; shard one byte; run when the
// process began, Unix microseconds, 8 bytes; serial and part 4 bytes each. All are
// big-endian. The id of an entry is the base64url of all that and its place in the
// block, 2 bytes.
const (
	logFamily    = 'l'
	suffixLength = 8 + 1 + 8 + 4 + 4
	idLength     = suffixLength + 2
)

var logPrefix = []byte{logFamily}

func blockKey(at place, run int64, serial, part uint32) []byte {
	key := append([]byte{logFamily}, minutePosition(minuteStart(at.minute))...)
	key = append(key, at.shard)
	key = binary.BigEndian.AppendUint64(key, uint64(run))
	key = binary.BigEndian.AppendUint32(key, serial)
	return binary.BigEndian.AppendUint32(key, part)
}

func minutePosition(at time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(max(at.Unix(), 0)))
}

// parseSuffix reads what follows logPrefix in a key.
func parseSuffix(suffix []byte) (at place, ok bool) {
	if len(suffix) != suffixLength {
		return place{}, false
	}
	return place{int64(binary.BigEndian.Uint64(suffix)) / 60, suffix[8]}, true
}

func entryID(suffix []byte, index int) string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint16(suffix[:suffixLength:suffixLength], uint16(index)))
}
