package cli

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The exit statuses.
const (
	exitOK      = 0
	exitRefused = 1
	exitUsage   = 2
)

// failure is an error as people see it.
type failure struct {
	text  string
	hint  string
	exit  int
	cause error // what it explains, where others have to know; not shown
}

func (f *failure) Error() string { return f.text }

// Unwrap returns what the failure explains.
func (f *failure) Unwrap() error { return f.cause }

// because adds what the failure explains.
func (f *failure) because(cause error) *failure {
	f.cause = cause
	return f
}

// status ends gatectl with an exit status that is an answer and no failure.
type status int

// Error implements error.
func (s status) Error() string { return "exit status " + strconv.Itoa(int(s)) }

// refuse returns a failure of the work itself.
func refuse(hint, format string, args ...any) *failure {
	return &failure{text: fmt.Sprintf(format, args...), hint: hint, exit: exitRefused}
}

// misuse returns a failure of the command line.
func misuse(hint, format string, args ...any) *failure {
	return &failure{text: fmt.Sprintf(format, args...), hint: hint, exit: exitUsage}
}

// report prints the error, if any, and returns the exit status.
func (p *program) report(err error) int {
	if err == nil {
		return exitOK
	}
	if answer, ok := errors.AsType[status](err); ok {
		return int(answer)
	}
	f, ok := errors.AsType[*failure](err)
	if !ok {
		f = misuse("see `gatectl --help`", "%s", err.Error())
	}
	p.say("error", f.text)
	if f.hint != "" {
		p.say("hint", f.hint)
	}
	return f.exit
}

// warn prints what the user should know although the command goes on.
func (p *program) warn(format string, args ...any) { p.say("warning", fmt.Sprintf(format, args...)) }

// note prints what is of interest beside the output.
func (p *program) note(format string, args ...any) { p.say("note", fmt.Sprintf(format, args...)) }

func (p *program) say(kind, text string) {
	// There is no place left to complain where standard error is gone.
	_, _ = fmt.Fprintf(p.stderr, "gatectl: %s: %s\n", kind, printableLines(redact(text)))
}

// flagFailure words pflag's errors like all others.
func flagFailure(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &invalid):
		return misuse(helpHint(cmd), "--%s %q: %s", invalid.GetFlag().Name, invalid.GetValue(), valueRule(invalid))
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		return misuse(flagHint(cmd, unknown.GetSpecifiedName()), "unknown flag --%s of %s", unknown.GetSpecifiedName(), cmd.CommandPath())
	}
	return misuse(helpHint(cmd), "%s", err.Error())
}

// valueRule says what the value of a flag must be; pflag's own causes are Go's
// parsing errors.
func valueRule(e *pflag.InvalidValueError) string {
	switch e.GetFlag().Value.Type() {
	case "int":
		return "must be a whole number"
	case "duration":
		return "must be a duration such as 10s or 1m"
	case "bool":
		return "must be true or false"
	}
	return e.Unwrap().Error()
}

func flagHint(cmd *cobra.Command, name string) string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if match, ok := closest(name, names); ok {
		return "did you mean --" + match + "?"
	}
	return helpHint(cmd)
}

// anyKey finds API keys of every prefix.
var anyKey = regexp.MustCompile(`[a-z][a-z0-9]{0,15}_(live|test|sys)_[0-9A-Za-z]{36}`)

// redact takes the API keys out of a text.
func redact(text string) string {
	return anyKey.ReplaceAllStringFunc(text, func(key string) string {
		return "[redacted " + key[:strings.LastIndexByte(key, '_')+1] + "…]"
	})
}

// refuseKeyArguments refuses a command line that holds an API key, whatever the
// place: others can read it in the list of processes, the shell keeps it in its
// history, and as a key's id it would reach the logs of servers.
func refuseKeyArguments(args []string) error {
	for i, arg := range args {
		if anyKey.MatchString(arg) {
			return misuse("give gatectl its own key with --key-file or "+keyVariable+", and name other keys by their id (see `gatectl keys list`); "+
				"where this one is in use, replace it: the shell's history may hold it now",
				"argument %d holds an API key, which the command line is no place for", i+1)
		}
	}
	return nil
}
