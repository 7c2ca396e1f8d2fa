package badgerkv

import (
	"slices"
	"strings"
	"syscall"
)

// systemic reports whether the system refused what it would grant another time,
// or another process has the directory. Badger keeps only the text of errors.
func systemic(err error) bool {
	if strings.Contains(err.Error(), "Cannot acquire directory lock") {
		return true
	}
	return slices.ContainsFunc([]error{
		syscall.EACCES, syscall.EPERM, syscall.EROFS, syscall.ENOSPC, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOTDIR,
	}, func(e error) bool { return strings.Contains(err.Error(), e.Error()) })
}
