//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package badgerstore

// ownLock leaves locking to Badger where there is no flock.
const ownLock = false

type directoryLock struct{}

func lockDirectory(string) (*directoryLock, error) { return &directoryLock{}, nil }

func (*directoryLock) release() {}
