package badgerkv

import (
	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
)

// Sizes in bytes. A value stays below Badger's value threshold (1 MiB), so that
// values live in the LSM tree, the value log stays empty and needs no garbage
// collection. Badger maps twice of either.
const (
	memTableSize     = 8 << 20
	valueLogFileSize = 4 << 20
)

// badgerOptions tunes Badger for many small writes and little memory.
func badgerOptions(directory string, logger *zap.Logger) badger.Options {
	o := badger.DefaultOptions(directory)
	o.Logger = badgerdb.NewLogger(logger)
	o.SyncWrites = false // see Sync
	o.NumVersionsToKeep = 1
	o.DetectConflicts = false // whoever reads, changes and writes sees to that
	o.MetricsEnabled = false  // expvar, global to the process
	o.MemTableSize = memTableSize
	o.NumMemtables = 2
	o.NumLevelZeroTables = 2
	o.NumLevelZeroTablesStall = 8
	o.NumCompactors = 2
	o.NumGoroutines = 2
	o.ValueLogFileSize = valueLogFileSize
	// Values come compressed, and blocks are served from the page cache. A block
	// cache is needed only with compression, and compression without one panics.
	o.Compression = options.None
	o.BlockCacheSize = 0
	o.IndexCacheSize = 0 // used with encryption only
	// On a bad checksum Badger's reads say "not found". So tables are verified
	// before they are opened (see inspect) and values when they are read (see
	// unseal).
	o.ChecksumVerificationMode = options.NoVerification
	o.BypassLockGuard = ownLock
	return o
}
