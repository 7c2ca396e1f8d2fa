package cli

import (
	"strings"
	"unicode/utf8"
)

// The SGR parameters of the colors that are used.
const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
)

// cell is a piece of text in a table.
type cell struct {
	text  string
	color string // SGR parameters; empty for none
}

// text makes a cell of what others wrote.
func text(s string) cell { return cell{text: printable(s)} }

// grid formats rows in aligned columns. The first row is the heading.
func grid(rows [][]cell, colored bool) string {
	widths := columnWidths(rows)
	var b strings.Builder
	for _, row := range rows {
		for i, c := range row {
			b.WriteString(paint(c.text, c.color, colored))
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text)+2))
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func columnWidths(rows [][]cell) []int {
	var widths []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	return widths
}

func paint(s, color string, colored bool) string {
	if !colored || color == "" || s == "" {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}

// heading makes the first row of a grid.
func heading(titles ...string) []cell {
	row := make([]cell, len(titles))
	for i, t := range titles {
		row[i] = cell{text: t, color: bold}
	}
	return row
}

// shorten cuts a text to a number of characters.
func shorten(s string, limit int) string {
	runes := []rune(s)
	if len(runes) <= limit {
		return s
	}
	return string(runes[:limit-1]) + "…"
}
