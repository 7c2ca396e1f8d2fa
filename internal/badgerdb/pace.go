package badgerdb

import "time"

// Pace makes a long work gentle: it goes on for a stint and then rests for four
// times as long. Without, it would keep one processor busy for seconds, and requests
// that find it taken would wait for the scheduler. Make it with NewPace when the work
// begins.
//
// What took far longer than a stint was a wait, such as for the reader of a backup,
// and gave way already. So rests are short, and closing a store need not interrupt
// one.
type Pace struct {
	stint time.Duration
	began time.Time
}

const restPerWork = 4

// NewPace begins a stint.
func NewPace(stint time.Duration) Pace { return Pace{stint, time.Now()} }

// Rest sleeps where the work has gone on for a stint.
func (p *Pace) Rest() {
	if rest := p.restFor(time.Since(p.began)); rest > 0 {
		time.Sleep(rest)
		p.began = time.Now()
	}
}

// restFor returns how long to rest, zero where the stint goes on.
func (p *Pace) restFor(worked time.Duration) time.Duration {
	if worked < p.stint {
		return 0
	}
	return restPerWork * min(worked, 2*p.stint)
}
