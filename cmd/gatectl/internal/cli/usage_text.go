package cli

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// usageText describes usage: its totals, and tables of its parts, of which
// those that would be empty are left out.
func usageText(u *client.Usage, drawn, colored bool) string {
	parts := []string{grid(usageDetails(u), colored)}
	for _, rows := range [][][]cell{refusalRows(u.Refusals), endpointRows(u.ByEndpoint), countryRows(u.ByCountry), bucketRows(u, drawn)} {
		if len(rows) > 1 {
			parts = append(parts, grid(rows, colored))
		}
	}
	return strings.Join(parts, "\n")
}

func usageDetails(u *client.Usage) [][]cell {
	d := details{}
	d.addPointer("key", u.KeyID)
	d.add("from", minuteText(u.From)+" UTC")
	d.add("to", u.To.UTC().Format(time.DateTime)+" UTC")
	d.add("requests", requestsText(&u.Totals))
	d = append(d, []cell{label("error rate"), errorRateCell(u.ErrorRate)})
	d.add("items", itemsText(&u.Totals))
	d.add("bytes", sizeText(u.Totals.Bytes))
	return d
}

func requestsText(c *client.UsageCounts) string {
	if c.Requests == 0 {
		return "none"
	}
	return countDigits(c.Requests) + ": " + countDigits(c.Accepted) + " accepted, " +
		countDigits(c.Refused) + " refused, " + countDigits(c.Failed) + " failed"
}

func itemsText(c *client.UsageCounts) string {
	text := countDigits(c.Items)
	if c.RefusedItems > 0 {
		text += ", and " + countDigits(c.RefusedItems) + " refused"
	}
	return text
}

// highErrorRate is from where on an error rate stands out: where, unless the
// configuration says otherwise, its alert fires.
const highErrorRate = 0.05

func errorRateCell(rate float64) cell {
	c := cell{text: percentText(rate)}
	if rate > highErrorRate {
		c.color = red
	}
	return c
}

// percentText never makes nothing of what is little.
func percentText(part float64) string {
	if part > 0 && part < 0.001 {
		return "<0.1%"
	}
	return strconv.FormatFloat(100*part, 'f', 1, 64) + "%"
}

// byCount lists reasons, the most frequent first.
func byCount(refusals client.Refusals) []string {
	return slices.SortedFunc(maps.Keys(refusals), func(a, b string) int {
		return cmp.Or(cmp.Compare(refusals[b], refusals[a]), cmp.Compare(a, b))
	})
}

func refusalRows(refusals client.Refusals) [][]cell {
	rows := [][]cell{heading("REFUSED FOR", "REQUESTS")}
	for _, reason := range byCount(refusals) {
		rows = append(rows, []cell{text(reason), number(refusals[reason])})
	}
	return rows
}

func endpointRows(endpoints []client.UsageByEndpoint) [][]cell {
	rows := [][]cell{heading("ENDPOINT", "REQUESTS", "REFUSED", "FAILED", "ITEMS", "BYTES")}
	for i := range endpoints {
		rows = append(rows, append([]cell{text(endpoints[i].Endpoint)}, countCells(&endpoints[i].Counts)...))
	}
	return rows
}

// countCells are the requests, and what they brought.
func countCells(c *client.UsageCounts) []cell {
	return []cell{number(c.Requests), badNumber(c.Refused), badNumber(c.Failed), number(c.Items), figure(sizeText(c.Bytes))}
}

// badNumber counts what should not be.
func badNumber(n int64) cell {
	c := number(n)
	if n > 0 {
		c.color = red
	}
	return c
}

func countryRows(countries []client.UsageByCountry) [][]cell {
	rows := [][]cell{heading("COUNTRY", "REQUESTS", "ERRORS")}
	for _, c := range countries {
		rows = append(rows, []cell{text(countryText(c.Country)), number(c.Requests), badNumber(c.Errors)})
	}
	return rows
}

// countryText is a code, which is no country where it is ZZ.
func countryText(code string) string {
	if code == "ZZ" {
		return "unknown"
	}
	return code
}

// bucketRows show the course of time; what had no requests is left out. Bars
// compare the requests.
func bucketRows(u *client.Usage, drawn bool) [][]cell {
	titles := heading(stepTitle(u.Step), "REQUESTS", "REFUSED", "FAILED", "ITEMS", "BYTES")
	if drawn {
		titles = append(titles, cell{})
	}
	most := int64(1)
	for i := range u.Buckets {
		most = max(most, u.Buckets[i].Counts.Requests)
	}
	rows := [][]cell{titles}
	for i := range u.Buckets {
		b := &u.Buckets[i]
		row := append([]cell{{text: bucketTime(b.Start, u.Step)}}, countCells(&b.Counts)...)
		if drawn {
			row = append(row, cell{text: blocks(float64(b.Counts.Requests) / float64(most))})
		}
		rows = append(rows, row)
	}
	return rows
}

func stepTitle(step client.UsageStep) string {
	switch step {
	case client.UsageStepDay:
		return "DAY (UTC)"
	case client.UsageStepHour:
		return "HOUR (UTC)"
	default:
		return "MINUTE (UTC)"
	}
}

func bucketTime(at time.Time, step client.UsageStep) string {
	if step == client.UsageStepDay {
		return at.UTC().Format(time.DateOnly)
	}
	return minuteText(at)
}

// minuteText is a time that is a minute, an hour or a day.
func minuteText(at time.Time) string { return at.UTC().Format("2006-01-02 15:04") }

// blocksWidth is how many characters the longest bar has.
const blocksWidth = 20

// blocks draws a bar for a part of the whole, to an eighth of a character.
// There is something of whatever is not nothing.
func blocks(part float64) string {
	const eighths = "▏▎▍▌▋▊▉█"
	n := int(min(max(part, 0), 1)*blocksWidth*8 + 0.5)
	if part > 0 {
		n = max(n, 1)
	}
	bar := strings.Repeat("█", n/8)
	if n%8 > 0 {
		bar += string([]rune(eighths)[n%8-1])
	}
	return bar
}
