// Package badgerkv keeps a kv.Store in a directory of one machine, with Badger.
// One process at a time may use a directory.
//
// Writes are not synced one by one: Badger's logs are mapped into memory, so that
// what was written survives the end of the process, and Sync is for the end of
// the machine. Nothing that is kept here is worth to keep a collector from
// starting: a directory that cannot be opened is put aside, and a new one begun.
package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/kv"
)

// Options configure a store.
type Options struct {
	// Directory holds the files. It is created, with mode 0700, where it does not
	// exist.
	Directory string
	// MinFree is how many bytes of the file system are left to others: where fewer
	// are free, nothing is written. Zero means DefaultMinFree.
	MinFree uint64
	// Logger may be nil.
	Logger *zap.Logger
}

// DefaultMinFree is far more than the keys need, which are kept beside.
const DefaultMinFree = 256 << 20

// Store is a kv.Store over a directory. It is safe for concurrent use; make it
// with Open and end it with Close.
type Store struct {
	directory string
	minFree   uint64
	logger    *zap.Logger
	db        *badger.DB
	free      func(path string) (uint64, error) // freeSpace but in tests

	// writing is held by each transaction that writes, so that Prune deletes nothing
	// that is written anew.
	writing sync.Mutex

	// life is held for reading by every operation and for writing by Close.
	life    sync.RWMutex
	closed  bool        // guarded by life
	closing atomic.Bool // tells long walks to give way to Close
}

var _ kv.Store = (*Store)(nil)

// asideSuffix ends the name of a directory that could not be opened.
const asideSuffix = ".damaged"

// Open opens the store of a directory, creating it where there is none. One that
// is damaged is put aside, in place of one that was before.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{directory: filepath.Clean(o.Directory), minFree: o.MinFree, logger: o.Logger, free: freeSpace}
	if s.minFree == 0 {
		s.minFree = DefaultMinFree
	}
	if s.logger == nil {
		s.logger = zap.NewNop()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err := s.open()
	if err == nil || systemic(err) {
		return s.opened(err)
	}
	aside := s.directory + asideSuffix
	if asideErr := errors.Join(os.RemoveAll(aside), os.Rename(s.directory, aside)); asideErr != nil {
		return s.opened(errors.Join(err, asideErr))
	}
	s.logger.Error("usage, access logs and alerts were damaged and begin anew; keys are not concerned",
		zap.String("directory", s.directory), zap.String("put aside", aside), zap.Error(err))
	return s.opened(s.open())
}

func (s *Store) opened(err error) (*Store, error) {
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", s.directory, err)
	}
	return s, nil
}

func (s *Store) open() error {
	if err := os.MkdirAll(s.directory, 0o700); err != nil {
		return err
	}
	return guard(func() (err error) {
		s.db, err = badger.Open(badgerOptions(s.directory, s.logger))
		return err
	})
}

// Sizes in bytes. A value stays below Badger's value threshold (1 MiB), so that
// values live in the LSM tree, the value log stays empty and needs no garbage
// collection.
const (
	memTableSize     = 8 << 20
	valueLogFileSize = 16 << 20
)

// badgerOptions tunes Badger for many small writes and little memory.
func badgerOptions(directory string, logger *zap.Logger) badger.Options {
	o := badger.DefaultOptions(directory)
	o.Logger = newQuietLogger(logger)
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
	o.IndexCacheSize = 0                                // used with encryption only
	o.ChecksumVerificationMode = options.NoVerification // values are checked when they are read; see unseal
	return o
}

// Sync implements kv.Store.
func (s *Store) Sync(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	defer s.leave()
	if err := guard(s.db.Sync); err != nil {
		return fmt.Errorf("sync %q: %w", s.directory, err)
	}
	return nil
}

// Close waits for running operations and closes the files. Walks end early, with
// kv.ErrClosed.
func (s *Store) Close() error {
	s.closing.Store(true)
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if err := guard(s.db.Close); err != nil {
		return fmt.Errorf("close %q: %w", s.directory, err)
	}
	return nil
}

// enter begins an operation; leave ends it.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.life.RLock()
	if s.closed {
		s.life.RUnlock()
		return kv.ErrClosed
	}
	return nil
}

func (s *Store) leave() { s.life.RUnlock() }

// interrupted tells a long operation whether to stop.
func (s *Store) interrupted(ctx context.Context) error {
	if s.closing.Load() {
		return kv.ErrClosed
	}
	return ctx.Err()
}

// now is the clock that Badger's expiry goes by.
func now() time.Time { return time.Now() }
