//go:build !unix

package cli

// columnsOf returns the width of a terminal.
func columnsOf(any) int { return defaultColumns }
