//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package badgerdb

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// OwnLock says that Lock stands in for Badger's own lock. It is the same flock on
// the directory, but taken before the files are inspected.
const OwnLock = true

// Lock keeps other processes, and other holders of this one, out of a directory.
// It ends with the process at the latest.
type Lock struct{ directory *os.File }

// LockDirectory takes the lock of a directory that exists, or returns ErrInUse.
func LockDirectory(path string) (*Lock, error) {
	d, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return &Lock{d}, nil
	}
	_ = d.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, ErrInUse
	}
	return nil, fmt.Errorf("lock: %w", err)
}

// Release lets others have the directory. It is to be called once.
func (l *Lock) Release() { _ = l.directory.Close() }

// SyncDirectory makes the names of new files survive a power cut.
func SyncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
