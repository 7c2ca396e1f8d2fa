package usage

import (
	"encoding/binary"
	"time"
)

// What is kept of usage, in a kv.Store:
//
//	u c len id        → what the key was used of late: a page of minutes, of the
//	                    newest headLength in which it was used
//	u m len id start  → page of minutes, of an hour
//	u h len id start  → page of hours, of a day
//	u d len id start  → page of days, of a month
//
// Len is one byte, start Unix seconds, 8 bytes big-endian.
const (
	usageFamily = 'u'
	headTag     = 'c'
)

// Everything is the id under which the use of all keys is added up, and
// Strangers that of what came without a key that exists. No key has either.
const (
	Everything = "\x00all"
	Strangers  = ""
)

var headPrefix = []byte{usageFamily, headTag}

func headKey(id string) []byte {
	return append([]byte{usageFamily, headTag, byte(len(id))}, id...)
}

// headID returns the id in what follows headPrefix.
func headID(suffix []byte) (string, bool) {
	if len(suffix) == 0 || int(suffix[0]) != len(suffix)-1 {
		return "", false
	}
	return string(suffix[1:]), true
}

func (l *level) prefix(id string) []byte {
	return append([]byte{usageFamily, l.tag, byte(len(id))}, id...)
}

func (l *level) key(id string, start time.Time) []byte {
	return append(l.prefix(id), position(start)...)
}

func position(at time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(max(at.Unix(), 0)))
}
