package badgerstore

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
)

// sealFormat is the first byte of every sealed value.
const sealFormat = 1

// sealOverhead is what sealing adds to a payload: format and checksum.
const sealOverhead = 1 + badgerdb.ChecksumSize

var errBadSeal = errors.New("checksum of a value does not match")

// seal wraps a payload for storage under key: the format byte, the CRC-32C of
// key and payload (big-endian), the payload.
func seal(key, payload []byte) []byte {
	value := make([]byte, sealOverhead, sealOverhead+len(payload))
	value[0] = sealFormat
	binary.BigEndian.PutUint32(value[1:], badgerdb.Checksum(key, payload))
	return append(value, payload...)
}

// unseal returns the payload that was sealed under key; it shares value's memory.
func unseal(key, value []byte) ([]byte, error) {
	if len(value) < sealOverhead || value[0] != sealFormat {
		return nil, errors.New("value of an unknown format")
	}
	payload := value[sealOverhead:]
	if binary.BigEndian.Uint32(value[1:]) != badgerdb.Checksum(key, payload) {
		return nil, errBadSeal
	}
	return payload, nil
}

// encode returns a record as the payload of its value. It leaves <, > and & as
// they are: escaped they would take six bytes each of what a record may have.
func encode(record any) ([]byte, error) {
	var payload bytes.Buffer
	e := json.NewEncoder(&payload)
	e.SetEscapeHTML(false)
	if err := e.Encode(record); err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	return bytes.TrimSuffix(payload.Bytes(), []byte("\n")), nil
}

// decode fills record from the payload of its value.
func decode(payload []byte, record any) error {
	if err := json.Unmarshal(payload, record); err != nil {
		return fmt.Errorf("decode record: %w", err)
	}
	return nil
}
