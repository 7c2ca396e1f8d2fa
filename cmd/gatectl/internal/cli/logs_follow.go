package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// lateness is how long after the end of a request its record may come. Each look
// at the log reaches back so far behind the one before, and the counts of a
// minute are final so long after its end: so the look that is the first to take a
// minute for over has its counts in sight.
const lateness = 15 * time.Second

// follower finds what comes into the access log, each record once. Time is what
// the server's clock says. It is not safe for concurrent use.
type follower struct {
	flags *logsFlags
	c     *connection
	since *time.Time // nil: the beginning of the log
	now   func() time.Time

	begun bool
	asked time.Time            // when the log was looked at last
	seen  map[string]time.Time // the times of records in reach that are dealt with, by id
}

// accessEntry is a record, and the JSON that it came as.
type accessEntry struct {
	client.AccessRecord
	raw json.RawMessage
}

// found is what a look at the log finds.
type found struct {
	at      time.Time
	entries []accessEntry
	dropped int64
}

// look returns the records to show, the oldest first. One that fails changes
// nothing, so that the next finds what it would have found.
func (f *follower) look(ctx context.Context) (found, error) {
	l, err := f.read(ctx)
	if err != nil {
		return found{}, err
	}
	if l.at.Before(f.asked) { // a clock that was set back, or another one
		l.at = f.asked
	}
	l.entries = f.choose(&l)
	slices.Reverse(l.entries)
	f.asked, f.begun = l.at, true
	f.forget()
	return l, nil
}

// reach is the time from which on there may be something new, nil for the
// beginning of the log.
func (f *follower) reach() *time.Time {
	if !f.begun {
		return f.since
	}
	from := f.asked.Add(-lateness)
	if f.since != nil && from.Before(*f.since) {
		from = *f.since
	}
	return &from
}

// read returns what is in reach, newest first; at first no more of it than
// matters.
func (f *follower) read(ctx context.Context) (found, error) {
	var l found
	for page := (accessPage{from: f.reach(), size: maxPage}); ; {
		answer, err := f.flags.get(ctx, f.c, &page) //nolint:bodyclose // result closes it
		part, _, err := result[listing](f.c, logsOperation, answer, err)
		if err != nil {
			return l, err
		}
		if l.at.IsZero() {
			l.at = f.serverTime(answer)
		}
		records, err := recordsOf[client.AccessRecord](part)
		if err != nil {
			return l, err
		}
		for i := range records {
			l.entries = append(l.entries, accessEntry{records[i], part.Data[i]})
		}
		if part.Dropped != nil {
			l.dropped = *part.Dropped
		}
		if page.cursor = part.NextCursor; page.cursor == nil || f.isEnough(&l) {
			return l, nil
		}
	}
}

func (f *follower) serverTime(answer *http.Response) time.Time {
	at, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return f.now()
	}
	return at
}

// isEnough reports whether a first look has all that is to be shown, and all that
// later ones must not take for new.
func (f *follower) isEnough(l *found) bool {
	n := len(l.entries)
	if f.begun || f.flags.all || n == 0 || !l.entries[n-1].Time.Before(l.at.Add(-lateness)) {
		return false
	}
	showable := 0
	for i := range l.entries {
		if l.entries[i].isFinal(l.at) {
			showable++
		}
	}
	return showable >= f.flags.limit
}

// isFinal is false for counts that may grow.
func (e *accessEntry) isFinal(now time.Time) bool {
	return !e.Counted || !now.Before(e.Time.Add(time.Minute+lateness))
}

// choose returns the records to show, and remembers which need no showing any
// more.
func (f *follower) choose(l *found) []accessEntry {
	var chosen []accessEntry
	for i := range l.entries {
		e := &l.entries[i]
		if _, known := f.seen[e.ID]; known || !e.isFinal(l.at) {
			continue
		}
		f.seen[e.ID] = e.Time
		if f.begun || f.flags.all || len(chosen) < f.flags.limit {
			chosen = append(chosen, *e)
		}
	}
	return chosen
}

// forget drops what is out of reach. Counts are out of it as soon as they are
// final.
func (f *follower) forget() {
	from := f.asked.Add(-lateness)
	for id, at := range f.seen {
		if at.Before(from) {
			delete(f.seen, id)
		}
	}
}

func (p *program) followLogs(ctx context.Context, f *logsFlags) error {
	since, _, err := f.parse(p.now())
	if err != nil {
		return err
	}
	c, err := p.connect()
	if err != nil {
		return err
	}
	ctx, done := untilInterrupted(ctx)
	defer done()
	w := &follower{flags: f, c: c, since: since, now: p.now, seen: map[string]time.Time{}}
	out := logPrinter{p: p, json: f.output.value == asJSON}
	v := vigil{p: p, interval: f.interval, pause: sleep}
	return v.keep(ctx, func(ctx context.Context) error {
		l, err := w.look(ctx)
		if err != nil {
			return err
		}
		return out.show(&l)
	})
}

// logPrinter writes records as they come, in columns that grow where they must.
type logPrinter struct {
	p       *program
	json    bool
	widths  []int // nil: nothing was written
	dropped int64 // that was told
}

func (o *logPrinter) show(l *found) error {
	err := o.showTable(l.entries)
	if err != nil {
		return err
	}
	if l.dropped < o.dropped { // otlpgate began anew
		o.dropped = 0
	}
	if l.dropped > o.dropped {
		o.p.noteDropped(l.dropped)
	}
	o.dropped = l.dropped
	return nil
}

func (o *logPrinter) showTable(entries []accessEntry) error {
	if o.json {
		return o.showLines(entries)
	}
	if len(entries) == 0 {
		return nil
	}
	var rows [][]cell
	if o.widths == nil {
		rows = append(rows, logHeading())
	}
	for i := range entries {
		rows = append(rows, logRow(&entries[i].AccessRecord))
	}
	o.widths = columnWidths(o.widths, rows)
	var text bytes.Buffer
	for _, row := range rows {
		text.WriteString(line(row, o.widths, o.p.colored()) + "\n")
	}
	return o.p.print(text.String())
}

// showLines writes JSON Lines (https://jsonlines.org).
func (o *logPrinter) showLines(entries []accessEntry) error {
	var text bytes.Buffer
	for i := range entries {
		if err := json.Compact(&text, entries[i].raw); err != nil {
			return refuse("set --admin-url to the admin endpoint of otlpgate", "read a listed record: %s", err)
		}
		text.WriteByte('\n')
	}
	return o.p.print(escapeJSON(text.String()))
}
