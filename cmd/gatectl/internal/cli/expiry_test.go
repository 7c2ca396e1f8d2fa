package cli

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseExpiry(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 10, 30, 15, 999, time.FixedZone("", 3600))
	for text, want := range map[string]string{
		"90d":                       "2027-02-22T09:30:15Z",
		"8w":                        "2027-01-19T09:30:15Z",
		"1y":                        "2027-11-24T09:30:15Z",
		"12h":                       "2026-11-24T21:30:15Z",
		"1h30m":                     "2026-11-24T11:00:15Z",
		"2027-01-31":                "2027-01-31T23:59:59Z",
		"2026-11-24":                "2026-11-24T23:59:59Z",
		"2027-01-31T12:00:00Z":      "2027-01-31T12:00:00Z",
		"2027-01-31T12:00:00+02:00": "2027-01-31T10:00:00Z",
	} {
		got, err := parseExpiry(text, now)
		require.NoError(t, err, text)
		assert.Equal(t, want, got.Format(time.RFC3339Nano), text)
	}

	got, err := parseExpiry("never", now)
	require.NoError(t, err)
	assert.Zero(t, got)
}

func TestParseExpiryRefuses(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 10, 30, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"":                     "is neither",
		"90":                   "is neither",
		"90 d":                 "is neither",
		"-90d":                 "is neither",
		"tomorrow":             "is neither",
		"Never":                "is neither",
		"2027-02-30":           "is neither",
		"31.01.2027":           "is neither",
		"99999999d":            "is neither",
		"0d":                   "must be in the future",
		"-1h":                  "must be in the future",
		"2026-11-23":           "must be in the future",
		"2026-11-24T10:30:00Z": "must be in the future",
		"9999999d":             "must be before the year 10000",
		"9999999y":             "must be before the year 10000",
	} {
		_, err := parseExpiry(text, now)
		var f *failure
		if assert.ErrorAs(t, err, &f, text) {
			assert.Contains(t, f.text, want, text)
			assert.Equal(t, exitUsage, f.exit, text)
			assert.NotEmpty(t, f.hint, text)
		}
	}
}

func TestHumanTimes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 10, 30, 0, 0, time.UTC)
	for span, want := range map[time.Duration]string{
		0:                        "now",
		90 * day:                 "in 3 months",
		90*day - time.Second:     "in 3 months",
		day:                      "in 1 day",
		3*day - time.Minute:      "in 3 days",
		-5 * time.Hour:           "5 hours ago",
		-time.Minute:             "1 minute ago",
		20 * time.Second:         "in 20 seconds",
		365 * day:                "in 1 year",
		30*day - time.Minute:     "in 1 month",
		36 * time.Hour:           "in 1 day",
		-2 * 365 * day:           "2 years ago",
		-1500 * time.Millisecond: "1 second ago",
	} {
		assert.Equal(t, want, distanceText(span), span.String())
	}

	for span, want := range map[time.Duration]string{
		-time.Second: "1 second ago", 0: "now", time.Second: "in 1 second", 12500 * time.Millisecond: "in 13 seconds",
		time.Minute: "in 1 minute", 61 * time.Second: "in 1 minute 1 second", 72 * time.Minute: "in 1 hour 12 minutes",
		time.Hour - time.Millisecond: "in 60 minutes", time.Hour: "in 1 hour", 119*time.Minute + time.Second: "in 2 hours",
		day: "in 1 day", 36 * time.Hour: "in 1 day 12 hours", 31*day - time.Minute: "in 31 days", 90 * day: "in 90 days",
	} {
		assert.Equal(t, want, preciseText(span), span.String())
	}

	soon, late := now.Add(3*day), time.Date(2027, 6, 1, 23, 59, 59, 0, time.UTC)
	assert.Equal(t, "in 3 days", shortTime(&soon, now))
	assert.Equal(t, "2027-06-01", shortTime(&late, now))
	assert.Equal(t, "never", shortTime(nil, now))
	assert.Equal(t, "2027-06-01 23:59:59 UTC (in 6 months)", fullTime(&late, now))
	assert.Equal(t, "never", fullTime(nil, now))
}
