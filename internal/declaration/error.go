package declaration

import (
	"strings"

	"github.com/go-openapi/jsonpointer"
)

// Error is a rule that a document breaks.
type Error struct {
	// Path leads to what breaks it, by the names of the configuration: "keys",
	// "0", "allowed_ips".
	Path []string
	// Rule says what is wrong with the value, the rule and the remedy.
	Rule string
	// Conflict tells a collision with a record that no document declares from a
	// fault of the document itself.
	Conflict bool
}

// Error prints the path in the style of the configuration.
func (e *Error) Error() string {
	if len(e.Path) == 0 {
		return e.Rule
	}
	return strings.Join(e.Path, "::") + ": " + e.Rule
}

// Pointer returns the path as a JSON pointer (RFC 6901) into the document as the
// admin API takes it.
func (e *Error) Pointer() string {
	var b strings.Builder
	for _, step := range e.Path {
		b.WriteString("/" + jsonpointer.Escape(camelCase(step)))
	}
	return b.String()
}

// camelCase makes ownerId of owner_id.
func camelCase(name string) string {
	words := strings.Split(name, "_")
	for i, word := range words {
		if i > 0 && word != "" {
			words[i] = strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return strings.Join(words, "")
}

// Errors returns the rules that err tells of, however it wraps and joins them;
// nil where it tells of none.
func Errors(err error) []*Error {
	switch e := err.(type) { //nolint:errorlint // errors.As finds one alone
	case *Error:
		return []*Error{e}
	case interface{ Unwrap() error }:
		return Errors(e.Unwrap())
	case interface{ Unwrap() []error }:
		var all []*Error
		for _, one := range e.Unwrap() {
			all = append(all, Errors(one)...)
		}
		return all
	}
	return nil
}
