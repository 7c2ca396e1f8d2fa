package demo

import (
	"hash/fnv"
	"math"
	"time"
)

// rhythm tells how much is going on at a time, 1 when it is most.
type rhythm func(t time.Time) float64

// hourOf returns the time of the day in hours.
func hourOf(t time.Time) float64 { return float64(t.Hour()) + float64(t.Minute())/60 }

func weekend(t time.Time) bool { return t.Weekday() == time.Saturday || t.Weekday() == time.Sunday }

// wave is a smooth hill over the day, 1 at its peak and 0 half a day away.
func wave(t time.Time, peak float64) float64 {
	return (1 + math.Cos((hourOf(t)-peak)/24*2*math.Pi)) / 2
}

// steady is that of machines, which sleep hardly.
func steady(t time.Time) float64 { return 0.8 + 0.2*wave(t, 15) }

// shopping is that of people who buy in the evening, and more on weekends.
func shopping(t time.Time) float64 {
	level := 0.12 + 0.6*wave(t, 18) + 0.28*math.Pow(wave(t, 20), 4)
	if weekend(t) {
		return level
	}
	return 0.82 * level
}

// office is that of people who work.
func office(t time.Time) float64 {
	level := 0.02 + 0.98*math.Pow(wave(t, 13), 3)
	if weekend(t) {
		return 0.08 * level
	}
	return level
}

// nightly runs at an hour, for some hours.
func nightly(hour, hours float64) rhythm {
	return func(t time.Time) float64 {
		if since := hourOf(t) - hour; since >= 0 && since < hours {
			return 1
		}
		return 0
	}
}

// weekly does so on one day of the week.
func weekly(day time.Weekday, hour, hours float64) rhythm {
	run := nightly(hour, hours)
	return func(t time.Time) float64 {
		if t.Weekday() != day {
			return 0
		}
		return run(t)
	}
}

// bursts is that of jobs which people start: some of the twenty minutes of a
// working hour are full, the others empty.
func bursts(t time.Time) float64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(t.Truncate(20 * time.Minute).Format(time.RFC3339)))
	if float64(h.Sum32()%1000)/1000 < 0.6*office(t) {
		return 1
	}
	return 0
}
