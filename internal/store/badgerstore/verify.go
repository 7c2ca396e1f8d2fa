package badgerstore

import (
	"context"
	"fmt"
	"io"
)

// Verify reads a backup to its end and returns nil only if it is whole, bit by
// bit as Backup wrote it, with the number of its records. It does not look into
// the records, which Backup has done and Restore does. Errors wrap ErrBadBackup, unless the backup is of
// a newer release. Progress is as in Backup.
func Verify(ctx context.Context, r io.Reader, progress func(records uint64)) (records uint64, err error) {
	b := newBackupReader(r, progress)
	b.framesOnly = true
	if err := b.each(ctx, func(entry) error { return nil }); err != nil {
		return b.records, fmt.Errorf("verify backup: %w", err)
	}
	return b.records, nil
}
