package badgerstore

import (
	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
)

// Sizes in bytes. A record stays below Badger's value threshold (1 MiB), so that
// values live in the LSM tree, the value log stays empty and needs no garbage
// collection. A batch, which a last change of the largest kind may exceed, stays
// below what Badger takes in one transaction (15 % of a memtable).
const (
	memTableSize     = 8 << 20
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

// badgerOptions tunes Badger for small records, few writes, little memory and
// no loss.
func badgerOptions(directory string, logger *zap.Logger) badger.Options {
	o := badger.DefaultOptions(directory)
	o.Logger = badgerdb.NewLogger(logger)
	o.SyncWrites = true
	o.NumVersionsToKeep = 1
	o.DetectConflicts = false // writes are serialised by Store.write
	o.MetricsEnabled = false  // expvar, global to the process
	o.MemTableSize = memTableSize
	o.NumMemtables = 2
	o.NumLevelZeroTables = 2
	o.NumLevelZeroTablesStall = 6
	o.NumCompactors = 2
	o.NumGoroutines = 2
	o.ValueLogFileSize = valueLogFileSize
	// Blocks are served from the page cache. A block cache is needed only with
	// compression, and compression without one panics.
	o.Compression = options.None
	o.BlockCacheSize = 0
	o.IndexCacheSize = 0 // used with encryption only
	// On a block whose checksum is wrong Badger's reads say "not found" and its
	// compaction drops the rest of the table. So tables are verified before
	// they are opened (see inspect) and values when they are read (see unseal).
	o.ChecksumVerificationMode = options.NoVerification
	o.BypassLockGuard = ownLock
	return o
}
