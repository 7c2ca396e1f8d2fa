package cli

import (
	"slices"
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
	right bool   // whether it ends where its column does
}

// text makes a cell of what others wrote.
func text(s string) cell { return cell{text: printable(s)} }

// figure makes a cell of a number, or what else is compared by its end.
func figure(s string) cell { return cell{text: s, right: true} }

// number makes a cell of a count.
func number(n int64) cell { return figure(countDigits(n)) }

// grid formats rows in aligned columns. The first row is the heading, whose
// titles stand as what is below them.
func grid(rows [][]cell, colored bool) string {
	if len(rows) > 1 {
		rows[0] = above(rows[0], rows[1])
	}
	widths := columnWidths(nil, rows)
	var b strings.Builder
	for _, row := range rows {
		b.WriteString(line(row, widths, colored))
		b.WriteByte('\n')
	}
	return b.String()
}

// line formats a row in columns that are at least as wide as its cells.
func line(row []cell, widths []int, colored bool) string {
	var b strings.Builder
	for i, c := range row {
		padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text))
		if c.right {
			b.WriteString(padding)
		}
		b.WriteString(paint(c.text, c.color, colored))
		if i == len(row)-1 {
			break
		}
		if !c.right {
			b.WriteString(padding)
		}
		b.WriteString(columnGap)
	}
	return b.String()
}

// columnGap separates columns.
const columnGap = "  "

// above aligns titles as the row below them.
func above(titles, row []cell) []cell {
	aligned := slices.Clone(titles)
	for i := range min(len(titles), len(row)) {
		aligned[i].right = row[i].right
	}
	return aligned
}

// columnWidths returns how wide the columns are, which are never narrower than
// they were.
func columnWidths(before []int, rows [][]cell) []int {
	widths := slices.Clone(before)
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
