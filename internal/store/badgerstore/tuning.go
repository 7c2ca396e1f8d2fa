package badgerstore

import (
	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
)

// Sizes in bytes. A record stays below Badger's value threshold, and a batch, which
// a last change of the largest kind may exceed, below what Badger takes in one
// transaction (15 % of a memtable).
const (
	valueLogFileSize = 16 << 20
	maxRecord        = 256 << 10
	maxAudit         = 2 * maxRecord // it may hold what a record was and what it is
	maxMigrated      = 1 << 10       // what migrations may add to a record
)

// longestRecord bounds the payload of a record of a family.
func longestRecord(family byte) int {
	if family == auditFamily {
		return maxAudit
	}
	return maxRecord
}

// badgerOptions tunes Badger for small records, few writes and no loss.
func badgerOptions(directory string, logger *zap.Logger) badger.Options {
	o := badgerdb.Options(directory, logger)
	o.NumLevelZeroTablesStall = 6
	o.ValueLogFileSize = valueLogFileSize
	return o
}
