// Package chart lays out bar charts over time for templates to draw: in SVG whose
// colors come from the page's style sheet, so that they follow its theme and need
// no style of their own, which the page's policy would forbid.
package chart

import (
	"math"
	"strconv"
)

// Height is that of a chart in its own units, and ColumnWidth that of a column. The
// page stretches both to what room there is.
const (
	Height      = 100
	ColumnWidth = 10
	gap         = 2
)

// Series is one of the parts of each column.
type Series struct {
	Class string // of its bars, for the style sheet
	Title string
}

// Column is a span of time.
type Column struct {
	Title  string  // of the span, for whoever points at it
	Values []int64 // of each series, none negative
}

// Chart is a chart that is laid out. The zero value has no columns.
type Chart struct {
	Series  []Series
	Columns []Shape
	Width   int
	Top     int64 // what the height stands for, a round number
	Middle  int64 // half of it, 0 where that is no whole number
	Total   int64
}

// Shape is a column that is laid out.
type Shape struct {
	Column
	X     int
	Total int64
	Bars  []Bar // of the series that are not zero, the first at the bottom
}

// Bar is a part of a column.
type Bar struct {
	Class     string
	X, Width  int
	Y, Height string // in decimal
}

// New lays out a chart whose columns have a value of each series.
func New(series []Series, columns []Column) Chart {
	c := Chart{Series: series, Width: len(columns) * ColumnWidth}
	var highest int64
	for _, column := range columns {
		var total int64
		for _, v := range column.Values {
			total += v
		}
		c.Total += total
		highest = max(highest, total)
	}
	c.Top = roundUp(highest)
	if c.Top%2 == 0 {
		c.Middle = c.Top / 2
	}
	for i, column := range columns {
		c.Columns = append(c.Columns, c.shape(i*ColumnWidth, column))
	}
	return c
}

// least is the height of the lowest bar, lest what is there cannot be seen.
const least = 1

func (c *Chart) shape(x int, column Column) Shape {
	s := Shape{Column: column, X: x}
	bottom := float64(Height)
	for i, v := range column.Values {
		s.Total += v
		if v <= 0 {
			continue
		}
		height := max(least, float64(v)/float64(c.Top)*Height)
		bottom -= height
		s.Bars = append(s.Bars, Bar{
			Class: c.Series[i].Class, X: x + gap/2, Width: ColumnWidth - gap, Y: decimal(max(bottom, 0)), Height: decimal(height),
		})
	}
	return s
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) }

// roundUp returns the least of 1, 2, 4, 5 and 8 times a power of ten that is not
// below n, and at least 4.
func roundUp(n int64) int64 {
	if n <= 4 {
		return 4
	}
	power := math.Pow10(int(math.Floor(math.Log10(float64(n)))))
	for _, step := range []float64{1, 2, 4, 5, 8, 10} {
		if top := step * power; top >= float64(n) {
			return int64(top)
		}
	}
	return n
}

// Of returns the sum of a series.
func (c Chart) Of(series int) int64 {
	var sum int64
	for _, column := range c.Columns {
		sum += column.Values[series]
	}
	return sum
}

// First and Last are the titles of the outermost columns.
func (c Chart) First() string { return c.title(0) }

// Last is to First what the end is to the beginning.
func (c Chart) Last() string { return c.title(len(c.Columns) - 1) }

// Mid is the title of the column in the middle.
func (c Chart) Mid() string { return c.title(len(c.Columns) / 2) }

func (c Chart) title(i int) string {
	if i < 0 || i >= len(c.Columns) {
		return ""
	}
	return c.Columns[i].Title
}
