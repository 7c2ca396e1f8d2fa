package badgerstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
)

// directoryLock keeps other processes out of a storage directory, and tells them
// which one holds it.
type directoryLock struct {
	*badgerdb.Lock
	holder string // the file that names the process
}

// lockDirectory takes the lock or returns ErrInUse.
func lockDirectory(path string) (*directoryLock, error) {
	l, err := badgerdb.LockDirectory(path)
	switch {
	case errors.Is(err, ErrInUse):
		return nil, inUse(path)
	case err != nil:
		return nil, fmt.Errorf("lock storage directory %q: %w", path, err)
	}
	lock := &directoryLock{Lock: l, holder: filepath.Join(path, lockFile)}
	if !badgerdb.OwnLock {
		return lock, nil // Badger's own is a file of the same name
	}
	pid := strconv.Itoa(os.Getpid()) + "\n"
	if err := os.WriteFile(lock.holder, []byte(pid), 0o600); err != nil {
		l.Release()
		return nil, fmt.Errorf("write process id into storage directory: %w", err)
	}
	return lock, nil
}

func (l *directoryLock) release() {
	_ = os.Remove(l.holder)
	l.Release()
}

func inUse(path string) error {
	holder := "another process"
	if text, err := os.ReadFile(filepath.Join(path, lockFile)); err == nil {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			holder = fmt.Sprintf("process %d", pid)
		}
	}
	return fmt.Errorf("storage directory %q is held by %s: stop that, or set storage.directory to another: %w",
		path, holder, ErrInUse)
}
