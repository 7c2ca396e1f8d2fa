package cli

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/go-viper/mapstructure/v2"
	"go.yaml.in/yaml/v3"
)

// decodeRecord reads a user or a key as the collector does, and refuses what is
// no field of it.
func decodeRecord(node *yaml.Node, path string, into any, errs *[]error) {
	var found []rowError
	refuse := func(where, rule string) {
		found = append(found, rowError{lineAt(node, where), joinPath(path, where) + ": " + rule})
	}
	defer func() { *errs = append(*errs, inOrder(found)...) }()
	if node.Kind != yaml.MappingNode {
		refuse("", "must be a mapping of fields")
		return
	}
	var fields map[string]any
	if err := node.Decode(&fields); err != nil {
		*errs = append(*errs, yamlFailure(err))
		return
	}
	if rule := unfit(fields); rule != "" {
		refuse("", rule)
		return
	}
	checkRawLimits(fields["limits"], refuse)
	decodeFields(fields, into, refuse)
}

// inOrder sorts mistakes by their lines.
func inOrder(found []rowError) []error {
	slices.SortStableFunc(found, func(a, b rowError) int { return cmp.Compare(a.line, b.line) })
	errs := make([]error, len(found))
	for i, e := range found {
		errs[i] = fmt.Errorf("line %d, %s", e.line, e.text)
	}
	return errs
}

// unfit refuses texts that are not what they would be taken for.
func unfit(fields map[string]any) (rule string) {
	texts(fields, func(text string) {
		switch {
		case anyKey.MatchString(text):
			rule = "holds an API key: put its digest in its place (`gatectl keys mint` prints both), and replace the key where others could read the file"
		case strings.Contains(text, "${") && rule == "":
			rule = "holds " + quoted(shorten(text, maxNameColumn)) + ": gatectl expands no variables; write the value itself"
		}
	})
	return rule
}

// checkRawLimits refuses what the decoder would take for something else: 1.5
// for 1, the number 1 for the name of some traffic.
func checkRawLimits(raw any, refuse func(where, rule string)) {
	limits, _ := raw.([]any)
	for i := range limits {
		fields, _ := limits[i].(map[string]any)
		at := "limits[" + strconv.Itoa(i) + "]"
		for _, name := range []string{"on", "unit", "window"} {
			if _, isText := fields[name].(string); fields[name] != nil && !isText {
				refuse(at+"."+name, "must be text")
			}
		}
		if _, isFloat := fields["max"].(float64); isFloat {
			refuse(at+".max", "must be a whole number")
		}
	}
}

func decodeFields(fields map[string]any, into any, refuse func(where, rule string)) {
	var metadata mapstructure.Metadata
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result: into, Metadata: &metadata,
		MatchName:  func(key, field string) bool { return key == field },
		DecodeHook: mapstructure.TextUnmarshallerHookFunc(),
	})
	if err == nil {
		err = decoder.Decode(fields)
	}
	for _, e := range decodeErrors(err) {
		refuse(e.Name(), decodeRule(e))
	}
	slices.Sort(metadata.Unused)
	for _, unused := range metadata.Unused {
		refuse(unused, "no such field"+meantField(unused, into))
	}
}

// decodeErrors are the innermost errors of the decoder, each of a field.
func decodeErrors(err error) []*mapstructure.DecodeError {
	switch e := err.(type) { //nolint:errorlint // the tree is walked by hand
	case nil:
		return nil
	case *mapstructure.DecodeError:
		if inner := decodeErrors(e.Unwrap()); len(inner) > 0 {
			return inner
		}
		return []*mapstructure.DecodeError{e}
	case interface{ Unwrap() []error }:
		var all []*mapstructure.DecodeError
		for _, one := range e.Unwrap() {
			all = append(all, decodeErrors(one)...)
		}
		return all
	case interface{ Unwrap() error }:
		return decodeErrors(e.Unwrap())
	}
	return nil
}

// decodeRule says what the value must be, in the words of YAML.
func decodeRule(e *mapstructure.DecodeError) string {
	wrong, ok := errors.AsType[*mapstructure.UnconvertibleTypeError](e)
	if !ok {
		if _, isTime := errors.AsType[*time.ParseError](e); isTime {
			return "must be a time such as 2027-01-31T12:00:00Z (RFC 3339)"
		}
		return decoderRule(redact(e.Unwrap().Error()))
	}
	switch wrong.Expected.Kind() { //nolint:exhaustive // the other kinds are none of a field
	case reflect.String:
		return "must be text: put it in quotes"
	case reflect.Bool:
		return "must be true or false"
	case reflect.Slice:
		return "must be a list"
	case reflect.Int64:
		return "must be a whole number"
	}
	return "has a value of the wrong kind"
}

// decoderRule rewords what the decoder says in the words of Go.
func decoderRule(text string) string {
	switch {
	case strings.HasPrefix(text, "source data must be an array or slice"):
		return "must be a list"
	case strings.HasPrefix(text, "expected a map"):
		return "must be a mapping of fields"
	}
	return strings.ReplaceAll(text, "\n", "; ")
}

// meantField offers the field that was meant.
func meantField(unused string, into any) string {
	if strings.ContainsAny(unused, ".[") {
		return ""
	}
	return meant(unused, fieldNames(reflect.TypeOf(into).Elem()))
}

func fieldNames(t reflect.Type) []string {
	names := make([]string, t.NumField())
	for i := range names {
		names[i] = t.Field(i).Tag.Get("mapstructure")
	}
	return names
}

// joinPath appends a path below a record: "keys[0]" and "limits[1].max".
func joinPath(path, where string) string {
	if where == "" {
		return path
	}
	return path + "." + redact(printable(where))
}

// lineAt returns the line of a path such as limits[1].max, or of the last of
// its steps that is there.
func lineAt(node *yaml.Node, where string) int {
	line := node.Line
	for _, step := range strings.FieldsFunc(where, func(r rune) bool { return strings.ContainsRune(".[]", r) }) {
		if node = child(node, step); node == nil {
			break
		}
		line = node.Line
	}
	return line
}

func index(step string) (int, bool) {
	i, err := strconv.Atoi(step)
	return i, err == nil && i >= 0
}

func isIndex(step string) bool {
	_, ok := index(step)
	return ok
}

// snakeCase makes owner_id of ownerId.
func snakeCase(name string) string {
	var b strings.Builder
	for _, r := range name {
		if unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
