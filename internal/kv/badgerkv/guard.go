package badgerkv

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
)

// guard runs a call into Badger and turns its panic, or the fault of a memory map
// whose file was cut short, into an error.
func guard(call func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("badger: %v", r)
		}
	}()
	return call()
}

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
