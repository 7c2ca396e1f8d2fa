package badgerdb

import "hash/crc32"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ChecksumSize is the size of a Checksum in bytes.
const ChecksumSize = crc32.Size

// Checksum is the CRC-32C of a key and its value. Stores check every value by it
// themselves because Badger, where it checks one and finds it bad, answers that the
// key does not exist.
func Checksum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}
