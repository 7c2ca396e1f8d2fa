package badgerkv

import "time"

// A gentle work goes on for a stint and then rests for four times as long, lest it
// keep a processor from requests. It looks at the clock every so many entries.
const (
	stint       = 2 * time.Millisecond
	longestWork = 2 * stint
	restPerWork = 4
	restEvery   = 64
)

// pace makes a long work gentle.
type pace struct{ began time.Time }

// rest sleeps where the work has gone on for a stint.
func (p *pace) rest() {
	if worked := time.Since(p.began); worked >= stint {
		time.Sleep(restPerWork * min(worked, longestWork))
		p.began = time.Now()
	}
}
