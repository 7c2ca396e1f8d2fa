package chart

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var twoSeries = []Series{{"good", "Good"}, {"bad", "Bad"}}

func TestBarsStandOnEachOther(t *testing.T) {
	c := New(twoSeries, []Column{{"a", []int64{6, 2}}, {"b", []int64{0, 10}}, {"c", []int64{0, 0}}})
	assert.EqualValues(t, 10, c.Top)
	assert.EqualValues(t, 5, c.Middle)
	assert.EqualValues(t, 18, c.Total)
	assert.Equal(t, 30, c.Width)
	require.Len(t, c.Columns, 3)
	assert.Equal(t, []Bar{{"good", 1, 8, "40.00", "60.00"}, {"bad", 1, 8, "20.00", "20.00"}}, c.Columns[0].Bars)
	assert.Equal(t, []Bar{{"bad", 11, 8, "0.00", "100.00"}}, c.Columns[1].Bars)
	assert.Empty(t, c.Columns[2].Bars)
	assert.EqualValues(t, 6, c.Of(0))
	assert.EqualValues(t, 12, c.Of(1))
	assert.Equal(t, []string{"a", "b", "c"}, []string{c.First(), c.Mid(), c.Last()})
}

func TestAnEmptyChartHasNothing(t *testing.T) {
	c := New(twoSeries, nil)
	assert.Empty(t, c.Columns)
	assert.Empty(t, c.First()+c.Mid()+c.Last())
}

func TestWhatIsThereCanBeSeen(t *testing.T) {
	c := New(twoSeries, []Column{{"a", []int64{999_999, 1}}})
	require.Len(t, c.Columns[0].Bars, 2)
	assert.Equal(t, "1.00", c.Columns[0].Bars[1].Height)
	assert.Equal(t, "0.00", c.Columns[0].Bars[1].Y, "within the chart")
}

func TestNoBarLeavesTheChart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Column {
			return Column{Values: []int64{rapid.Int64Range(0, 1<<52).Draw(t, "good"), rapid.Int64Range(0, 1<<52).Draw(t, "bad")}}
		}), 1, 20).Draw(t, "columns")
		c := New(twoSeries, columns)
		for _, column := range c.Columns {
			if column.Total > c.Top {
				t.Fatalf("%d is above %d", column.Total, c.Top)
			}
			for _, bar := range column.Bars {
				y, height := number(t, bar.Y), number(t, bar.Height)
				if y < 0 || y > Height || height <= 0 || height > Height {
					t.Fatalf("bar %+v", bar)
				}
			}
		}
	})
}

func number(t *rapid.T, text string) float64 {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTheTopIsRound(t *testing.T) {
	for n, want := range map[int64]int64{0: 4, 1: 4, 5: 5, 6: 8, 9: 10, 10: 10, 11: 20, 37: 40, 41: 50, 99: 100, 1001: 2000, 7_999_999: 8_000_000} {
		assert.Equal(t, want, roundUp(n), n)
	}
}
