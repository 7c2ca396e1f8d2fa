package usage

import (
	"fmt"
	"time"
)

// Step is the length of the buckets of a series.
type Step string

// The steps. Days are those of UTC.
const (
	Minute Step = "1m"
	Hour   Step = "1h"
	Day    Step = "1d"
)

// Steps lists them, the finest first.
func Steps() []Step { return []Step{Minute, Hour, Day} }

// ParseStep returns the step of that name.
func ParseStep(name string) (Step, error) {
	switch s := Step(name); s {
	case Minute, Hour, Day:
		return s, nil
	}
	return "", fmt.Errorf("unknown step %q: must be 1m, 1h or 1d", name)
}

// Length is that of one bucket.
func (s Step) Length() time.Duration {
	switch s {
	case Minute:
		return time.Minute
	case Hour:
		return time.Hour
	case Day:
		return day
	}
	return 0
}

const day = 24 * time.Hour

// How long buckets are kept; those of a day for as long as usage is.
const (
	minutesKept = day
	hoursKept   = 35 * day
)

// A level is a way to keep buckets: those of one step, in pages of an hour, a day
// or a month.
type level struct {
	step Step
	// tag tells the levels apart in keys.
	tag byte
	// place returns the page that a time belongs to, by its start, and the place
	// in it.
	place func(time.Time) (start time.Time, slot int)
	// next returns the start of the page behind the one with that start.
	next func(start time.Time) time.Time
}

var levels = []level{
	{Minute, 'm', placeOfMinute, func(start time.Time) time.Time { return start.Add(time.Hour) }},
	{Hour, 'h', placeOfHour, func(start time.Time) time.Time { return start.AddDate(0, 0, 1) }},
	{Day, 'd', placeOfDay, func(start time.Time) time.Time { return start.AddDate(0, 1, 0) }},
}

func levelOf(s Step) *level {
	for i := range levels {
		if levels[i].step == s {
			return &levels[i]
		}
	}
	return nil
}

func placeOfMinute(at time.Time) (time.Time, int) { return at.Truncate(time.Hour), at.Minute() }

func placeOfHour(at time.Time) (time.Time, int) { return at.Truncate(day), at.Hour() }

func placeOfDay(at time.Time) (time.Time, int) {
	return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC), at.Day() - 1
}

// timeOf returns when the bucket at a place of a page starts.
func (l *level) timeOf(start time.Time, slot int) time.Time {
	return start.Add(time.Duration(slot) * l.step.Length())
}

// kept is how long buckets are kept where all usage is kept for a time.
func (l *level) kept(retention time.Duration) time.Duration {
	switch l.step {
	case Minute:
		return min(minutesKept, retention)
	case Hour:
		return min(hoursKept, retention)
	case Day:
	}
	return retention
}
