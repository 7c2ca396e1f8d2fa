package badgerstore

import (
	"github.com/otlpgate/otlpgate/internal/store"
)

// chained returns a numbered audit record in normal form, sealed as the one
// that follows the record with the hash head.
func chained(audit store.Audit, head store.Digest) (store.Audit, error) {
	audit, err := audit.Normal()
	if err != nil {
		return store.Audit{}, err
	}
	return audit.Sealed(head)
}

// head returns the hash of the newest audit record, whose number is given; zero
// where there is none.
func (v *snapshot) head(newest uint64) (store.Digest, error) {
	if newest == 0 {
		return store.Digest{}, nil
	}
	var record store.Audit
	err := found(v.record(auditKey(newest), &record))
	return record.Hash, err
}
