package cli

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

const (
	never      = "never"
	expiryHint = "use a span such as 12h, 90d, 8w or 1y, a day such as 2027-01-31 (to its end, in UTC), an RFC 3339 time, or never"
	maxYear    = 9999
	lastOfDay  = 24*time.Hour - time.Second
)

// longSpan is a number of days, weeks or years; no more digits than a year can
// take.
var longSpan = regexp.MustCompile(`^(\d{1,7})([dwy])$`)

// parseExpiry returns the time that the text stands for, the zero time for
// never.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	if text == never {
		return time.Time{}, nil
	}
	at, err := expiryTime(text, now.UTC())
	if err != nil {
		return time.Time{}, misuse(expiryHint, "--expires %q: %s", text, err)
	}
	switch {
	case !at.After(now):
		return time.Time{}, misuse(expiryHint, "--expires %q: must be in the future", text)
	case at.Year() > maxYear:
		return time.Time{}, misuse(expiryHint, "--expires %q: must be before the year %d", text, maxYear+1)
	}
	return at, nil
}

func expiryTime(text string, now time.Time) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.Add(lastOfDay), nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC(), nil
	}
	if span := longSpan.FindStringSubmatch(text); span != nil {
		count, err := strconv.Atoi(span[1])
		return addSpan(now, count, span[2]), err
	}
	if span, err := time.ParseDuration(text); err == nil {
		return now.Add(span).Truncate(time.Second), nil
	}
	return time.Time{}, fmt.Errorf("is neither a span nor a time nor %q", never)
}

func addSpan(now time.Time, count int, unit string) time.Time {
	now = now.Truncate(time.Second)
	switch unit {
	case "d":
		return now.AddDate(0, 0, count)
	case "w":
		return now.AddDate(0, 0, 7*count)
	}
	return now.AddDate(count, 0, 0)
}
