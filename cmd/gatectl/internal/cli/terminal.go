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
	width, _ := screenSize(stream)
	return width
}

// screenSize returns the columns and lines of a terminal.
func screenSize(stream any) (width, height int) {
	if file, ok := stream.(*os.File); ok {
		// What it does not tell is 0.
		width, height, _ = term.GetSize(int(file.Fd()))
	}
	if width <= 0 {
		width = defaultColumns
	}
	if height <= 0 {
		height = defaultLines
	}
	return width, height
}
