package badgerstore

import "time"

// A gentle scan works for a stint and then rests for four times as long. Without,
// it would keep one processor busy for seconds, and requests that find it taken
// would wait for the scheduler.
//
// What took far longer than a stint was a wait, such as for the reader of a
// backup, and gave way already. So rests are short, and closing the store need
// not interrupt one.
const (
	stint       = 300 * time.Microsecond
	longestWork = 2 * stint
	restPerWork = 4
)

// pace makes a long work gentle.
type pace struct{ began time.Time }

// rest sleeps where the work has gone on for a stint.
func (p *pace) rest() {
	if rest := restFor(time.Since(p.began)); rest > 0 {
		time.Sleep(rest)
		p.began = time.Now()
	}
}

// restFor returns how long to rest, zero where the stint goes on.
func restFor(worked time.Duration) time.Duration {
	if worked < stint {
		return 0
	}
	return restPerWork * min(worked, longestWork)
}
