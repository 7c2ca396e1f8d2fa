package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

type importFlags struct {
	dryRun bool
	output *choice
}

func (p *program) importCommand() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import FILE.csv|FILE.json",
		Short: "take over API keys that exist already, by their digests",
		Long: `Take over API keys that exist already, by their digests: whoever holds them goes on
with them. The keys themselves are not needed and must not be in the file. They
must have the format of this gate's keys, as ` + "`gatectl keys mint`" + ` makes them.

The first line of a CSV file names its columns:

  name         what the key is for (required)
  digest       sha256: and the 64 hex digits of the whole key's SHA-256 (required)
  scopes       separated by spaces; or preset, one of the two is required
  preset       a name for scopes, such as instrumentation
  hint         what people are shown in place of the key
  description  more about it
  type         user or system (default user)
  environment  live or test (default live)
  owner        id or email of the user that a user key belongs to (default your own)
  role         bounds a system key
  projects     separated by ; (default all)
  plan         such as pro
  allowed_ips  separated by ; (default all)
  expires_at   a day such as 2027-01-31 or an RFC 3339 time (default never)

A JSON file holds a list of objects with the fields that POST /api/v1/api-keys
takes.

All is checked before anything is imported, by gatectl and then by the server.
Keys that are there already are left as they are, so that an import that broke
off is completed by running it again.`,
		Example: `  gatectl import keys.csv --dry-run
  gatectl import keys.csv`,
		Args: arguments(cobra.ExactArgs(1), "one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, done := untilInterrupted(cmd.Context())
			defer done()
			return p.importKeys(ctx, args[0], &f)
		},
	}
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "check everything and import nothing")
	f.output = outputFlag(cmd)
	return cmd
}

func (p *program) importKeys(ctx context.Context, path string, f *importFlags) error {
	rows, err := p.readImport(path)
	if err != nil {
		return err
	}
	c, err := p.connect()
	if err != nil {
		return err
	}
	i := &importer{c: c, path: path, rows: rows}
	if err := i.findOwners(ctx); err != nil {
		return err
	}
	if err := p.importInto(ctx, i, f.dryRun); err != nil {
		return err
	}
	return p.showImported(i, f)
}

// importInto lets the server check all rows, and sends them if all are well.
func (p *program) importInto(ctx context.Context, i *importer, dryRun bool) error {
	if err := i.each(ctx, p.newProgress("checking"), i.check); err != nil {
		return err
	}
	if err := rowsFailure(i.path, i.refused); err != nil {
		return err
	}
	if dryRun {
		return nil
	}
	return i.imported(i.each(ctx, p.newProgress("importing"), i.create))
}

// readImport reads the rows of a file and checks what can be checked here.
func (p *program) readImport(path string) ([]importRow, error) {
	var parse func([]byte, *importParser) []importRow
	switch strings.ToLower(filepath.Ext(path)) {
	case ".csv":
		parse = parseCSV
	case ".json":
		parse = parseJSON
	default:
		return nil, misuse("name a file that ends in .csv or .json", "import %s: no such format", path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
			err = pathErr.Err
		}
		return nil, refuse("name a file of keys; see `gatectl import --help`", "import %s: %s", path, err)
	}
	r := &importParser{now: p.now()}
	rows := parse(bytes.TrimPrefix(content, []byte("\ufeff")), r)
	r.checkOnce(rows)
	if err := rowsFailure(path, r.errs); err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, refuse("see `gatectl import --help`", "import %s: it holds no keys", path)
	}
	return rows, nil
}

// maxRowErrors is how many wrong rows are told of.
const maxRowErrors = 20

// rowError is what is wrong with a row.
type rowError struct {
	line int
	text string
}

// rowsFailure tells of every wrong row; nil where there is none.
func rowsFailure(path string, errs []rowError) error {
	if len(errs) == 0 {
		return nil
	}
	var text strings.Builder
	fmt.Fprintf(&text, "import %s: %s, nothing was imported", path, plural(int64(len(errs)), "mistake"))
	for _, e := range errs[:min(len(errs), maxRowErrors)] {
		fmt.Fprintf(&text, "\n  line %d: %s", e.line, strings.ReplaceAll(e.text, "\n", ";"))
	}
	if more := len(errs) - maxRowErrors; more > 0 {
		fmt.Fprintf(&text, "\n  and %d more", more)
	}
	return refuse("correct the file and run it again; `gatectl import --help` explains its columns", "%s", text.String())
}

// importResult is what -o json prints.
type importResult struct {
	DryRun       bool              `json:"dryRun"`
	Created      int               `json:"created"`
	AlreadyThere int               `json:"alreadyThere"`
	Keys         []json.RawMessage `json:"keys"`
}

func (p *program) showImported(i *importer, f *importFlags) error {
	created := len(i.rows) - i.there
	if f.output.value == asJSON {
		body, err := json.Marshal(importResult{DryRun: f.dryRun, Created: created, AlreadyThere: i.there, Keys: i.answers()})
		if err != nil {
			return refuse("set --admin-url to the admin endpoint of otlpgate", "read the answers of the admin API: %s", err)
		}
		return p.printJSON(body)
	}
	text := "imported " + counted(created, "key")
	if f.dryRun {
		text = "would import " + counted(created, "key")
	}
	if i.there > 0 {
		text += fmt.Sprintf("; %d already there", i.there)
	}
	return p.print(text + "\n")
}
