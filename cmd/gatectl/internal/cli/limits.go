package cli

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/limit"
)

const limitHint = "write TRAFFIC:UNIT:MAX/WINDOW, such as ingest:requests:100/1m or traces:items:5000000/1d"

// parseLimits checks limits before they are sent. The server would answer in
// the words of JSON.
func parseLimits(words []string) ([]client.Limit, error) {
	limits, seen := make([]client.Limit, 0, len(words)), make([]limit.Limit, 0, len(words))
	for _, word := range words {
		l, err := limit.ParseLimit(word)
		if err != nil {
			return nil, misuse(limitHint, "--limit %q: %s", word, err)
		}
		if i := slices.IndexFunc(seen, l.SameWindow); i >= 0 {
			return nil, misuse("leave one of the two out", "--limit %q: %q is on the same %s %s in %s", word, words[i], l.On, l.Unit, l.Window)
		}
		seen = append(seen, l)
		limits = append(limits, client.Limit{
			On: client.Traffic(l.On.String()), Unit: client.Unit(l.Unit.String()), Max: l.Max, Window: l.Window.String(),
		})
	}
	return limits, nil
}

func limitTexts(limits []client.Limit) []string {
	texts := make([]string, len(limits))
	for i, l := range limits {
		texts[i] = l.Word()
	}
	return texts
}

// quotaLines says of each limit of a key what is spent of it, in columns.
func quotaLines(key *client.Key, now time.Time) []string {
	var rows [][]cell
	for _, q := range key.Quotas {
		rows = append(rows, []cell{
			text(string(q.On) + " " + string(q.Unit)),
			text(strconv.FormatInt(q.Used, 10) + " of " + strconv.FormatInt(q.Max, 10) + " in " + q.Window),
			text(resetText(q, now)),
		})
	}
	if c := key.Concurrency; c != nil {
		rows = append(rows, []cell{text("requests at once"), text(strconv.Itoa(c.UnderWay) + " of " + strconv.Itoa(c.Max)), text("")})
	}
	if len(rows) == 0 {
		return []string{"none"}
	}
	return trimmedLines(grid(rows, false))
}

func resetText(q client.Quota, now time.Time) string {
	if q.Used == 0 {
		return ""
	}
	return "resets " + preciseText(q.ResetAt.Sub(now))
}

// trimmedLines returns the lines of a grid without the padding of empty cells.
func trimmedLines(grid string) []string {
	var lines []string
	for line := range strings.Lines(grid) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	return lines
}
