package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

type applyFlags struct {
	file      string
	extension string
	dryRun    bool
	output    *choice
}

// applyTimeout is for a large file, each record of which is synced to disk.
const applyTimeout = 10 * time.Minute

func (p *program) applyCommand() *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "make the declared users and keys be those of a file",
		Long: `Make the declared users and keys be those of a YAML or JSON file, without a restart
of the collector, and show what changes. The file has the sections users and keys
of the collector's configuration; a whole configuration will do, of which only
these sections of the extension apikeyauth are read.

What the file declares is created or changed. What an earlier file declared and
this one does not is withdrawn: its keys are refused until they are declared
again. Records that were made through the API are never touched, and those of
the collector's configuration that the file does not name stay as they are.

All is checked before anything is written. Applying a file again changes nothing,
or completes what was interrupted. See what would change with --dry-run.`,
		Example: `  gatectl apply -f keys.yaml --dry-run
  gatectl apply -f keys.yaml
  gatectl apply -f collector.yaml --extension apikeyauth/edge`,
		Args: arguments(cobra.NoArgs, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.file == "" {
				return misuse("name a file that declares users and keys, or - for standard input", "apply: --file is required")
			}
			return p.apply(cmd.Context(), &f)
		},
	}
	cmd.Flags().StringVarP(&f.file, "file", "f", "", "`FILE` that declares users and keys, or - for standard input (required)")
	cmd.Flags().StringVar(&f.extension, "extension", "", "`NAME` of the extension, in a collector's configuration that has several")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show what would change, and change nothing")
	f.output = outputFlag(cmd)
	return cmd
}

func (p *program) apply(ctx context.Context, f *applyFlags) error {
	content, err := p.readDeclaration(f.file)
	if err != nil {
		return err
	}
	d, err := parseDeclared(content, f.extension)
	if err != nil {
		return declaredFailure(f.file, err)
	}
	body, err := json.Marshal(d.document)
	if err != nil {
		return declaredFailure(f.file, err)
	}
	c, err := p.connectWithin(max(p.flags.timeout, applyTimeout))
	if err != nil {
		return err
	}
	params := &client.ApplyDeclarationParams{DryRun: &f.dryRun}
	answer, err := c.api.ApplyDeclarationWithBody(ctx, params, "application/json", bytes.NewReader(body)) //nolint:bodyclose // result closes it
	applied, body, err := result[client.ApplyResult](c, "apply "+f.file, answer, err)
	if err != nil {
		return d.explain(f.file, err)
	}
	if f.output.value == asJSON {
		return p.printJSON(body)
	}
	return p.showApplied(&applied)
}

// maxDeclaration is more than the admin API takes.
const maxDeclaration = 32 << 20

func (p *program) readDeclaration(path string) ([]byte, error) {
	in := p.stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, unreadableDeclaration(path, err)
		}
		defer file.Close() //nolint:errcheck // nothing was written
		in = file
	} else if p.flags.keyFile == "-" {
		return nil, misuse("name a file for one of the two", "--file - and --key-file - exclude each other")
	}
	content, err := io.ReadAll(io.LimitReader(in, maxDeclaration+1))
	if err == nil && len(content) > maxDeclaration {
		err = fmt.Errorf("it is larger than %s", sizeText(maxDeclaration))
	}
	if err != nil {
		return nil, unreadableDeclaration(path, err)
	}
	return content, nil
}

func unreadableDeclaration(path string, err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err
	}
	return refuse("name a file that declares users and keys with --file", "apply %s: %s", path, err)
}

const declaredHint = "correct the file; docs/keys.md lists the fields under \"Declared keys\""

// declaredFailure tells every mistake of a file.
func declaredFailure(path string, err error) error {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) == 1 {
		return refuse(declaredHint, "apply %s: %s", path, lines[0])
	}
	shown := lines[:min(len(lines), maxRowErrors)]
	text := fmt.Sprintf("apply %s: %d mistakes\n  %s", path, len(lines), strings.Join(shown, "\n  "))
	if more := len(lines) - len(shown); more > 0 {
		text += fmt.Sprintf("\n  and %d more", more)
	}
	return refuse(declaredHint, "%s", text)
}

// explain puts places in the file where the server names those of the request.
func (d *declared) explain(path string, err error) error {
	e, ok := errors.AsType[*client.Error](err)
	if !ok || len(e.Errors) == 0 {
		return err
	}
	hint := declaredHint
	if e.Code == "declaration_conflict" {
		hint = "give it another id, email or digest, or revoke or delete the one that is there"
	}
	return refuse(hint, "apply %s: %s", path, problemText(e, d.placeText)).because(e)
}
