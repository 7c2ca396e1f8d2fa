package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

type verifyFlags struct {
	anchors    []string
	anchorFile string
	backup     string
	output     *choice
}

func (p *program) auditVerifyCommand() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "verify that no record of the audit log was changed or taken away",
		Long: `Verify that no record of the audit log was changed or taken away. Each record
holds the hash of the one before, so gatectl reads the whole log, hashes every
record and follows the chain to the first one.

Whoever can write the store could write a whole new chain, or cut off the end of
the log. So keep the last words of what is printed, the number and the hash of
the newest record, in another place than the store, and give them to the next
verification with --anchor: that record must still be there, unchanged, and with
it all before it.

With --backup the log in a backup is verified, which takes no key and no running
otlpgate.`,
		Example: `  gatectl audit verify
  gatectl audit verify --anchor 42:sha256:0f343b0931126a20f133d67c2b018a3b1e4d9a3f2f6f2f0a1a8f6d6b7d1c9e55
  gatectl audit verify --anchor-file /mnt/elsewhere/anchors >> /mnt/elsewhere/anchors
  gatectl audit verify --backup otlpgate-20260701T093000Z.backup`,
		Args: arguments(cobra.NoArgs, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			for flag, empty := range map[string]bool{"anchor-file": f.anchorFile == "", "backup": f.backup == ""} {
				if cmd.Flags().Changed(flag) && empty {
					return emptyFlag(cmd, flag)
				}
			}
			ctx, done := untilInterrupted(cmd.Context())
			defer done()
			return p.verifyAudit(ctx, &f)
		},
	}
	cmd.Flags().StringArrayVar(&f.anchors, "anchor", nil, "`SEQ:HASH` of a record that must be there, as an earlier verification printed it; repeat the flag for several")
	cmd.Flags().StringVar(&f.anchorFile, "anchor-file", "", "`FILE` with such records, one a line, or with lines that gatectl printed")
	cmd.Flags().StringVar(&f.backup, "backup", "", "backup `FILE` to verify, in place of the log of a running otlpgate")
	f.output = outputFlag(cmd)
	f.output.allowed = []string{asTable, asJSON}
	return cmd
}

const verifyOperation = "verify audit log"

func (p *program) verifyAudit(ctx context.Context, f *verifyFlags) error {
	anchors, err := f.readAnchors()
	if err != nil {
		return err
	}
	v := &chain{anchors: anchors}
	if f.backup != "" {
		err = p.verifyBackup(ctx, f.backup, v)
	} else {
		err = p.verifyLive(ctx, v)
	}
	if err != nil {
		return err
	}
	return p.showVerified(v, f.output)
}

// verifyLive reads the log page by page. What is written meanwhile comes before
// the first page, and does not show.
func (p *program) verifyLive(ctx context.Context, v *chain) error {
	c, err := p.connect()
	if err != nil {
		return err
	}
	show := p.newProgress("verifying")
	defer show.clear()
	size := maxPage
	return v.addPages(show, func(cursor *string) (listing, error) {
		return c.auditPage(ctx, &client.ListAuditParams{Limit: &size, Cursor: cursor}, show)
	})
}

// addPages reads the whole log; a failure to get a page is returned as it is.
func (v *chain) addPages(show *progress, get func(cursor *string) (listing, error)) error {
	for cursor := (*string)(nil); ; {
		page, err := get(cursor)
		if err != nil {
			return err
		}
		if err := v.addPage(page, show); err != nil {
			return chainFailure(err)
		}
		if cursor = page.NextCursor; cursor == nil {
			break
		}
	}
	if err := v.end(); err != nil {
		return chainFailure(err)
	}
	return nil
}

// auditPage waits as long as the server asks to.
func (c *connection) auditPage(ctx context.Context, params *client.ListAuditParams, show *progress) (page listing, err error) {
	err = patiently(ctx, show.wait, func() (err error) {
		answer, err := c.api.ListAudit(ctx, params) //nolint:bodyclose // result closes it
		page, _, err = result[listing](c, verifyOperation, answer, err)
		return err
	})
	if ctx.Err() != nil {
		err = refuse("run it again", "%s: interrupted", verifyOperation)
	}
	return page, err
}

func (v *chain) addPage(page listing, show *progress) error {
	for _, record := range page.Data {
		if err := v.add(record); err != nil {
			return err
		}
		show.setTotal(v.newest.seq)
		show.setRecords(v.verified)
	}
	return nil
}

// chainFailure is for a log that is not what it was.
func chainFailure(err error) error {
	if errors.Is(err, context.Canceled) {
		return refuse("run it again", "%s: interrupted", verifyOperation)
	}
	return refuse("leave everything as it is, and compare the log with that of the backups (--backup): somebody who could write the store has changed it",
		"%s: %s", verifyOperation, err)
}

// verified is what -o json prints.
type verified struct {
	Verified uint64  `json:"verified"`
	Newest   *string `json:"newest"`
	Anchors  int     `json:"anchors"`
}

func (p *program) showVerified(v *chain, format *choice) error {
	if format.value == asJSON {
		answer := verified{Verified: v.verified, Anchors: len(v.matched)}
		if v.newest.seq > 0 {
			text := v.newest.String()
			answer.Newest = &text
		}
		body, err := json.Marshal(answer)
		if err != nil {
			return refuse("report this", "write the result as JSON: %s", err)
		}
		return p.printJSON(body)
	}
	if v.newest.seq == 0 {
		return p.print("0 records verified: the log is empty\n")
	}
	if n := len(v.matched); n > 0 {
		p.note("%s still there, unchanged", anchorsText(n))
	}
	return p.print(fmt.Sprintf("%s verified, newest %s\n", plural(int64(v.verified), "record"), v.newest))
}

func anchorsText(n int) string {
	if n == 1 {
		return "the record of the anchor is"
	}
	return fmt.Sprintf("the records of all %d anchors are", n)
}
