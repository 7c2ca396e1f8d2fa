package badgerstore

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// migration brings a store from one schema version to the next, in one
// transaction.
type migration func(*badger.Txn) error

// migrations[i] leads from schema version i+1 to i+2. Schema 1 is that of the
// first release.
var migrations []migration

// schemaVersion is the version that all steps lead to.
func schemaVersion(steps []migration) uint32 { return uint32(len(steps)) + 1 }

// migrate brings the store's schema up to date. An empty store gets the newest.
func (s *Store) migrate(steps []migration) error {
	version, err := s.schema()
	if err != nil {
		return err
	}
	newest := schemaVersion(steps)
	if version > newest {
		return fmt.Errorf("storage directory %q has schema version %d, this release knows up to %d: use a newer release of otlpgate",
			s.directory, version, newest)
	}
	if version == 0 {
		return s.update(func(txn *badger.Txn) error { return setSchema(txn, newest) })
	}
	for ; version < newest; version++ {
		err := s.update(func(txn *badger.Txn) error {
			return errors.Join(steps[version-1](txn), setSchema(txn, version+1))
		})
		if err != nil {
			return fmt.Errorf("migrate storage directory %q from schema version %d to %d: %w",
				s.directory, version, version+1, err)
		}
	}
	return nil
}

func (s *Store) update(write func(*badger.Txn) error) error {
	return guard(func() error { return s.db.Update(write) })
}

func setSchema(txn *badger.Txn, version uint32) error {
	return txn.Set(schemaKey, seal(schemaKey, binary.BigEndian.AppendUint32(nil, version)))
}

// schema returns the version of the store, zero for an empty one.
func (s *Store) schema() (uint32, error) {
	txn := s.db.NewTransaction(false)
	defer txn.Discard()
	payload, ok, err := (&snapshot{s, txn}).get(schemaKey)
	switch {
	case err != nil || !ok:
		return 0, err
	case len(payload) != 4:
		return 0, damaged(s.directory, errors.New("schema version is garbled"))
	}
	return binary.BigEndian.Uint32(payload), nil
}
