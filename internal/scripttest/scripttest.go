// Package scripttest holds the commands that scripts of more than one package
// have, for testscript.Params.Cmds.
package scripttest

import (
	"os"
	"regexp"

	"github.com/rogpeppe/go-internal/testscript"
)

// Capture sets a variable to the first group of a pattern in the standard output
// of the last command: capture VARIABLE PATTERN.
func Capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture VARIABLE PATTERN")
	}
	match := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if match == nil {
		ts.Fatalf("no match for %q in stdout", args[1])
	}
	ts.Setenv(args[0], match[1])
}

// Fill puts the values of variables into a file: fill FILE.
func Fill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fill FILE")
	}
	filled := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(filled), 0o600))
}
