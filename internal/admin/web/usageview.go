package web

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/admin/web/chart"
)

// period is a span of time up to now that usage can be shown of.
type period struct {
	Value, Title string
	Length       time.Duration
	Step         client.UsageStep
	Merge        int // how many steps make a column of a chart
}

const dayLength = 24 * time.Hour

var periods = []period{
	{"1h", "Hour", time.Hour, client.UsageStepMinute, 1},
	{"24h", "24 hours", dayLength, client.UsageStepHour, 1},
	{"7d", "7 days", 7 * dayLength, client.UsageStepHour, 2},
	{"30d", "30 days", 30 * dayLength, client.UsageStepDay, 1},
	{"90d", "90 days", 90 * dayLength, client.UsageStepDay, 1},
	{"1y", "Year", 364 * dayLength, client.UsageStepDay, 7},
}

// periodOf returns the period of that name, a week where there is none.
func periodOf(name string) period {
	for _, p := range periods {
		if p.Value == name {
			return p
		}
	}
	return periods[2]
}

func stepLength(step client.UsageStep) time.Duration {
	switch step {
	case client.UsageStepMinute:
		return time.Minute
	case client.UsageStepHour:
		return time.Hour
	case client.UsageStepDay:
	}
	return dayLength
}

// from is the beginning of the period's first column, so that the last one is the
// one of now.
func (p period) from(now time.Time) time.Time {
	step := stepLength(p.Step)
	return now.UTC().Truncate(step).Add(step - p.Length)
}

// usageView is the usage of a key, or of all, as pages show it.
type usageView struct {
	client.Usage
	Period   period
	Periods  []period
	Requests chart.Chart
	Items    chart.Chart
	Reasons  []reasonCount
}

// reasonCount is how many requests were refused for a reason.
type reasonCount struct {
	Reason string
	Count  int64
	Share  int // of all refused, in percent
}

func newUsageView(u *client.Usage, p period) usageView {
	view := usageView{Usage: *u, Period: p, Periods: periods, Reasons: reasonsOf(u.Refusals)}
	columns := p.columns(u)
	view.Requests = chart.New([]chart.Series{{Class: "ok", Title: "Accepted"}, {Class: "refused", Title: "Refused"}, {Class: "failed", Title: "Failed"}},
		columnsOf(columns, p, func(c *client.UsageCounts) []int64 { return []int64{c.Accepted, c.Refused, c.Failed} }))
	view.Items = chart.New([]chart.Series{{Class: "items", Title: "Accepted"}, {Class: "refused", Title: "Refused"}},
		columnsOf(columns, p, func(c *client.UsageCounts) []int64 { return []int64{c.Items, c.RefusedItems} }))
	return view
}

// column is what was counted in the time of one column of a chart.
type column struct {
	start  time.Time
	counts client.UsageCounts
}

// columns are all of the period, those without any request too.
func (p period) columns(u *client.Usage) []column {
	length := stepLength(p.Step) * time.Duration(p.Merge)
	columns := make([]column, p.Length/length)
	for i := range columns {
		columns[i].start = u.From.Add(time.Duration(i) * length)
	}
	for i := range u.Buckets {
		at := int(u.Buckets[i].Start.Sub(u.From) / length)
		if at >= 0 && at < len(columns) {
			add(&columns[at].counts, &u.Buckets[i].Counts)
		}
	}
	return columns
}

func add(sum, c *client.UsageCounts) {
	sum.Accepted += c.Accepted
	sum.Refused += c.Refused
	sum.Failed += c.Failed
	sum.Items += c.Items
	sum.RefusedItems += c.RefusedItems
}

func columnsOf(columns []column, p period, values func(*client.UsageCounts) []int64) []chart.Column {
	out := make([]chart.Column, len(columns))
	for i := range columns {
		out[i] = chart.Column{Title: p.title(columns[i].start), Values: values(&columns[i].counts)}
	}
	return out
}

// title names the time of a column.
func (p period) title(start time.Time) string {
	start = start.UTC()
	switch {
	case p.Step == client.UsageStepMinute:
		return start.Format("15:04 UTC")
	case p.Step == client.UsageStepHour:
		return start.Format("2 Jan, 15:04 UTC")
	case p.Merge > 1:
		return "week of " + start.Format("2 Jan 2006")
	}
	return start.Format("Mon 2 Jan")
}

func reasonsOf(refusals client.Refusals) []reasonCount {
	var all int64
	list := make([]reasonCount, 0, len(refusals))
	for _, reason := range slices.Sorted(maps.Keys(refusals)) {
		all += refusals[reason]
		list = append(list, reasonCount{Reason: reason, Count: refusals[reason]})
	}
	for i := range list {
		list[i].Share = share(list[i].Count, all)
	}
	slices.SortStableFunc(list, func(a, b reasonCount) int { return cmp.Compare(b.Count, a.Count) })
	return list
}

// share is a part of a whole in percent, at least 1 where there is a part.
func share(part, whole int64) int {
	if part <= 0 || whole <= 0 {
		return 0
	}
	return max(1, int(part*100/whole))
}

// Busiest are the endpoints with most requests.
func (u usageView) Busiest() []client.UsageByEndpoint { return first(u.ByEndpoint, 8) }

// Countries are those with most requests.
func (u usageView) Countries() []client.UsageByCountry { return first(u.ByCountry, 8) }

func first[T any](list []T, n int) []T { return list[:min(n, len(list))] }
