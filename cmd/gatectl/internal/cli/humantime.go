package cli

import (
	"fmt"
	"time"
)

const (
	day = 24 * time.Hour
	// nearby is how far from now a time is told by its distance.
	nearby = 60 * day
)

// shortTime is for tables: near times by their distance, others by their day.
func shortTime(at *time.Time, now time.Time) string {
	if at == nil {
		return never
	}
	if d := at.Sub(now); d < nearby && d > -nearby {
		return distanceText(d)
	}
	return at.UTC().Format(time.DateOnly)
}

// fullTime is for details: the time and its distance.
func fullTime(at *time.Time, now time.Time) string {
	if at == nil {
		return never
	}
	return at.UTC().Format(time.DateTime) + " UTC (" + distanceText(at.Sub(now)) + ")"
}

// distanceText says "in 3 days" or "5 hours ago".
func distanceText(d time.Duration) string {
	// Half a second covers what passes between a request and its display.
	if d > -time.Second && d < time.Second {
		return "now"
	}
	if d < 0 {
		return countText(-d) + " ago"
	}
	return "in " + countText(d)
}

// preciseText is distanceText for what is near, to the second of its units:
// "in 1 hour 12 minutes".
func preciseText(d time.Duration) string {
	if d < time.Second {
		return distanceText(d)
	}
	units := []struct {
		size time.Duration
		name string
	}{{day, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}}
	for i, unit := range units[:len(units)-1] {
		if d < unit.size {
			continue
		}
		finer := units[i+1]
		// Rounded up, so that what ends has ended by then.
		parts := int64((d + finer.size - 1) / finer.size)
		perUnit := int64(unit.size / finer.size)
		text := "in " + plural(parts/perUnit, unit.name)
		if parts%perUnit > 0 {
			text += " " + plural(parts%perUnit, finer.name)
		}
		return text
	}
	return "in " + plural(int64((d+time.Second-1)/time.Second), "second")
}

func countText(d time.Duration) string {
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{365 * day, "year"}, {30 * day, "month"}, {day, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if d < unit.size && d.Round(unit.size/20) < unit.size {
			continue
		}
		// Two years, not one, where nearly 24 months are left.
		count := int64((d + unit.size/20) / unit.size)
		return plural(count, unit.name)
	}
	return plural(int64(d/time.Second), "second")
}

func plural(count int64, unit string) string {
	if count == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", count, unit)
}
