//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package badgerdb

// OwnLock leaves locking to Badger where there is no flock.
const OwnLock = false

// Lock does nothing here: Badger takes a lock of its own.
type Lock struct{}

// LockDirectory does nothing here.
func LockDirectory(string) (*Lock, error) { return &Lock{}, nil }

// Release does nothing here.
func (*Lock) Release() {}

// SyncDirectory has nothing to do here.
func SyncDirectory(string) error { return nil }
