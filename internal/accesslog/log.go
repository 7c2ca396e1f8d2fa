package accesslog

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/kv"
)

// Options configure a log.
type Options struct {
	// Store keeps the log. Required.
	Store kv.Store
	// Retention is how long entries are kept.
	Retention time.Duration
	// Redact takes secrets out of what clients send, which may hold them by
	// mistake. Nil takes out none.
	Redact func(string) string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Log keeps entries. What it is given is in memory until Flush. Safe for
// concurrent use; make it with New.
type Log struct {
	store     kv.Store
	retention time.Duration
	redact    func(string) string
	now       func() time.Time
	run       int64 // tells the blocks of one process from those of the one before
	dropped   atomic.Int64

	flushing sync.Mutex // held while what is pending is written; before mu
	mu       sync.Mutex // guards the rest
	serial   uint32     // of the newest sheet or batch of lines
	lines    []access.Request
	sheets   map[place]*sheet
	rows     int // of sheets
}

// place is where an entry is kept.
type place struct {
	minute int64
	shard  byte
}

// shardCount is how many parts the keys are spread over, so that whoever looks
// for one key need not unpack the entries of all.
const shardCount = 16

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.minute, q.minute), cmp.Compare(p.shard, q.shard))
}

func placeOf(g *access.Group) place { return place{g.Minute, shardOf(g.KeyID)} }

func shardOf(keyID string) byte {
	h := fnv.New32a()
	h.Write([]byte(keyID))
	return byte(h.Sum32() % shardCount)
}

// The bounds of what waits for a store that cannot be written.
const (
	maxPendingLines = 65_536
	maxPendingRows  = 200_000
)

// maxUserAgent is how much of a user agent is kept, in bytes.
const maxUserAgent = 200

// New returns a log over a store.
func New(o Options) *Log {
	l := &Log{
		store: o.Store, retention: o.Retention, redact: o.Redact, now: o.Now,
		sheets: map[place]*sheet{},
	}
	if l.redact == nil {
		l.redact = func(text string) string { return text }
	}
	if l.now == nil {
		l.now = time.Now
	}
	l.run = l.now().UnixMicro()
	return l
}

// Dropped returns how many lines, and counted requests, there was no room for
// since the beginning.
func (l *Log) Dropped() int64 { return l.dropped.Load() }

// Add adds what a tally remembered: a line for each request that has one, and
// counts of the others.
func (l *Log) Add(taken *access.Taken) {
	l.mu.Lock()
	defer l.mu.Unlock()
	room := max(maxPendingLines-len(l.lines), 0)
	if n := len(taken.Lines); n > room {
		l.dropped.Add(int64(n - room))
	}
	for i := range taken.Lines[:min(len(taken.Lines), room)] {
		line := taken.Lines[i]
		line.UserAgent = l.Clean(line.UserAgent)
		l.lines = append(l.lines, line)
	}
	for i := range taken.Lines[min(len(taken.Lines), room):] {
		r := &taken.Lines[room+i]
		l.count(&access.Count{Group: r.Group, Volume: r.Volume, UserAgent: r.UserAgent, Country: r.Country})
	}
	for i := range taken.Counts {
		l.count(&taken.Counts[i])
	}
}

// count adds the requests of a count that have no line. The lock must be held.
func (l *Log) count(c *access.Count) {
	v := c.Volume.Less(&c.Logged)
	if v.Requests == 0 {
		return
	}
	at := placeOf(&c.Group)
	s := l.sheets[at]
	if s == nil {
		l.serial++
		s = newSheet(l.serial)
		l.sheets[at] = s
	}
	if !s.has(&c.Group) {
		if l.rows >= maxPendingRows {
			l.dropped.Add(v.Requests)
			return
		}
		l.rows++
	}
	s.add(&c.Group, &v, l.Clean(c.UserAgent), c.Country)
}

// Clean returns a user agent as it is kept: valid UTF-8, not too long, and without
// secrets.
func (l *Log) Clean(userAgent string) string {
	text := strings.ToValidUTF8(userAgent, "?")
	if len(text) > maxUserAgent {
		text = strings.ToValidUTF8(text[:maxUserAgent], "") // a character that was cut goes
	}
	return l.redact(text)
}

// Flush writes what is pending. What could not be written is pending still.
func (l *Log) Flush(ctx context.Context) error {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	if err := l.flushLines(ctx); err != nil {
		return fmt.Errorf("keep access log: %w", err)
	}
	if err := l.flushSheets(ctx); err != nil {
		return fmt.Errorf("keep access log: %w", err)
	}
	l.forget()
	return nil
}

func (l *Log) flushLines(ctx context.Context) error {
	l.mu.Lock()
	lines := slices.Clone(l.lines)
	l.mu.Unlock()
	slices.SortStableFunc(lines, func(a, b access.Request) int {
		return placeOf(&a.Group).compare(placeOf(&b.Group))
	})
	var groups [][]kv.Entry
	var ends []int // how many lines are written with each group
	for done := 0; done < len(lines); {
		batch := batchOf(lines[done:])
		done += len(batch)
		groups, ends = append(groups, []kv.Entry{l.lineBlock(batch)}), append(ends, done)
	}
	written, err := l.store.Write(ctx, groups)
	done := 0
	if written > 0 {
		done = ends[written-1]
	}
	l.setLines(lines[done:], len(lines))
	return err
}

// setLines replaces the first lines that are pending, those that Flush has seen.
func (l *Log) setLines(rest []access.Request, seen int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(slices.Clone(rest), l.lines[seen:]...)
}

// batchOf returns the first lines that are of one place, as many as fit into a
// block.
func batchOf(lines []access.Request) []access.Request {
	at := placeOf(&lines[0].Group)
	var full filling
	n := 0
	for n < len(lines) && at == placeOf(&lines[n].Group) {
		if r := lineRecord(&lines[n]); !full.take(&r) {
			break
		}
		n++
	}
	return lines[:n]
}

func lineRecord(r *access.Request) record {
	return record{&r.Group, &r.Volume, r.UserAgent, r.Country, r.At.Sub(minuteStart(r.Minute))}
}

func (l *Log) lineBlock(lines []access.Request) kv.Entry {
	l.mu.Lock()
	l.serial++
	serial := l.serial
	l.mu.Unlock()
	at := placeOf(&lines[0].Group)
	value := encodeBlock(false, len(lines), func(i int) record { return lineRecord(&lines[i]) })
	return l.entry(at, serial, 0, value)
}

func (l *Log) entry(at place, serial, part uint32, value []byte) kv.Entry {
	return kv.Entry{
		Key: blockKey(at, l.run, serial, part), Value: value,
		ExpiresAt: minuteStart(at.minute + 1).Add(l.retention),
	}
}

func minuteStart(minute int64) time.Time { return time.Unix(minute*60, 0).UTC() }

// flushSheets writes the blocks of counts that have changed, in place of what
// was written of them before.
func (l *Log) flushSheets(ctx context.Context) error {
	blocks := l.changed()
	groups := make([][]kv.Entry, len(blocks))
	for i := range blocks {
		groups[i] = []kv.Entry{blocks[i].entry}
	}
	written, err := l.store.Write(ctx, groups)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range blocks[:written] {
		b.sheet.wrote(b.part, b.version)
	}
	return err
}

// changedBlock is a block of a sheet to write.
type changedBlock struct {
	sheet   *sheet
	part    int
	version int64
	entry   kv.Entry
}

func (l *Log) changed() []changedBlock {
	l.mu.Lock()
	defer l.mu.Unlock()
	var blocks []changedBlock
	for at, s := range l.sheets {
		for part, version := range s.changed() {
			rows := s.part(part)
			value := encodeBlock(true, len(rows), func(i int) record { return rows[i].record() })
			blocks = append(blocks, changedBlock{s, part, version, l.entry(at, s.serial, uint32(part), value)})
		}
	}
	return blocks
}

// forget drops the sheets of minutes that are over and written. What comes late
// gets a new one.
func (l *Log) forget() {
	current := l.now().Unix() / 60
	l.mu.Lock()
	defer l.mu.Unlock()
	for at, s := range l.sheets {
		if at.minute < current-1 && len(s.changed()) == 0 {
			l.rows -= len(s.rows)
			delete(l.sheets, at)
		}
	}
}
