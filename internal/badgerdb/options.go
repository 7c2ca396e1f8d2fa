package badgerdb

import (
	"errors"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"go.uber.org/zap"
)

// ErrInUse means that another process, or another holder of this one, has the
// directory.
var ErrInUse = errors.New("directory is in use")

// MemTableSize is the size of a memtable in bytes. Badger maps twice of it.
const MemTableSize = 8 << 20

// Options tunes Badger for small values and little memory. The directory is to be
// locked with LockDirectory before it is opened.
//
// Writes are synced, and the value log has Badger's size; values are to stay below
// Badger's threshold (1 MiB), so that they live in the LSM tree and the value log
// stays empty and needs no garbage collection.
func Options(directory string, logger *zap.Logger) badger.Options {
	o := badger.DefaultOptions(directory)
	o.Logger = NewLogger(logger)
	o.SyncWrites = true
	o.NumVersionsToKeep = 1
	o.DetectConflicts = false // whoever reads, changes and writes sees to that
	o.MetricsEnabled = false  // expvar, global to the process
	o.MemTableSize = MemTableSize
	o.NumMemtables = 2
	o.NumLevelZeroTables = 2
	o.NumCompactors = 2
	o.NumGoroutines = 2
	// Blocks are served from the page cache. A block cache is needed only with
	// compression, and compression without one panics.
	o.Compression = options.None
	o.BlockCacheSize = 0
	o.IndexCacheSize = 0 // used with encryption only
	// On a block whose checksum is wrong Badger's reads say "not found" and its
	// compaction drops the rest of the table. So tables are verified before they
	// are opened (see CheckTable), and values by their owner when they are read.
	o.ChecksumVerificationMode = options.NoVerification
	o.BypassLockGuard = OwnLock
	return o
}
