package cli

import (
	"strconv"
	"time"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

func logHeading() []cell {
	titles := heading("TIME (UTC)", "KEY", "NAME", "ENDPOINT", "OUTCOME", "STATUS", "REQUESTS", "ITEMS", "BYTES", "TOOK", "ADDRESS", "COUNTRY", "USER AGENT")
	return above(titles, logRow(&client.AccessRecord{}))
}

const (
	maxLogName   = 24
	maxUserAgent = 40
)

func logRow(r *client.AccessRecord) []cell {
	return []cell{
		{text: logTime(r)},
		text(orDash(r.KeyID)), text(shorten(printable(logName(r)), maxLogName)), text(r.Endpoint),
		accessOutcomeCell(r), figure(strconv.Itoa(r.Status)), number(r.Requests), number(r.Items), figure(sizeText(r.Bytes)),
		figure(tookText(r.DurationMs)), text(orDash(r.Address)), text(logCountry(r)), text(shorten(printable(orDash(r.UserAgent)), maxUserAgent)),
	}
}

// logTime has seconds where they are known.
func logTime(r *client.AccessRecord) string {
	if r.Counted {
		return minuteText(r.Time)
	}
	return r.Time.UTC().Format(time.DateTime)
}

// logName is that of the key; of one that does not exist what was seen of it.
func logName(r *client.AccessRecord) string {
	if r.KeyID == nil {
		return orDash(r.Hint)
	}
	return orDash(r.KeyName)
}

func logCountry(r *client.AccessRecord) string {
	if r.Country == nil {
		return "-"
	}
	return countryText(*r.Country)
}

func orDash(s *string) string {
	if s == nil || *s == "" {
		return "-"
	}
	return *s
}

func accessOutcomeCell(r *client.AccessRecord) cell {
	c := text(string(r.Outcome))
	if r.Outcome != client.AccessOutcomeAccepted {
		c.color = red
		if r.Reason != nil {
			c.text += ": " + printable(*r.Reason)
		}
	}
	return c
}

// tookText is a duration for a column: 0.2ms, 12ms, 1.5s.
func tookText(ms float64) string {
	switch {
	case ms < 10:
		return strconv.FormatFloat(ms, 'f', 1, 64) + "ms"
	case ms < 1000:
		return strconv.FormatFloat(ms, 'f', 0, 64) + "ms"
	}
	return strconv.FormatFloat(ms/1000, 'f', 1, 64) + "s"
}
