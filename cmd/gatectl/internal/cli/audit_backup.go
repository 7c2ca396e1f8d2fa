package cli

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/badgerstore"
)

// verifyBackup verifies the log of a backup, restored into a directory that is
// gone afterwards.
func (p *program) verifyBackup(ctx context.Context, path string, v *chain) error {
	in, err := p.openBackup(path, "--backup")
	if err != nil {
		return err
	}
	defer in.Close()
	scratch, err := os.MkdirTemp("", "gatectl-verify-*")
	if err != nil {
		return refuse("set TMPDIR to a directory with room", "%s: %s", verifyOperation, err)
	}
	defer os.RemoveAll(scratch) //nolint:errcheck // what is left is of no use and harms nobody
	directory := filepath.Join(scratch, "store")
	show := p.newProgress("reading the backup")
	defer show.clear()
	show.setTotalBytes(in.size)
	t := &transfer{in: in, show: show}
	if err := badgerstore.Restore(ctx, directory, t, t.setRecords); err != nil {
		return backupFailure(ctx, t, err)
	}
	show.clear()
	return p.verifyDirectory(ctx, directory, v)
}

func backupFailure(ctx context.Context, t *transfer, err error) error {
	switch {
	case ctx.Err() != nil:
		return refuse("run it again", "%s: interrupted", verifyOperation)
	case t.readErr != nil:
		return refuse("see that the backup can be read to its end", "%s: %s", verifyOperation, t.readErr)
	}
	return refuse("use another backup, and see that there is room for its content in "+os.TempDir()+" (TMPDIR names another directory)", "%s: %s", verifyOperation, err)
}

func (p *program) verifyDirectory(ctx context.Context, directory string, v *chain) error {
	s, err := badgerstore.Open(ctx, badgerstore.Options{Directory: directory})
	if err != nil {
		return refuse("use another backup", "%s: %s", verifyOperation, err)
	}
	defer s.Close() //nolint:errcheck // the directory is removed
	show := p.newProgress("verifying")
	defer show.clear()
	return v.addPages(show, func(cursor *string) (listing, error) {
		page := store.Page{Limit: maxPage}
		if cursor != nil {
			page.Cursor = *cursor
		}
		records, err := s.ListAudit(ctx, store.AuditFilter{}, page)
		if err != nil {
			return listing{}, chainFailure(err)
		}
		return listingOf(records)
	})
}

// listingOf shows a page as the admin API does.
func listingOf(page store.AuditPage) (listing, error) {
	var l listing
	if page.Next != "" {
		l.NextCursor = &page.Next
	}
	for i := range page.Records {
		record, err := json.Marshal(page.Records[i].View())
		if err != nil {
			return listing{}, chainFailure(err)
		}
		l.Data = append(l.Data, record)
	}
	return l, nil
}
