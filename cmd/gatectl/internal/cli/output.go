package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const (
	asTable = "table"
	asJSON  = "json"
)

// choice is the value of a flag that takes one of a few words.
type choice struct {
	value   string
	allowed []string
}

var _ pflag.Value = (*choice)(nil)

// String implements pflag.Value.
func (c *choice) String() string { return c.value }

// Type implements pflag.Value; the help shows it.
func (c *choice) Type() string { return strings.Join(c.allowed, "|") }

// Set implements pflag.Value.
func (c *choice) Set(word string) error {
	if !slices.Contains(c.allowed, word) {
		return fmt.Errorf("must be one of %s", strings.Join(c.allowed, ", "))
	}
	c.value = word
	return nil
}

// choiceFlag adds a flag that takes one of the words, and completes them.
func choiceFlag(cmd *cobra.Command, c *choice, name, shorthand, usage string, allowed ...string) {
	c.allowed = allowed
	cmd.Flags().VarP(c, name, shorthand, usage)
	completeFlag(cmd, name, allowed)
}

// completeFlag offers the words where a shell completes the flag's value.
func completeFlag(cmd *cobra.Command, name string, words []string) {
	// It fails only for a flag that does not exist, which the tests would show.
	_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// completeFlagWith lets a function offer values of a flag.
func completeFlagWith(cmd *cobra.Command, name string, complete cobra.CompletionFunc) {
	// It fails only for a flag that does not exist, which the tests would show.
	_ = cmd.RegisterFlagCompletionFunc(name, complete)
}

// outputFlag adds -o.
func outputFlag(cmd *cobra.Command) *choice {
	format := &choice{value: asTable}
	choiceFlag(cmd, format, "output", "o", "table for people, json for programs: what the admin API answered", asTable, asJSON)
	return format
}

// print writes to standard output.
func (p *program) print(text string) error {
	if _, err := io.WriteString(p.stdout, text); err != nil {
		return refuse("see that standard output can be written to", "write to standard output: %s", err)
	}
	return nil
}

// printJSON writes the JSON that the admin API answered with, indented.
func (p *program) printJSON(body []byte) error {
	var text bytes.Buffer
	if err := json.Indent(&text, bytes.TrimSpace(body), "", "  "); err != nil {
		return refuse("set --admin-url to the admin endpoint of otlpgate", "read the answer of the admin API: %s", err)
	}
	return p.print(escapeJSON(text.String()) + "\n")
}

// escapeJSON writes characters that could control a terminal, which in JSON
// stand in strings alone, as \u escapes: the value stays the same.
func escapeJSON(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || isPrintable(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// printable returns a text that cannot control the terminal: what is not
// printable is escaped as in Go.
func printable(text string) string {
	var b strings.Builder
	for text != "" {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case isPrintable(r):
			b.WriteRune(r)
		default:
			quoted := fmt.Sprintf("%+q", r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		text = text[size:]
	}
	return b.String()
}

// printableLines is printable for a text of several lines.
func printableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n")
}

// isPrintable is false for control characters and for those, of the category
// Cf, that make text read otherwise than it runs.
func isPrintable(r rune) bool { return unicode.IsGraphic(r) && (r == ' ' || !unicode.IsSpace(r)) }

// colored reports whether standard output is for eyes that want colors
// (https://no-color.org).
func (p *program) colored() bool {
	return p.getenv("NO_COLOR") == "" && p.getenv("TERM") != "dumb" && isTerminal(p.stdout)
}
