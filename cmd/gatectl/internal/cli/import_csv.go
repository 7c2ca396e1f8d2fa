package cli

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// csvColumns are the columns of a CSV file, each with the field of the API that
// it sets.
var csvColumns = []struct{ column, field string }{
	{"name", "name"},
	{"digest", "digest"},
	{"hint", "hint"},
	{"description", "description"},
	{"type", "type"},
	{"environment", "environment"},
	{"owner", "ownerId"},
	{"role", "role"},
	{"scopes", "scopes"},
	{"preset", "preset"},
	{"projects", "projects"},
	{"plan", "plan"},
	{"allowed_ips", "allowedIps"},
	{"expires_at", "expiresAt"},
}

func csvNames() (names []string, byField map[string]string) {
	byField = map[string]string{}
	for _, c := range csvColumns {
		names = append(names, c.column)
		byField[c.field] = c.column
	}
	return names, byField
}

// parseCSV reads the rows that can be read, and gathers what is wrong with the
// others.
func parseCSV(content []byte, r *importParser) []importRow {
	in := csv.NewReader(bytes.NewReader(content))
	in.FieldsPerRecord = -1 // counted here, to tell every wrong row
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		r.csvFailure(err)
		return nil
	}
	if !r.checkHeader(header) {
		return nil
	}
	_, columns := csvNames()
	var rows []importRow
	for {
		cells, err := in.Read()
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			r.csvFailure(err)
			return rows
		}
		line, _ := in.FieldPos(0)
		if row, ok := r.csvRow(line, header, cells, columns); ok {
			rows = append(rows, row)
		}
	}
}

// csvFailure tells where the file is no CSV, after which nothing can be read.
func (r *importParser) csvFailure(err error) {
	if parseErr, ok := errors.AsType[*csv.ParseError](err); ok {
		r.refuse(parseErr.StartLine, "is no CSV: %s", parseErr.Err)
		return
	}
	r.refuse(1, "is no CSV: %s", err)
}

// checkHeader brings the names of the columns into their form.
func (r *importParser) checkHeader(header []string) bool {
	before := len(r.errs)
	names, _ := csvNames()
	for i, name := range header {
		if r.holdsKey(1, name) {
			return false
		}
		header[i] = strings.ToLower(strings.TrimSpace(name))
		switch {
		case !slices.Contains(names, header[i]):
			r.refuse(1, "no such column: %s%s", quoted(shorten(header[i], maxNameColumn)), meant(header[i], names))
		case slices.Contains(header[:i], header[i]):
			r.refuse(1, "the column %s stands twice", header[i])
		}
	}
	for _, required := range []string{"name", "digest"} {
		if len(r.errs) == before && !slices.Contains(header, required) {
			r.refuse(1, "the column %s is missing: the first line names the columns", required)
		}
	}
	return len(r.errs) == before
}

func meant(word string, names []string) string {
	if match, ok := closest(word, names); ok {
		return ": did you mean " + match + "?"
	}
	return ": known are " + strings.Join(names, ", ")
}

func (r *importParser) csvRow(line int, header, cells []string, columns map[string]string) (importRow, bool) {
	before := len(r.errs)
	if len(cells) != len(header) {
		r.refuse(line, "has %s, and the first line %d: separate by commas, and put a value that holds one in double quotes", counted(len(cells), "value"), len(header))
		return importRow{}, false
	}
	if r.holdsKey(line, strings.Join(cells, "\n")) {
		return importRow{}, false
	}
	cell := map[string]string{}
	for i, name := range header {
		cell[name] = strings.TrimSpace(cells[i])
	}
	row := importRow{line: line, columns: columns, key: csvKey(cell)}
	row.key.ExpiresAt = r.csvExpiry(line, cell["expires_at"])
	r.check(&row)
	return row, len(r.errs) == before
}

func csvKey(cell map[string]string) client.KeyCreate {
	key := client.KeyCreate{
		Name: cell["name"], Digest: optional[string](cell["digest"]), Hint: optional[string](cell["hint"]),
		Description: optional[string](cell["description"]), Type: optional[client.KeyType](cell["type"]),
		Environment: optional[client.Environment](cell["environment"]), OwnerID: optional[string](cell["owner"]),
		Role: optional[client.Role](cell["role"]), Preset: optional[client.Preset](cell["preset"]),
		Projects: splitList(cell["projects"]), Plan: optional[string](cell["plan"]), AllowedIps: splitList(cell["allowed_ips"]),
	}
	for scope := range strings.FieldsSeq(cell["scopes"]) {
		key.Scopes = append(key.Scopes, client.Scope(scope))
	}
	return key
}

// splitList splits at semicolons, leaving out what is empty.
func splitList(text string) []string {
	var parts []string
	for part := range strings.SplitSeq(text, ";") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

func (r *importParser) csvExpiry(line int, text string) *time.Time {
	if text == "" || text == never {
		return nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		if at, err = time.Parse(time.DateOnly, text); err == nil {
			at = at.Add(lastOfDay)
		}
	}
	if err != nil || at.UTC().Year() > maxYear {
		r.refuse(line, "expires_at %s: must be a day such as 2027-01-31, an RFC 3339 time, or never", quoted(shorten(text, maxNameColumn)))
		return nil
	}
	at = at.UTC()
	return &at
}
