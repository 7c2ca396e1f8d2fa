package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// parseJSON is parseCSV for a list of objects.
func parseJSON(content []byte, r *importParser) []importRow {
	in := json.NewDecoder(bytes.NewReader(content))
	if start, err := in.Token(); err != nil || start != json.Delim('[') {
		if len(bytes.TrimSpace(content)) > 0 {
			r.refuse(1, "is no list of objects: must begin with [")
		}
		return nil
	}
	var rows []importRow
	for in.More() {
		var object json.RawMessage
		line := lineOf(content, in.InputOffset())
		if err := in.Decode(&object); err != nil {
			r.refuse(line, "is no JSON: %s", jsonRule(err))
			return rows
		}
		if row, ok := r.jsonRow(line, object); ok {
			rows = append(rows, row)
		}
	}
	r.checkJSONEnd(content, in)
	return rows
}

func (r *importParser) checkJSONEnd(content []byte, in *json.Decoder) {
	if _, err := in.Token(); err != nil {
		r.refuse(lineOf(content, in.InputOffset()), "the list does not end: ] is missing")
		return
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		r.refuse(lineOf(content, in.InputOffset()), "something follows the list: must be one list of objects")
	}
}

// lineOf returns the line of the first value at or behind an offset.
func lineOf(content []byte, offset int64) int {
	rest := content[offset:]
	begin := len(rest) - len(bytes.TrimLeft(rest, " \t\r\n,"))
	return 1 + bytes.Count(content[:int(offset)+begin], []byte("\n"))
}

func (r *importParser) jsonRow(line int, object json.RawMessage) (importRow, bool) {
	before := len(r.errs)
	if r.holdsKey(line, string(object)) {
		return importRow{}, false
	}
	row := importRow{line: line}
	in := json.NewDecoder(bytes.NewReader(object))
	in.DisallowUnknownFields()
	if err := in.Decode(&row.key); err != nil {
		r.refuse(line, "%s", jsonRule(err))
		return importRow{}, false
	}
	// Escapes may have hidden a key.
	if plain, err := json.Marshal(row.key); err != nil || r.holdsKey(line, string(plain)) {
		return importRow{}, false
	}
	r.check(&row)
	return row, len(r.errs) == before
}

// jsonRule words what Go says of JSON, without what stood there.
func jsonRule(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field == "" {
			return "must be an object"
		}
		return fmt.Sprintf("%s: must not be of type %s", printable(wrong.Field), wrong.Value)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		if name, unquoteErr := strconv.Unquote(name); unquoteErr == nil {
			return "no such field: " + quoted(shorten(name, maxNameColumn))
		}
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return syntax.Error()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "it is cut off"
	}
	// A time that cannot be read is all that is left.
	return "holds a time that is not as in RFC 3339, such as 2027-01-31T12:00:00Z"
}
