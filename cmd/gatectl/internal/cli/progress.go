package cli

import (
	"fmt"
	"io"
	"time"
)

// progressEvery is how often a line of progress changes.
const progressEvery = 100 * time.Millisecond

// progress tells on a terminal how far a long work has come, in a line that it
// writes anew. Elsewhere it is silent.
type progress struct {
	out     io.Writer // nil: silent
	doing   string
	now     func() time.Time
	shown   time.Time // zero: nothing is on the line
	bytes   int64
	records uint64
}

func (p *program) newProgress(doing string) *progress {
	g := &progress{doing: doing, now: p.now}
	if isTerminal(p.stderr) && p.getenv("TERM") != "dumb" {
		g.out = p.stderr
	}
	return g
}

func (g *progress) setBytes(n int64) {
	g.bytes = n
	g.show()
}

func (g *progress) setRecords(n uint64) {
	g.records = n
	g.show()
}

func (g *progress) show() {
	now := g.now()
	if g.out == nil || now.Sub(g.shown) < progressEvery {
		return
	}
	g.shown = now
	_, _ = fmt.Fprintf(g.out, "\r\x1b[K%s: %s, %d records", g.doing, sizeText(g.bytes), g.records)
}

// clear takes the line away.
func (g *progress) clear() {
	if !g.shown.IsZero() {
		_, _ = io.WriteString(g.out, "\r\x1b[K")
	}
}
