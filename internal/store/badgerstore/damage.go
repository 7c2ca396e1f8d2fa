package badgerstore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
)

// ErrDamaged means that the files of a storage directory contradict
// themselves: something that was written is lost or altered.
var ErrDamaged = errors.New("storage is damaged")

// damaged says what is wrong with a directory and what to do. Detail follows
// "is damaged: "; one that lies with the system is no damage.
func damaged(directory string, detail error) error {
	switch {
	case errors.Is(detail, ErrDamaged):
		return detail
	case systemic(detail):
		return fmt.Errorf("storage directory %q: %w", directory, detail)
	}
	return &damage{directory, detail}
}

// systemic reports whether the system refused what it would grant another time.
// Badger keeps only the text of errors.
func systemic(err error) bool {
	return slices.ContainsFunc([]error{
		syscall.EACCES, syscall.EPERM, syscall.EROFS, syscall.ENOSPC, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM,
	}, func(e error) bool { return strings.Contains(err.Error(), e.Error()) })
}

type damage struct {
	directory string
	detail    error
}

func (d *damage) Error() string {
	return fmt.Sprintf("storage directory %q is damaged: %v: "+
		"restore the newest backup into a new directory with `gatectl restore` and set storage.directory to that",
		d.directory, d.detail)
}

func (d *damage) Unwrap() []error { return []error{ErrDamaged, d.detail} }
