package cli

import (
	"strconv"
	"time"
)

const pastHint = "use a span back from now such as 24h or 7d, a day such as 2026-07-01, or an RFC 3339 time"

// parsePast returns the time that a flag stands for, nil where it is empty. A
// day stands for its beginning and as much of it as is added.
func parsePast(flag, text string, now time.Time, ofDay time.Duration) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	now = now.UTC()
	if date, err := time.Parse(time.DateOnly, text); err == nil {
		date = date.Add(ofDay)
		return &date, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		at = at.UTC()
		return &at, nil
	}
	if span := longSpan.FindStringSubmatch(text); span != nil {
		count, err := strconv.Atoi(span[1])
		at := addSpan(now, -count, span[2])
		if err == nil && at.Year() > 0 {
			return &at, nil
		}
	}
	if span, err := time.ParseDuration(text); err == nil && span >= 0 {
		at := now.Add(-span)
		return &at, nil
	}
	return nil, misuse(pastHint, "--%s %q: is neither a span nor a time", flag, text)
}
