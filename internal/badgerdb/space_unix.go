//go:build linux || darwin || freebsd

package badgerdb

import "golang.org/x/sys/unix"

// FreeSpace returns the bytes that the file system of path has left for this
// process.
func FreeSpace(path string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, err
	}
	return uint64(s.Bavail) * uint64(s.Bsize), nil //nolint:unconvert // types differ between systems
}
