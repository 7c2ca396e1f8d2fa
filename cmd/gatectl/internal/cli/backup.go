package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/store/badgerstore"
)

// backupName is the name of a backup, as a layout of time.Format in UTC.
const backupName = "otlpgate-20060102T150405Z.backup"

type backupFlags struct {
	to    string
	force bool
}

func (p *program) backupCommand() *cobra.Command {
	var f backupFlags
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "back up all keys, users and the audit log",
		Long: `Back up all keys, users and the audit log as of one moment, while otlpgate goes
on working. It takes a key with the scope admin.

On a terminal a bar shows how far it has come.

The file appears under its name once it is whole and checked, with mode 0600. A
backup holds no keys, only their digests, and is confidential all the same.`,
		Example: `  gatectl backup
  gatectl backup --to /var/backups/otlpgate
  gatectl backup --to - | age -r age1… > otlpgate.backup.age`,
		Args: arguments(cobra.NoArgs, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("to") && f.to == "" {
				return emptyFlag(cmd, "to")
			}
			ctx, done := untilInterrupted(cmd.Context())
			defer done()
			return p.backUp(ctx, &f)
		},
	}
	cmd.Flags().StringVar(&f.to, "to", "", "`FILE` to write, a directory to write one in, or - for standard output (default "+strings.ReplaceAll(backupName, "20060102T150405Z", "<time>")+" here)")
	cmd.Flags().BoolVar(&f.force, "force", false, "replace the file where there is one")
	return cmd
}

func (p *program) backUp(ctx context.Context, f *backupFlags) error {
	if f.to == "-" {
		return p.backUpToStdout(ctx)
	}
	path := backupPath(f.to, p.now())
	if err := checkReplaceable(path, f.force); err != nil {
		return err
	}
	c, err := p.connectForTransfer()
	if err != nil {
		return err
	}
	file, err := createDraft(path)
	if err != nil {
		return err
	}
	defer file.discard()
	t, err := p.download(ctx, c, file)
	if err != nil {
		return err
	}
	if err := file.publish(f.force); err != nil {
		return err
	}
	return p.print(fmt.Sprintf("backed up %s to %s\n", t.summary(), printable(path)))
}

// backUpToStdout cannot take back what was written before something failed, but
// says so.
func (p *program) backUpToStdout(ctx context.Context) error {
	if isTerminal(p.stdout) {
		return misuse("redirect it, as in `gatectl backup --to - | age -p > otlpgate.backup.age`, or name a file with --to", "--to -: a backup is not text, and standard output is a terminal")
	}
	c, err := p.connectForTransfer()
	if err != nil {
		return err
	}
	t, err := p.download(ctx, c, p.stdout)
	if err != nil {
		if t.bytes > 0 {
			p.warn("what went to standard output is not a whole backup: throw it away")
		}
		return err
	}
	p.note("backed up %s to standard output", t.summary())
	return nil
}

const backUpOperation = "back up"

// download writes a backup and checks that it is whole.
func (p *program) download(ctx context.Context, c *connection, to io.Writer) (*transfer, error) {
	t := &transfer{out: to, show: p.newProgress("backing up")}
	defer t.show.clear()
	watched, w := watch(ctx, c.timeout)
	defer w.stop()
	answer, err := c.api.Backup(watched)
	if err == nil {
		defer answer.Body.Close()
		t.in = w.reader(answer.Body)
		err = c.receive(watched, t, answer)
	}
	if err == nil {
		return t, nil
	}
	return t, c.transferFailure(ctx, watched, t, err)
}

// receive reads the answer of a backup.
func (c *connection) receive(ctx context.Context, t *transfer, answer *http.Response) (err error) {
	switch {
	case answer.StatusCode != http.StatusOK:
		_, err = c.read(backUpOperation, answer, nil)
		if err == nil {
			err = c.strangerFailure(backUpOperation, answer.Status)
		}
		return err
	case answer.Header.Get("Content-Type") != "application/octet-stream":
		return c.strangerFailure(backUpOperation, answer.Status)
	}
	if total, err := strconv.ParseUint(answer.Header.Get("X-Backup-Records"), 10, 64); err == nil {
		t.show.setTotal(total)
	}
	t.records, err = badgerstore.Verify(ctx, t, t.show.setRecords)
	return err
}

// transferFailure says why there is no whole backup: ctx is what the user can
// end, watched what the server's silence ends too.
func (c *connection) transferFailure(ctx, watched context.Context, t *transfer, err error) error {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	stalled := errors.Is(context.Cause(watched), errStalled)
	switch {
	case ctx.Err() != nil:
		return refuse("run it again", "%s: interrupted", backUpOperation)
	case t.writeErr != nil:
		return refuse("make room, or name another place with --to", "%s: write: %s", backUpOperation, t.writeErr)
	case stalled && t.bytes == 0:
		return c.silenceFailure(backUpOperation)
	case stalled:
		return refuse("run it again, or wait longer with --timeout", "%s: nothing more came from %s for %s, after %s", backUpOperation, c.url, c.timeout, sizeText(t.bytes))
	case t.in == nil:
		return c.transportFailure(backUpOperation, err)
	case t.readErr != nil:
		return refuse("run it again; the log of otlpgate may say why", "%s: the transfer from %s broke off after %s: %s", backUpOperation, c.url, sizeText(t.bytes), t.readErr)
	case errors.Is(err, badgerstore.ErrBadBackup):
		return refuse("run it again; where a proxy stands between, go around it", "%s: what %s sent is damaged: %s", backUpOperation, c.url, err)
	}
	return refuse("use the gatectl of the same version as otlpgate", "%s: %s", backUpOperation, err)
}
