package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
)

// Files of a storage directory that are not Badger's.
const (
	lockFile      = "LOCK"       // process id of the holder; the lock itself is a flock on the directory
	watermarkFile = "WATERMARK"  // see watermark
	stagingName   = ".restoring" // a restore that is under way or was interrupted
	asideSuffix   = ".aside"     // a table that MANIFEST does not know, until the store is known to be whole
)

// The logs of Badger: writes that are not in a table yet, and values too large
// for one.
const (
	writeLogSuffix = ".mem"
	valueLogSuffix = ".vlog"
)

// files sorts a storage directory by kind. Names are relative to it.
type files struct {
	manifest, staging bool
	tables            map[uint64]string // by table id
	logs              []string
}

var tableName = regexp.MustCompile(`^\d{1,18}\.sst$`)

func listFiles(directory string) (files, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return files{}, fmt.Errorf("read storage directory: %w", err)
	}
	found := files{tables: map[uint64]string{}}
	for _, e := range entries {
		switch name := e.Name(); {
		case name == badger.ManifestFilename:
			found.manifest = true
		case name == stagingName:
			found.staging = true
		case tableName.MatchString(name):
			id, _ := table.ParseFileID(name)
			found.tables[id] = name
		case strings.HasSuffix(name, writeLogSuffix), strings.HasSuffix(name, valueLogSuffix):
			found.logs = append(found.logs, name)
		}
	}
	return found, nil
}

// inspect looks for damage before Badger sees a directory, since what Badger
// does about it is worse: without MANIFEST, or with its end cut off, it deletes
// every table that is not listed; a bad table ends the process from inside, in
// another goroutine, or reads as if it were empty. The lock must be held.
//
// It changes the directory only in what is harmless: tables that MANIFEST does
// not list, as a crash may leave them, are set aside so that Badger does not
// delete them (see dropAside), and files that can hold nothing are removed.
func inspect(ctx context.Context, directory string, logger *zap.Logger) error {
	found, err := listFiles(directory)
	switch {
	case err != nil:
		return err
	case found.staging:
		return fmt.Errorf("storage directory %q holds an interrupted restore: empty it and restore again", directory)
	case !found.manifest && len(found.tables)+len(found.logs) == 0:
		return nil // new; a watermark, if there is one, is judged by checkHistory
	case !found.manifest:
		return damaged(directory, errors.New("file MANIFEST is missing"))
	}
	manifest, err := readManifest(directory, logger)
	if err != nil {
		return damaged(directory, fmt.Errorf("file MANIFEST: %w", err))
	}
	if err := checkTables(ctx, directory, manifest, found.tables); err != nil {
		return err
	}
	if err := setAside(directory, manifest, found.tables); err != nil {
		return err
	}
	return removeHollow(directory, found.logs)
}

// readManifest replays the manifest without changing it.
func readManifest(directory string, logger *zap.Logger) (badger.Manifest, error) {
	f, err := os.Open(filepath.Join(directory, badger.ManifestFilename))
	if err != nil {
		return badger.Manifest{}, err
	}
	defer func() { _ = f.Close() }()
	var manifest badger.Manifest
	err = badgerdb.Guard(func() error {
		manifest, _, err = badger.ReplayManifestFile(f, 0, badgerOptions(directory, logger))
		return err
	})
	return manifest, err
}

func checkTables(ctx context.Context, directory string, manifest badger.Manifest, tables map[uint64]string) error {
	for id, t := range manifest.Tables {
		if err := ctx.Err(); err != nil {
			return err
		}
		name, ok := tables[id]
		if !ok {
			return damaged(directory, fmt.Errorf("table file %s is missing", table.IDToFilename(id)))
		}
		if t.Compression != options.None {
			return damaged(directory, fmt.Errorf("table file %s was not written by otlpgate: it is compressed", name))
		}
		if err := badgerdb.CheckTable(filepath.Join(directory, name), true); err != nil {
			return damaged(directory, fmt.Errorf("table file %s: %w", name, err))
		}
	}
	return nil
}

func setAside(directory string, manifest badger.Manifest, tables map[uint64]string) error {
	for id, name := range tables {
		if _, ok := manifest.Tables[id]; ok {
			continue
		}
		path := filepath.Join(directory, name)
		if err := os.Rename(path, path+asideSuffix); err != nil {
			return fmt.Errorf("set aside unlisted table: %w", err)
		}
	}
	return nil
}

// dropAside deletes the tables set aside, once the store is known to be whole
// without them.
func dropAside(directory string) error {
	paths, err := filepath.Glob(filepath.Join(escapeGlob(directory), "*.sst"+asideSuffix))
	if err != nil {
		return err
	}
	for _, path := range paths {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// hollow are Badger's files about encryption and the value log, neither of
// which is used (see tuning.go). It makes new ones.
var hollow = []string{badger.KeyRegistryFileName, "DISCARD"}

// removeHollow removes files that hold nothing but may stop Badger from
// starting: hollow, value logs, and write-ahead logs without a byte, which a
// kill may leave. What one of those held, if anything, is missed by
// checkHistory.
func removeHollow(directory string, logs []string) error {
	names := slices.Clone(hollow)
	for _, name := range logs {
		info, err := os.Stat(filepath.Join(directory, name))
		if err != nil {
			return fmt.Errorf("inspect log: %w", err)
		}
		if info.Size() == 0 || filepath.Ext(name) == valueLogSuffix {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if err := os.Remove(filepath.Join(directory, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove hollow file: %w", err)
		}
	}
	return nil
}
