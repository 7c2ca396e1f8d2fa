package cli

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// topView is what gatectl top shows of a moment.
type topView struct {
	server  string
	usage   client.TopUsage
	firing  int  // alerts; -1: not known
	more    bool // whether more than those are firing
	trouble string
}

// text shows all of it.
func (v *topView) text(colored bool) string {
	var b strings.Builder
	for _, row := range v.head() {
		b.WriteString(strings.TrimRight(sentence(row, colored), " ") + "\n")
	}
	if len(v.usage.Data) > 0 {
		b.WriteString("\n" + grid(v.table(), colored))
	}
	return b.String()
}

// screen shows what fits of it: as many lines as there are at most, none of them
// wider than the columns.
func (v *topView) screen(width, height int, colored bool) []string {
	var lines []string
	for _, row := range v.head() {
		lines = append(lines, sentence(clip(row, width), colored))
	}
	lines = append(lines, "")
	rows := v.table()
	rows[0] = above(rows[0], rows[len(rows)-1])
	rows = rows[:min(len(rows), max(height-len(lines), 0))]
	rows = narrow(rows, width)
	widths := columnWidths(nil, rows)
	for _, row := range rows {
		lines = append(lines, line(row, widths, colored))
	}
	return lines[:min(len(lines), height)]
}

// head sums up.
func (v *topView) head() [][]cell {
	u := &v.usage
	rows := [][]cell{
		{{text: "otlpgate at " + printable(v.server), color: bold}, {text: u.To.UTC().Format(time.DateTime) + " UTC, rates of the last " + shortSpan(v.span())}},
		{
			{text: "requests " + v.perSecond(u.Total.Requests)},
			{text: "items " + v.perSecond(u.Total.Items)},
			{text: "bytes " + v.bytesPerSecond(u.Total.Bytes)},
			shareCell("refused", u.Total.Refused, u.Total.Requests), shareCell("failed", u.Total.Failed, u.Total.Requests),
		},
		{{text: "strangers " + v.perSecond(u.Strangers.Requests)}, {text: "keys in use " + countDigits(int64(u.Keys))}, v.firingCell(), v.droppedCell()},
	}
	if v.trouble != "" {
		rows = append(rows, []cell{{text: printable(v.trouble), color: red}})
	}
	return rows
}

// span is the time that the counts are of. That of the very first moment of a
// minute would make little look like much.
func (v *topView) span() time.Duration { return max(v.usage.To.Sub(v.usage.From), time.Second) }

func (v *topView) rate(n int64) string { return rateText(float64(n) / v.span().Seconds()) }

func (v *topView) perSecond(n int64) string { return v.rate(n) + "/s" }

func (v *topView) byteRate(n int64) string {
	return sizeText(int64(float64(n)/v.span().Seconds() + 0.5))
}

func (v *topView) bytesPerSecond(n int64) string { return v.byteRate(n) + "/s" }

// rateText is exact where it is small.
func rateText(perSecond float64) string {
	switch {
	case perSecond <= 0:
		return "0"
	case perSecond < 0.01:
		return "<0.01"
	case perSecond < 1:
		return strconv.FormatFloat(perSecond, 'f', 2, 64)
	case perSecond < 100:
		return strconv.FormatFloat(perSecond, 'f', 1, 64)
	}
	return countDigits(int64(perSecond + 0.5))
}

func shareCell(name string, part, whole int64) cell {
	c := errorRateCell(float64(part) / float64(max(whole, 1)))
	c.text = name + " " + c.text
	return c
}

func (v *topView) firingCell() cell {
	switch {
	case v.firing < 0:
		return cell{text: "alerts unknown"}
	case v.firing == 0:
		return cell{text: "no alerts"}
	case v.more:
		return cell{text: "more than " + countDigits(int64(v.firing)) + " alerts firing", color: red}
	}
	return cell{text: plural(int64(v.firing), "alert") + " firing", color: red}
}

func (v *topView) droppedCell() cell {
	if v.usage.DroppedLines == 0 {
		return cell{}
	}
	return cell{text: "lines dropped " + countDigits(v.usage.DroppedLines), color: yellow}
}

// The columns of the table, by their order.
const (
	topName = iota
	topID
	topType
	topRequests
	topItems
	topBytes
	topErrors
	topRefusal
	topQuota
	topUnderWay
)

// dispensable are the columns that go where there is no room for all, the first
// one first.
var dispensable = []int{topType, topUnderWay, topID, topBytes, topRefusal, topItems, topQuota, topErrors}

func (v *topView) table() [][]cell {
	rows := [][]cell{heading("KEY", "ID", "TYPE", "REQ/S", "ITEMS/S", "BYTES/S", "ERRORS", "TOP REFUSAL", "NEAREST LIMIT", "UNDER WAY")}
	for i := range v.usage.Data {
		rows = append(rows, v.row(&v.usage.Data[i]))
	}
	return rows
}

func (v *topView) row(k *client.TopKey) []cell {
	kind := text("-")
	if k.Type != nil {
		kind = typeCell(*k.Type)
	}
	return []cell{
		topName: text(shorten(printable(nameOrID(k)), maxLogName)), topID: text(k.KeyID), topType: kind,
		topRequests: figure(v.rate(k.Counts.Requests)), topItems: figure(v.rate(k.Counts.Items)), topBytes: figure(v.byteRate(k.Counts.Bytes)),
		topErrors: errorsCell(k.ErrorRate), topRefusal: topRefusalCell(k.Refusals),
		topQuota: quotaCell(k.Quota), topUnderWay: underWayCell(k.Concurrency),
	}
}

func nameOrID(k *client.TopKey) string {
	if k.Name == nil {
		return k.KeyID
	}
	return *k.Name
}

func errorsCell(rate float64) cell {
	c := errorRateCell(rate)
	c.right = true
	return c
}

func topRefusalCell(refusals client.Refusals) cell {
	reasons := byCount(refusals)
	if len(reasons) == 0 {
		return text("-")
	}
	return text(reasons[0] + " " + countDigits(refusals[reasons[0]]))
}

// nearLimit is from which part on a limit stands out.
const nearLimit = 0.8

func quotaCell(q *client.Quota) cell {
	if q == nil {
		return text("-")
	}
	part := float64(q.Used) / float64(max(q.Max, 1))
	c := text(strconv.Itoa(int(100*part)) + "% of " + countDigits(q.Max) + " " + string(q.On) + " " + string(q.Unit) + " in " + q.Window)
	c.color = nearnessColor(part)
	return c
}

func nearnessColor(part float64) string {
	switch {
	case part >= 1:
		return red
	case part >= nearLimit:
		return yellow
	}
	return ""
}

func underWayCell(c *client.Concurrency) cell {
	if c == nil {
		return text("-")
	}
	cell := text(strconv.Itoa(c.UnderWay) + " of " + strconv.Itoa(c.Max))
	cell.color = nearnessColor(float64(c.UnderWay) / float64(max(c.Max, 1)))
	return cell
}

// sentence puts cells beside each other.
func sentence(row []cell, colored bool) string {
	words := make([]string, 0, len(row))
	for _, c := range row {
		if c.text != "" {
			words = append(words, paint(c.text, c.color, colored))
		}
	}
	return strings.Join(words, columnGap)
}

// clip cuts a sentence to a width.
func clip(row []cell, width int) []cell {
	var clipped []cell
	for _, c := range row {
		if c.text == "" {
			continue
		}
		if width < 1 {
			break
		}
		c.text = shorten(c.text, width)
		clipped = append(clipped, c)
		width -= utf8.RuneCountInString(c.text) + len(columnGap)
	}
	return clipped
}

// narrow leaves out columns until the rows fit into a width, and cuts what is
// left where even that is too wide.
func narrow(rows [][]cell, width int) [][]cell {
	gone := map[int]bool{}
	kept := rows
	for _, column := range dispensable {
		if totalWidth(kept) <= width {
			return kept
		}
		gone[column] = true
		kept = without(rows, gone)
	}
	widths := columnWidths(nil, kept)
	for i := range kept {
		kept[i] = squeeze(kept[i], widths, width)
	}
	return kept
}

func totalWidth(rows [][]cell) int {
	total := 0
	for i, w := range columnWidths(nil, rows) {
		total += w
		if i > 0 {
			total += len(columnGap)
		}
	}
	return total
}

func without(rows [][]cell, columns map[int]bool) [][]cell {
	kept := make([][]cell, len(rows))
	for i, row := range rows {
		for column, c := range row {
			if !columns[column] {
				kept[i] = append(kept[i], c)
			}
		}
	}
	return kept
}

// squeeze cuts the cells of a row to what there is room for.
func squeeze(row []cell, widths []int, room int) []cell {
	row = slices.Clone(row)
	for i := range row {
		if room < 1 {
			return row[:i]
		}
		row[i].text = shorten(row[i].text, min(widths[i], room))
		room -= widths[i] + len(columnGap)
	}
	return row
}
