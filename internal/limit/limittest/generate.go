package limittest

import (
	"time"

	"pgregory.net/rapid"

	"github.com/otlpgate/otlpgate/internal/limit"
)

var (
	signals = []limit.Traffic{limit.Traces, limit.Metrics, limit.Logs, limit.Profiles, limit.API}
	units   = []limit.Unit{limit.Requests, limit.Items, limit.Bytes}

	// windows are the bounds, what people write, and what does not divide well.
	windows = rapid.OneOf(
		rapid.SampledFrom([]time.Duration{
			time.Second, time.Second + 1, 7 * time.Second, time.Minute, time.Hour, 24 * time.Hour, 31 * 24 * time.Hour,
		}),
		rapid.Map(rapid.Int64Range(int64(time.Second), int64(limit.MaxWindow)), func(n int64) time.Duration { return time.Duration(n) }),
	)
	// maxima are mostly small, so that limits are reached.
	maxima = rapid.OneOf(rapid.Int64Range(1, 3), rapid.Int64Range(1, 100), rapid.Int64Range(1, limit.MaxMax))
)

// drawLimits returns 1 to 4 valid limits that differ in what they count.
func drawLimits(t *rapid.T) []limit.Limit {
	return rapid.SliceOfNDistinct(rapid.Custom(drawLimit), 1, 4, func(l limit.Limit) limit.Limit {
		l.Max = 0
		return l
	}).Draw(t, "limits")
}

func drawLimit(t *rapid.T) limit.Limit {
	l := limit.Limit{
		On:     rapid.SampledFrom(append([]limit.Traffic{limit.Ingest}, signals...)).Draw(t, "on"),
		Unit:   rapid.SampledFrom(units).Draw(t, "unit"),
		Max:    maxima.Draw(t, "max"),
		Window: limit.Window(windows.Draw(t, "window")),
	}
	if l.On == limit.API {
		l.Unit = limit.Requests
	}
	return l
}

// drawCost returns a cost that matters to one of the limits, and may to others.
func drawCost(t *rapid.T, limits []limit.Limit) limit.Cost {
	c := limit.Cost{On: rapid.SampledFrom(signals).Draw(t, "signal")}
	for _, u := range units {
		c.Ingest[u] = rapid.Int64Range(0, 2).Draw(t, "ingest")
		c.Own[u] = rapid.Int64Range(0, 2).Draw(t, "own")
	}
	aim := rapid.SampledFrom(limits).Draw(t, "aim")
	n := rapid.OneOf(
		rapid.SampledFrom([]int64{0, 1, aim.Max/3 + 1, aim.Max, aim.Max + 1}),
		rapid.Int64Range(0, aim.Max),
	).Draw(t, "cost")
	if aim.On == limit.Ingest {
		c.Ingest[aim.Unit] = n
	} else {
		c.On, c.Own[aim.Unit] = aim.On, n
	}
	return c
}

// drawStep returns how the clock goes on, often to where something leaves a
// window.
func drawStep(t *rapid.T, window, since time.Duration) time.Duration {
	whole := func(low, high time.Duration) time.Duration {
		return time.Duration(rapid.Int64Range(int64(low), int64(high)).Draw(t, "step"))
	}
	sixtieths := rapid.Map(rapid.Int64Range(1, 62), func(n int64) time.Duration { return time.Duration(int64(window) / 60 * n) })
	switch rapid.SampledFrom([]string{"none", "nanosecond", "sixtieth", "sixtieths", "window", "edge", "far", "year"}).Draw(t, "clock") {
	case "nanosecond":
		return 1
	case "sixtieth":
		return whole(0, window/60+1)
	case "sixtieths":
		return max(sixtieths.Draw(t, "sixtieths")+whole(-1, 1), 0)
	case "window":
		return whole(0, window)
	case "edge":
		return max(window-since+whole(-1, 1), 0)
	case "far":
		return whole(window, 5*window)
	case "year":
		return 366 * 24 * time.Hour
	}
	return 0
}
