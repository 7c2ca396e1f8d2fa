package demo

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
)

// Print says what there is now, and what to do with it.
func (s *Summary) Print(w io.Writer) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	var requests int64
	for _, n := range s.Requests {
		requests += n
	}
	say("%s holds %d keys of %d users, and %d requests.", s.Directory, s.Keys, s.Users, requests)
	say("  administrator's key  %s", cmp.Or(s.AdminKeyFile, "the one that was given"))
	say("  keys of plain users  %s", s.SignInFile)
	say("  countries            %s", s.CountriesFile)
	say("Next:")
	say("  make demo%s", variable(s.Directory))
	say("  bin/gatectl --data-dir %s keys list", s.Directory)
}

// usualDirectory is where the Makefile has the demo.
const usualDirectory = "build/demo-data"

func variable(directory string) string {
	if directory == filepath.FromSlash(usualDirectory) {
		return ""
	}
	return " DEMO_DATA=" + directory
}
