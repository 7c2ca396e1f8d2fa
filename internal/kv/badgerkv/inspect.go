package badgerkv

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
)

// openFile is there while a store is open, and so at a start if the process
// before did not get to Close. Reading all tables at every start would keep a
// collector waiting for gigabytes; it is needed after a crash, which a bad block
// may have been the reason for.
const openFile = "OPEN"

func markOpen(directory string) error {
	return os.WriteFile(filepath.Join(directory, openFile), nil, 0o600)
}

func unmarkOpen(directory string) error { return os.Remove(filepath.Join(directory, openFile)) }

// The files of Badger's logs: of writes that are in no table yet, and of values
// too large for one, of which there are none.
const (
	writeLogs = "*.mem"
	valueLogs = "*.vlog"
	tables    = "*.sst"
)

// inspect looks for damage before Badger sees a directory: without MANIFEST it
// deletes every table, and a bad table ends the process from a goroutine of its
// own, where guard does not help. The lock must be held.
func inspect(ctx context.Context, directory string, logger *zap.Logger) error {
	f, err := os.Open(filepath.Join(directory, badger.ManifestFilename))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return requireNew(directory)
	case err != nil:
		return err
	}
	defer func() { _ = f.Close() }()
	var manifest badger.Manifest
	err = badgerdb.Guard(func() (err error) {
		manifest, _, err = badger.ReplayManifestFile(f, 0, badgerOptions(directory, logger))
		return err
	})
	if err != nil {
		return fmt.Errorf("file MANIFEST: %w", err)
	}
	if err := checkTables(ctx, directory, manifest); err != nil {
		return err
	}
	return removeHollow(directory)
}

// requireNew refuses a directory that was in use: it has lost its MANIFEST.
func requireNew(directory string) error {
	for _, kind := range []string{tables, writeLogs} {
		found, err := fs.Glob(os.DirFS(directory), kind)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			return errors.New("file MANIFEST is missing")
		}
	}
	return nil
}

// checkTables checks the tables that MANIFEST lists. Others are left by a crash.
func checkTables(ctx context.Context, directory string, manifest badger.Manifest) error {
	_, err := os.Stat(filepath.Join(directory, openFile))
	crashed := err == nil
	for id, t := range manifest.Tables {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := table.IDToFilename(id)
		if t.Compression != options.None {
			return fmt.Errorf("table file %s was not written by otlpgate: it is compressed", name)
		}
		if err := badgerdb.CheckTable(filepath.Join(directory, name), crashed); err != nil {
			return fmt.Errorf("table file %s: %w", name, err)
		}
	}
	return nil
}

// removeHollow removes files that hold nothing but may stop Badger from starting:
// those about encryption and the value log, neither of which is used, and logs that
// hold nothing yet, which a kill may leave. Badger makes new ones.
func removeHollow(directory string) error {
	hollow := []string{badger.KeyRegistryFileName, "DISCARD"}
	values, err := fs.Glob(os.DirFS(directory), valueLogs)
	if err != nil {
		return err
	}
	hollow = append(hollow, values...)
	logs, err := fs.Glob(os.DirFS(directory), writeLogs)
	if err != nil {
		return err
	}
	for _, name := range logs {
		empty, err := checkLog(filepath.Join(directory, name))
		if err != nil {
			return fmt.Errorf("log file %s: %w", name, err)
		}
		if empty {
			hollow = append(hollow, name)
		}
	}
	for _, name := range hollow {
		if err := os.Remove(filepath.Join(directory, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// A log begins with the id of the key that encrypts it, zero where none does, and
// an initialisation vector.
const (
	logHeader = 20
	logKeyID  = 8
)

// checkLog reports whether a log holds nothing, and refuses one that names an
// encryption key, over which Badger would leave goroutines behind. It checks the
// entries itself.
func checkLog(path string) (empty bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	header := make([]byte, logHeader)
	switch _, err := io.ReadFull(f, header); {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return true, nil
	case err != nil:
		return false, err
	case binary.BigEndian.Uint64(header[:logKeyID]) != 0:
		return false, errors.New("was not written by otlpgate: it is encrypted")
	}
	return false, nil
}
