package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// progressEvery is how often a line of progress changes.
	progressEvery = 100 * time.Millisecond
	// barWidth is how many characters a bar has between its brackets.
	barWidth = 10
	// etaAfter is how long a work must have gone on before its end is
	// estimated.
	etaAfter = time.Second
	// The size of terminals that do not tell theirs.
	defaultColumns = 80
	defaultLines   = 24
)

// progress tells on a terminal how far a long work has come, in a line that it
// writes anew. Elsewhere it is silent. It is safe for concurrent use.
type progress struct {
	out     io.Writer // nil: silent
	doing   string
	unit    string // what is counted; records where it is empty
	now     func() time.Time
	columns func() int // nil: defaultColumns

	mutex      sync.Mutex
	started    time.Time // zero: nothing has come yet
	shown      time.Time // zero: nothing is on the line
	bytes      int64
	totalBytes int64 // 0: unknown
	records    uint64
	total      uint64 // of records; 0: unknown
	waiting    time.Time
}

func (p *program) newProgress(doing string) *progress {
	g := &progress{doing: doing, now: p.now}
	if isTerminal(p.stderr) && p.getenv("TERM") != "dumb" {
		g.out, g.columns = p.stderr, func() int { return columnsOf(p.stderr) }
	}
	return g
}

func (g *progress) setBytes(n int64)      { g.set(func() { g.bytes = n }) }
func (g *progress) setTotalBytes(n int64) { g.set(func() { g.totalBytes = n }) }
func (g *progress) setRecords(n uint64)   { g.set(func() { g.records = n }) }
func (g *progress) setTotal(n uint64)     { g.set(func() { g.total = n }) }

// addRecord counts one more record.
func (g *progress) addRecord() { g.set(func() { g.records++ }) }

// wait says that the work stands still for a time, since the server wants so.
func (g *progress) wait(d time.Duration) { g.set(func() { g.waiting = g.now().Add(d) }) }

func (g *progress) set(change func()) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	change()
	g.show()
}

func (g *progress) show() {
	now := g.now()
	if g.started.IsZero() {
		g.started = now
	}
	if g.out == nil || now.Sub(g.shown) < progressEvery {
		return
	}
	g.shown = now
	columns := defaultColumns
	if g.columns != nil {
		columns = g.columns()
	}
	_, _ = io.WriteString(g.out, "\r\x1b[K"+shorten(g.line(now), max(columns-1, 1)))
}

// clear takes the line away.
func (g *progress) clear() {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if !g.shown.IsZero() {
		_, _ = io.WriteString(g.out, "\r\x1b[K")
	}
}

// line is what is shown: how far the work has come, as far as its length is
// known, and what came of it.
func (g *progress) line(now time.Time) string {
	parts := []string{g.doing}
	if part, ok := g.part(); ok {
		parts = append(parts, bar(part), strconv.Itoa(int(100*part))+" %")
	}
	if g.records > 0 || g.total > 0 {
		parts = append(parts, g.count())
	}
	if g.bytes > 0 {
		parts = append(parts, g.size())
	}
	if left := g.left(now); left != "" {
		parts = append(parts, left)
	}
	return strings.Join(parts, "  ")
}

// part is how much of the work is done: of its records, else of its bytes.
func (g *progress) part() (part float64, known bool) {
	switch {
	case g.total > 0:
		return min(float64(g.records)/float64(g.total), 1), true
	case g.totalBytes > 0:
		return min(float64(g.bytes)/float64(g.totalBytes), 1), true
	}
	return 0, false
}

func bar(part float64) string {
	done := int(barWidth * part)
	return "[" + strings.Repeat("#", done) + strings.Repeat(" ", barWidth-done) + "]"
}

func (g *progress) count() string {
	unit := g.unit
	if unit == "" {
		unit = "records"
	}
	if g.total > 0 {
		return groupDigits(g.records) + " of " + groupDigits(max(g.total, g.records)) + " " + unit
	}
	return groupDigits(g.records) + " " + unit
}

func (g *progress) size() string {
	if g.totalBytes > 0 && g.total == 0 {
		return sizeText(g.bytes) + " of " + sizeText(g.totalBytes)
	}
	return sizeText(g.bytes)
}

// left is how long the rest will take if it goes on like this, or how long the
// server has asked to wait.
func (g *progress) left(now time.Time) string {
	if g.waiting.After(now) {
		return "the server asks to wait " + shortSpan(g.waiting.Sub(now))
	}
	part, known := g.part()
	elapsed := now.Sub(g.started)
	if !known || part <= 0 || part >= 1 || elapsed < etaAfter {
		return ""
	}
	return shortSpan(time.Duration(float64(elapsed)*(1-part)/part)) + " left"
}

// shortSpan is a span of time for a line of progress: 3s, 2m 10s, 1h 5m.
func shortSpan(d time.Duration) string {
	seconds := int64((d + time.Second - 1) / time.Second)
	switch {
	case seconds < 60:
		return fmt.Sprintf("%ds", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%dm %ds", seconds/60, seconds%60)
	}
	return fmt.Sprintf("%dh %dm", seconds/3600, seconds%3600/60)
}

// countDigits is groupDigits for a count, which is never negative.
func countDigits(n int64) string { return groupDigits(uint64(max(n, 0))) }

// groupDigits writes a number with a comma at each thousand.
func groupDigits(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
