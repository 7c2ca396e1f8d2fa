package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
)

// Restore makes a storage directory of what Backup wrote. The directory must
// not exist or be empty; after an error it is as it was. Progress is as in
// Backup.
func Restore(ctx context.Context, directory string, r io.Reader, progress func(records uint64)) error {
	if err := restore(ctx, filepath.Clean(directory), newBackupReader(r, progress)); err != nil {
		return fmt.Errorf("restore into %q: %w", directory, err)
	}
	return nil
}

// restore builds the store in a directory within the directory, which may be
// the mount point of a volume and so cannot be replaced, and moves the files up
// when all is well. Until the inner directory is gone Open refuses the outer.
func restore(ctx context.Context, directory string, r *backupReader) (err error) {
	created, err := emptyDirectory(directory)
	if err != nil {
		return err
	}
	lock, err := lockDirectory(directory)
	if err != nil {
		return err
	}
	staging := filepath.Join(directory, stagingName)
	moved := false
	defer func() {
		lock.release()
		if err != nil && !moved {
			_ = os.RemoveAll(staging)
			if created {
				_ = os.Remove(directory)
			}
		}
	}()
	if err := os.RemoveAll(staging); err != nil {
		return err
	}
	if err := os.Mkdir(staging, 0o700); err != nil {
		return err
	}
	if err := build(ctx, staging, r); err != nil {
		return err
	}
	moved = true
	return moveUp(staging, directory)
}

// emptyDirectory makes sure that the directory exists and is empty, but for
// what an interrupted restore or the file system has left.
func emptyDirectory(directory string) (created bool, err error) {
	entries, err := os.ReadDir(directory)
	if errors.Is(err, os.ErrNotExist) {
		return true, os.MkdirAll(directory, 0o700)
	} else if err != nil {
		return false, err
	}
	for _, e := range entries {
		if name := e.Name(); name != stagingName && name != lockFile && name != "lost+found" {
			return false, fmt.Errorf("it holds %q: must be empty, or not exist", name)
		}
	}
	return false, nil
}

// build restores into staging and opens the result once, which brings its
// schema up to date and checks it.
func build(ctx context.Context, staging string, r *backupReader) error {
	if err := fill(ctx, staging, r); err != nil {
		return err
	}
	s, err := Open(ctx, Options{Directory: staging})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadBackup, err)
	}
	return s.Close()
}

func fill(ctx context.Context, staging string, r *backupReader) (err error) {
	o := badgerOptions(staging, zap.NewNop())
	o.SyncWrites = false // closing syncs
	db, err := badger.Open(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, badgerdb.Guard(db.Close)) }()
	batch := db.NewWriteBatch()
	defer batch.Cancel()
	if err := r.each(ctx, func(e entry) error { return batch.Set(e.key, e.value) }); err != nil {
		return err
	}
	return batch.Flush()
}

// moveUp moves the files of a closed store. The staging directory goes last.
func moveUp(staging, directory string) error {
	entries, err := os.ReadDir(staging)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.Rename(filepath.Join(staging, e.Name()), filepath.Join(directory, e.Name())); err != nil {
			return err
		}
	}
	if err := badgerdb.SyncDirectory(directory); err != nil {
		return err
	}
	if err := os.Remove(staging); err != nil {
		return err
	}
	return badgerdb.SyncDirectory(directory)
}
