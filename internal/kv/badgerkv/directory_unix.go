//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package badgerkv

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ownLock says that directoryLock stands in for Badger's own lock. It is the same
// flock on the directory, but taken before the files are inspected.
const ownLock = true

// directoryLock keeps other processes out of a directory. It ends with the process
// at the latest.
type directoryLock struct{ directory *os.File }

// lockDirectory takes the lock or returns ErrInUse.
func lockDirectory(path string) (*directoryLock, error) {
	d, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return &directoryLock{d}, nil
	}
	_ = d.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("another process has it: stop that, or set storage.directory to another: %w", ErrInUse)
	}
	return nil, fmt.Errorf("lock: %w", err)
}

func (l *directoryLock) release() { _ = l.directory.Close() }

// syncDirectory makes the names of new files survive a power cut.
func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
