package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// draft is a file that gets its name once it is whole.
type draft struct {
	*os.File
	path string // that it will have
}

// backupPath is where a backup goes: to names a file, a directory, or nothing.
func backupPath(to string, now time.Time) string {
	name := now.UTC().Format(backupName)
	if to == "" {
		return name
	}
	if info, err := os.Stat(to); err == nil && info.IsDir() {
		return filepath.Join(to, name)
	}
	return to
}

// checkReplaceable refuses to write over what is there: a file without force,
// and anything else, such as a device, in any case.
func checkReplaceable(path string, force bool) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fileFailure(path, err)
	case !info.Mode().IsRegular():
		return refuse("name a file with --to, or - for standard output", "write %s: it is there and no regular file", path)
	case !force:
		return existsFailure(path)
	}
	return nil
}

func existsFailure(path string) error {
	return refuse("name another file with --to, or replace it with --force", "write %s: it exists already", path)
}

func fileFailure(path string, err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err
	}
	return refuse("name another place with --to", "write %s: %s", path, err)
}

// createDraft makes the file, with mode 0600, beside where it will be.
func createDraft(path string) (*draft, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.partial")
	if err != nil {
		return nil, fileFailure(path, err)
	}
	return &draft{f, path}, nil
}

// discard removes the draft unless it was published.
func (d *draft) discard() {
	_ = d.Close()
	_ = os.Remove(d.Name())
}

// publish gives the file its name, durably.
func (d *draft) publish(force bool) error {
	err := errors.Join(d.Sync(), d.Close())
	if err == nil {
		err = d.move(force)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return existsFailure(d.path)
	case err != nil:
		return fileFailure(d.path, err)
	}
	return nil
}

// move replaces no file that came up meanwhile: a link never does, where the
// file system has links.
func (d *draft) move(force bool) error {
	err := errors.ErrUnsupported
	if !force {
		err = os.Link(d.Name(), d.path)
	}
	if errors.Is(err, fs.ErrExist) {
		return fs.ErrExist
	}
	if err != nil {
		err = os.Rename(d.Name(), d.path)
	}
	if err != nil || runtime.GOOS == "windows" { // where directories cannot be synced
		return err
	}
	directory, err := os.Open(filepath.Dir(d.path))
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}
