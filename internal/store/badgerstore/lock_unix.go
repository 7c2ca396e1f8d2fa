//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package badgerstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ownLock says that directoryLock stands in for Badger's own lock. It is the
// same flock on the directory, but taken before the files are inspected.
const ownLock = true

// directoryLock keeps other processes out of a storage directory. It ends with
// the process at the latest.
type directoryLock struct{ directory *os.File }

// lockDirectory takes the lock or returns ErrInUse.
func lockDirectory(path string) (*directoryLock, error) {
	d, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open storage directory: %w", err)
	}
	switch err := unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		_ = d.Close()
		return nil, inUse(path)
	case err != nil:
		_ = d.Close()
		return nil, fmt.Errorf("lock storage directory %q: %w", path, err)
	}
	pid := strconv.Itoa(os.Getpid()) + "\n"
	if err := os.WriteFile(filepath.Join(path, lockFile), []byte(pid), 0o600); err != nil {
		_ = d.Close()
		return nil, fmt.Errorf("write process id into storage directory: %w", err)
	}
	return &directoryLock{d}, nil
}

func (l *directoryLock) release() {
	_ = os.Remove(filepath.Join(l.directory.Name(), lockFile))
	_ = l.directory.Close()
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
