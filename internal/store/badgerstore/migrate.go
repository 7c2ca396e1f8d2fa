package badgerstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
)

// migration brings a store from one schema version to the next. It works in
// transactions of its own, as a store holds more than fits into one. A kill may
// come between any two of them, and as the new version is set behind the last,
// the next start runs the whole migration again: on what is half done it must
// do what is left.
type migration func(context.Context, *Store) error

// migrations[i] leads from schema version i+1 to i+2. Schema 1 is that of the
// first release.
var migrations = []migration{chainAudit}

// schemaVersion is the version that all steps lead to.
func schemaVersion(steps []migration) uint32 { return uint32(len(steps)) + 1 }

// knownSchema returns the version of the store, zero for an empty one, unless
// this release does not know it.
func (s *Store) knownSchema(steps []migration) (uint32, error) {
	version, err := s.schema()
	if err != nil {
		return 0, err
	}
	if newest := schemaVersion(steps); version > newest {
		return 0, fmt.Errorf("storage directory %q has schema version %d, this release knows up to %d: use a newer release of otlpgate",
			s.directory, version, newest)
	}
	return version, nil
}

// migrate brings the store from a schema version up to date. An empty store
// gets the newest.
func (s *Store) migrate(ctx context.Context, version uint32, steps []migration) error {
	newest := schemaVersion(steps)
	if version == 0 {
		return s.setSchema(newest)
	}
	for ; version < newest; version++ {
		s.logger.Info("migrating the storage directory", zap.String("directory", s.directory), zap.Uint32("from", version), zap.Uint32("to", version+1))
		err := steps[version-1](ctx, s)
		if err == nil {
			err = s.setSchema(version + 1)
		}
		if err != nil {
			return fmt.Errorf("migrate storage directory %q from schema version %d to %d: %w",
				s.directory, version, version+1, err)
		}
	}
	return nil
}

func (s *Store) setSchema(version uint32) error {
	return s.writeAll([]entry{{schemaKey, seal(schemaKey, binary.BigEndian.AppendUint32(nil, version))}})
}

// writeAll writes entries in one transaction, into a store that is not open yet.
func (s *Store) writeAll(entries []entry) error {
	return badgerdb.Guard(func() error {
		return s.db.Update(func(txn *badger.Txn) error {
			for _, e := range entries {
				if err := txn.Set(e.key, e.value); err != nil {
					return fmt.Errorf("write %.80q: %w", e.key, err)
				}
			}
			return nil
		})
	})
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
