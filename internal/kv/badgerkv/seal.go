package badgerkv

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/otlpgate/otlpgate/internal/kv"
)

// A value is kept as the CRC-32C of its key and itself, big-endian, and itself.
const sealLength = crc32.Size

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func seal(key, value []byte) []byte {
	sealed := binary.BigEndian.AppendUint32(make([]byte, 0, sealLength+len(value)), checksum(key, value))
	return append(sealed, value...)
}

// unseal returns the value that was sealed under key; it shares its memory.
func unseal(key, sealed []byte) ([]byte, error) {
	if len(sealed) < sealLength {
		return nil, kv.ErrDamaged
	}
	value := sealed[sealLength:]
	if binary.BigEndian.Uint32(sealed) != checksum(key, value) {
		return nil, kv.ErrDamaged
	}
	return value, nil
}

func checksum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}
