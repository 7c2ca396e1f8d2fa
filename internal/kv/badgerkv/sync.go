package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
)

// Sync implements kv.Store.
func (s *Store) Sync(ctx context.Context) error {
	if err := s.life.enter(ctx); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	defer s.life.leave()
	if err := errors.Join(syncLogs(s.directory), badgerdb.Guard(s.db.Sync)); err != nil {
		return fmt.Errorf("sync %q: %w", s.directory, err)
	}
	return nil
}

// syncLogs syncs the logs of all writes that are in no table yet. Badger's Sync
// leaves out those that are full and wait to be made a table. A log that is gone
// has become one, which Badger syncs, but for its name.
func syncLogs(directory string) error {
	logs, err := fs.Glob(os.DirFS(directory), writeLogs)
	if err != nil {
		return err
	}
	for _, name := range logs {
		f, err := os.OpenFile(filepath.Join(directory, name), os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return badgerdb.SyncDirectory(directory)
}
