package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/store/badgerstore"
)

type restoreFlags struct{ from, into string }

func (p *program) restoreCommand() *cobra.Command {
	var f restoreFlags
	cmd := &cobra.Command{
		Use:   "restore --from FILE --into DIRECTORY",
		Short: "make a storage directory of a backup, offline",
		Long: `Make a storage directory of a backup. It takes no key and no running otlpgate.

The directory must be new or empty, and holds either all of the backup in the
end or nothing. Run it as the user that otlpgate runs as.`,
		Example: `  gatectl restore --from otlpgate-20260701T093000Z.backup --into /var/lib/otlpgate-restored
  age -d otlpgate.backup.age | gatectl restore --from - --into ./restored`,
		Args: arguments(cobra.NoArgs, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(cmd); err != nil {
				return err
			}
			ctx, done := untilInterrupted(cmd.Context())
			defer done()
			return p.restore(ctx, &f)
		},
	}
	cmd.Flags().StringVar(&f.from, "from", "", "`FILE` that `gatectl backup` wrote, or - for standard input (required)")
	cmd.Flags().StringVar(&f.into, "into", "", "`DIRECTORY` to restore into, which must be new or empty (required)")
	return cmd
}

func (f *restoreFlags) check(cmd *cobra.Command) error {
	switch "" {
	case f.from:
		return misuse(helpHint(cmd), "--from is required: it names the backup")
	case f.into:
		return misuse(helpHint(cmd), "--into is required: it names the directory to restore into")
	}
	return nil
}

func (p *program) restore(ctx context.Context, f *restoreFlags) error {
	in, err := p.openBackup(f.from, "--from")
	if err != nil {
		return err
	}
	defer in.Close()
	t := &transfer{in: in, show: p.newProgress("restoring")}
	t.show.setTotalBytes(in.size)
	err = badgerstore.Restore(ctx, f.into, t, t.setRecords)
	t.show.clear()
	if err != nil {
		return restoreFailure(ctx, t, err)
	}
	return p.print(restored(t, f.into))
}

// source is a backup to read.
type source struct {
	io.ReadCloser
	size int64 // 0: unknown
}

// openBackup opens what a flag names.
func (p *program) openBackup(from, flag string) (source, error) {
	if from != "-" {
		file, err := os.Open(from)
		if err != nil {
			return source{}, sourceFailure(from, flag, err)
		}
		return source{file, sizeOf(file)}, nil
	}
	if isTerminal(p.stdin) {
		return source{}, misuse("pipe a backup into gatectl, or name its file with "+flag, "%s -: standard input is a terminal", flag)
	}
	return source{ReadCloser: io.NopCloser(p.stdin)}, nil
}

// sizeOf returns 0 for what is no regular file, such as a pipe.
func sizeOf(file *os.File) int64 {
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	return info.Size()
}

func sourceFailure(from, flag string, err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err
	}
	return refuse("name a file that `gatectl backup` wrote with "+flag, "read %s: %s", from, err)
}

// restoreFailure adds what to do. The text says which directory and why.
func restoreFailure(ctx context.Context, t *transfer, err error) error {
	hint := "name a directory with --into that is new or empty, on a disk with room, as the user that otlpgate runs as"
	switch {
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return refuse("run it again", "restore: interrupted, nothing was restored")
	case t.readErr != nil:
		hint = "see that the backup can be read to its end"
	case errors.Is(err, badgerstore.ErrBadBackup):
		hint = "use another backup: this one is damaged, and nothing was restored"
	case errors.Is(err, badgerstore.ErrInUse):
		hint = "name another directory with --into, and leave the one in use alone"
	}
	return refuse(hint, "%s", err)
}

// restored says what to do next.
func restored(t *transfer, directory string) string {
	if absolute, err := filepath.Abs(directory); err == nil {
		directory = absolute
	}
	directory = printable(directory)
	return fmt.Sprintf(`restored %s into %s

next:
  1. set storage.directory of otlpgate to %s
  2. start it
  3. do again what was done after the backup, revocations first: keys that were
     revoked since are valid again until you do (gatectl keys revoke ID)
`, t.summary(), directory, directory)
}
