package cli

import (
	"os"

	"golang.org/x/term"
)

// isTerminal tells terminals from files, pipes and the null device.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// columnsOf returns the width of a terminal.
func columnsOf(stream any) int {
	file, ok := stream.(*os.File)
	if !ok {
		return defaultColumns
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil || width == 0 {
		return defaultColumns
	}
	return width
}
