// Package badgerstore keeps records in a directory of one machine, with
// Badger. One process at a time may use a directory.
//
// What an acknowledged write wrote survives a kill and a power cut. Damage to
// the files is looked for when a store is opened, and reported as ErrDamaged;
// see inspect and watermark for what Badger would do instead.
package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
	"github.com/otlpgate/otlpgate/internal/store"
)

// ErrInUse means that another process, or another Store of this one, holds the
// directory.
var ErrInUse = badgerdb.ErrInUse

// Options configure a store.
type Options struct {
	// Directory holds the files. It is created, with mode 0700, where it does
	// not exist; its parents too.
	Directory string
	// Logger may be nil.
	Logger *zap.Logger
}

// Store is a store.Store and a limit.Keeper over a directory. It is safe for
// concurrent use; make it with Open and end it with Close.
type Store struct {
	directory string
	logger    *zap.Logger
	lock      *directoryLock
	db        *badger.DB
	mark      *watermark
	writer    writer
	free      func(path string) (uint64, error) // freeSpace but in tests

	// life is held for reading by every operation and for writing by Close.
	life    sync.RWMutex
	closed  bool        // guarded by life
	closing atomic.Bool // tells long scans to give way to Close
}

var _ store.Store = (*Store)(nil)

// Open opens the store of a directory, creating it where there is none. It
// returns ErrInUse or ErrDamaged where that is the reason. It reads every table
// file once, to verify it.
func Open(ctx context.Context, o Options) (*Store, error) {
	return open(ctx, o, migrations)
}

func open(ctx context.Context, o Options, steps []migration) (*Store, error) {
	if o.Directory == "" {
		return nil, errors.New("open store: storage.directory is empty: must name a directory")
	}
	s := &Store{directory: filepath.Clean(o.Directory), logger: o.Logger, free: badgerdb.FreeSpace}
	if s.logger == nil {
		s.logger = zap.NewNop()
	}
	if err := prepareDirectory(s.directory, s.logger); err != nil {
		return nil, err
	}
	lock, err := lockDirectory(s.directory)
	if err != nil {
		return nil, err
	}
	s.lock = lock
	if err := s.start(ctx, steps); err != nil {
		lock.release()
		return nil, err
	}
	return s, nil
}

// prepareDirectory creates the directory. One that exists keeps its mode: it
// may be a volume whose mode is not ours to change, or worse, "/tmp".
func prepareDirectory(directory string, logger *zap.Logger) error {
	info, err := os.Stat(directory)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(directory, 0o700); err != nil {
			return fmt.Errorf("create storage directory: %w", err)
		}
		return nil
	} else if err != nil {
		return fmt.Errorf("open storage directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("storage directory %q is a file: set storage.directory to a directory", directory)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		logger.Warn("other users may read the storage directory: chmod 700 it",
			zap.String("directory", directory), zap.Stringer("mode", mode))
	}
	return nil
}

// start opens a locked directory.
func (s *Store) start(ctx context.Context, steps []migration) error {
	if err := inspect(ctx, s.directory, s.logger); err != nil {
		return err
	}
	if err := s.roomy(); err != nil {
		return err
	}
	if err := s.openBadger(); err != nil {
		return err
	}
	if err := s.load(ctx, steps); err != nil {
		return errors.Join(err, s.closeBadger())
	}
	return nil
}

func (s *Store) openBadger() error {
	err := badgerdb.Guard(func() (err error) {
		s.db, err = badger.Open(badgerOptions(s.directory, s.logger))
		return err
	})
	if err != nil {
		return damaged(s.directory, err)
	}
	return nil
}

// load checks that nothing is missing, brings the schema up to date and sets
// the store ready for writes. A damaged store is left as it is.
func (s *Store) load(ctx context.Context, steps []migration) error {
	version, err := s.knownSchema(steps)
	if err != nil {
		return err
	}
	change, err := s.checkHistory(ctx)
	if err != nil {
		return err
	}
	if version == 0 && change > 0 {
		return damaged(s.directory, errors.New("the schema version is missing"))
	}
	if err := dropAside(s.directory); err != nil {
		return fmt.Errorf("remove unlisted tables: %w", err)
	}
	if err := s.migrate(ctx, version, steps); err != nil {
		return err
	}
	return s.prepareWriter(change)
}

// prepareWriter sets the writer behind the newest change.
func (s *Store) prepareWriter(change uint64) error {
	err := s.viewing(func(v *snapshot) (err error) {
		s.writer.head, err = v.head(change)
		return err
	})
	if err != nil {
		return err
	}
	s.writer.change = change
	s.mark, err = openWatermark(s.directory, change)
	return err
}

// Close waits for running operations and closes the files. Scans end early,
// with store.ErrClosed.
func (s *Store) Close() error {
	s.closing.Store(true)
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	err := errors.Join(s.closeBadger(), s.mark.close())
	s.lock.release()
	if err != nil {
		return fmt.Errorf("close storage directory %q: %w", s.directory, err)
	}
	return nil
}

func (s *Store) closeBadger() error { return badgerdb.Guard(s.db.Close) }

// Ping reports whether the store can be read and written.
func (s *Store) Ping(ctx context.Context) error {
	err := s.view(ctx, func(v *snapshot) error {
		_, err := v.number(changeKey)
		return err
	})
	if err == nil {
		err = s.writable()
	}
	if err != nil {
		return fmt.Errorf("ping store: %w", err)
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
		return store.ErrClosed
	}
	return nil
}

func (s *Store) leave() { s.life.RUnlock() }

// interrupted tells a long operation whether to stop.
func (s *Store) interrupted(ctx context.Context) error {
	if s.closing.Load() {
		return store.ErrClosed
	}
	return ctx.Err()
}
