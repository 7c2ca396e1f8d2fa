package badgerstore

import (
	"context"
	"fmt"
	"io"
)

// Verify reads a backup to its end and returns nil only if it is whole, with
// the number of its records. Errors wrap ErrBadBackup, unless the backup is of
// a newer release. Progress is as in Backup.
func Verify(ctx context.Context, r io.Reader, progress func(records uint64)) (records uint64, err error) {
	b := newBackupReader(r, progress)
	if err := b.each(ctx, func(entry) error { return nil }); err != nil {
		return b.records, fmt.Errorf("verify backup: %w", err)
	}
	return b.records, nil
}
