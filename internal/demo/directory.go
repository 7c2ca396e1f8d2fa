package demo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// claimed is a directory that holds nothing but what is seeded.
type claimed struct {
	path string
	made bool // it did not exist
}

// claim makes sure that a directory exists and is empty.
func claim(path string) (claimed, error) {
	entries, err := os.ReadDir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return claimed{path, true}, os.MkdirAll(path, 0o700)
	case err != nil:
		return claimed{}, fmt.Errorf("look into the directory: %w", err)
	case len(entries) > 0:
		return claimed{}, fmt.Errorf("directory %q holds %q: must be empty, or not exist: remove it, or name another", path, entries[0].Name())
	}
	return claimed{path, false}, nil
}

// undo removes what was seeded.
func (c claimed) undo() error {
	if c.made {
		return os.RemoveAll(c.path)
	}
	entries, err := os.ReadDir(c.path)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(c.path, e.Name())))
	}
	return err
}
