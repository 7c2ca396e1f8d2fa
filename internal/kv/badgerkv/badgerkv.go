// Package badgerkv keeps a kv.Store in a directory of one machine, with Badger.
// One process at a time may use a directory.
//
// Writes are not synced one by one: Badger's logs are mapped into memory, so that
// what was written survives the end of the process, and Sync is for the end of
// the machine. Nothing that is kept here is worth to keep a collector from
// starting: a directory that is damaged is put aside, and a new one begun.
package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
	"github.com/otlpgate/otlpgate/internal/kv"
)

// Options configure a store.
type Options struct {
	// Directory holds the files. It is created, with mode 0700, where it does not
	// exist. It must not be shared with anything else: where it is damaged, all of
	// it is put aside.
	Directory string
	// MinFree is how many bytes of the file system are left to others: where fewer
	// are free, nothing is written. Zero means DefaultMinFree.
	MinFree uint64
	// Logger may be nil.
	Logger *zap.Logger
}

// DefaultMinFree is far more than the keys need, which are kept beside.
const DefaultMinFree = 256 << 20

// ErrInUse means that another process, or another Store of this one, holds the
// directory.
var ErrInUse = badgerdb.ErrInUse

// Store is a kv.Store over a directory. It is safe for concurrent use; make it
// with Open and end it with Close.
type Store struct {
	directory string
	minFree   uint64
	logger    *zap.Logger
	lock      *badgerdb.Lock
	db        *badger.DB
	free      func(path string) (uint64, error) // freeSpace but in tests

	// writing is held by each transaction that writes, so that Prune deletes nothing
	// that is written anew.
	writing sync.Mutex

	life  life
	close sync.Once
}

var _ kv.Store = (*Store)(nil)

// Open opens the store of a directory, creating it where there is none. One that
// is damaged is put aside, as <directory>.damaged and in place of one that was
// before, and the store begins anew. What Open returns an error for, such as
// ErrInUse or a full disk, lies with the system.
//
// Where the process before did not get to Close, Open reads all tables; else it
// reads their indexes only.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Directory == "" {
		return nil, errors.New("open: the directory is empty: must name one")
	}
	s := &Store{directory: filepath.Clean(o.Directory), minFree: o.MinFree, logger: o.Logger, free: badgerdb.FreeSpace}
	if s.minFree == 0 {
		s.minFree = DefaultMinFree
	}
	if s.logger == nil {
		s.logger = zap.NewNop()
	}
	err := ctx.Err()
	if err == nil {
		err = s.open(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", s.directory, err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	if err := s.claim(); err != nil {
		return err
	}
	err := s.start(ctx)
	if err == nil {
		return nil
	}
	damaged := s.lock
	defer damaged.Release() // not before it is aside, lest another process opens it
	if ctx.Err() != nil || systemic(err) {
		return err
	}
	if asideErr := s.putAside(err); asideErr != nil {
		return errors.Join(err, asideErr)
	}
	if err := s.claim(); err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		s.lock.Release()
		return err
	}
	return nil
}

// claim creates the directory and keeps others out of it.
func (s *Store) claim() error {
	if err := os.MkdirAll(s.directory, 0o700); err != nil {
		return err
	}
	lock, err := badgerdb.LockDirectory(s.directory)
	if errors.Is(err, ErrInUse) {
		return fmt.Errorf("another process has it: stop that, or set storage.directory to another: %w", err)
	}
	s.lock = lock
	return err
}

// start opens the files of a directory that is claimed.
func (s *Store) start(ctx context.Context) error {
	if err := inspect(ctx, s.directory, s.logger); err != nil {
		return err
	}
	err := badgerdb.Guard(func() (err error) {
		s.db, err = badger.Open(badgerOptions(s.directory, s.logger))
		return err
	})
	if err != nil {
		return err
	}
	if err := markOpen(s.directory); err != nil {
		return errors.Join(err, badgerdb.Guard(s.db.Close))
	}
	return nil
}

// asideSuffix ends the name of a directory that was damaged.
const asideSuffix = ".damaged"

// putAside moves the damaged directory out of the way.
func (s *Store) putAside(why error) error {
	aside := s.directory + asideSuffix
	if err := errors.Join(os.RemoveAll(aside), os.Rename(s.directory, aside)); err != nil {
		return fmt.Errorf("put the damaged directory aside: %w", err)
	}
	s.logger.Error("usage, access logs and alerts were damaged and begin anew; keys are not concerned",
		zap.String("directory", s.directory), zap.String("put aside", aside), zap.Error(why))
	return nil
}

// Close implements kv.Store.
func (s *Store) Close() error {
	s.life.end()
	var err error
	s.close.Do(func() {
		if err = badgerdb.Guard(s.db.Close); err == nil {
			err = unmarkOpen(s.directory)
		}
		s.lock.Release()
	})
	if err != nil {
		return fmt.Errorf("close %q: %w", s.directory, err)
	}
	return nil
}
