package badgerkv

import (
	"encoding/binary"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
	"github.com/otlpgate/otlpgate/internal/kv"
)

// A value is kept as the CRC-32C of its key and itself, big-endian, and itself.
const sealLength = badgerdb.ChecksumSize

func seal(key, value []byte) []byte {
	sealed := binary.BigEndian.AppendUint32(make([]byte, 0, sealLength+len(value)), badgerdb.Checksum(key, value))
	return append(sealed, value...)
}

// unseal returns the value that was sealed under key; it shares its memory.
func unseal(key, sealed []byte) ([]byte, error) {
	if len(sealed) < sealLength {
		return nil, kv.ErrDamaged
	}
	value := sealed[sealLength:]
	if binary.BigEndian.Uint32(sealed) != badgerdb.Checksum(key, value) {
		return nil, kv.ErrDamaged
	}
	return value, nil
}
