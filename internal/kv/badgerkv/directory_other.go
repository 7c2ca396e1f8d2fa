//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package badgerkv

// ownLock is false: Badger takes a lock of its own.
const ownLock = false

type directoryLock struct{}

func lockDirectory(string) (*directoryLock, error) { return &directoryLock{}, nil }

func (*directoryLock) release() {}

// syncDirectory has nothing to do here.
func syncDirectory(string) error { return nil }
