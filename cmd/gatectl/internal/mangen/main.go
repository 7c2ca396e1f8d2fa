// Command mangen writes the manual pages of gatectl into a directory, in place of
// those that are there: go generate runs it.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/otlpgate/otlpgate/cmd/gatectl/internal/cli"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: mangen DIRECTORY")
		os.Exit(2)
	}
	if err := replace(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "mangen:", err)
		os.Exit(1)
	}
}

// replace writes all pages and removes those of commands that are no more.
func replace(directory string) error {
	old, err := filepath.Glob(filepath.Join(directory, "gatectl*.1"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil { //nolint:gosec // whoever runs it names the directory
			return err
		}
	}
	if err := os.MkdirAll(directory, 0o755); err != nil { //nolint:gosec // the pages are for everybody
		return err
	}
	for name, page := range pages(cli.Root()) {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(page), 0o644); err != nil { //nolint:gosec // likewise
			return err
		}
	}
	return nil
}
