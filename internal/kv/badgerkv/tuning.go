package badgerkv

import (
	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
)

// valueLogFileSize is in bytes. Badger maps twice of it.
const valueLogFileSize = 4 << 20

// badgerOptions tunes Badger for many small writes, of which the last may be lost.
func badgerOptions(directory string, logger *zap.Logger) badger.Options {
	o := badgerdb.Options(directory, logger)
	o.SyncWrites = false // see Sync
	o.NumLevelZeroTablesStall = 8
	o.ValueLogFileSize = valueLogFileSize
	return o
}
