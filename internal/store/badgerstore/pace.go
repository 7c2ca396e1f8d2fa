package badgerstore

import "time"

// A gentle scan works for a stint and then rests for four times as long. Without,
// it would keep one processor busy for seconds, and requests that find it taken
// would wait for the scheduler.
const (
	stint       = 300 * time.Microsecond
	restPerWork = 4
)

// pace makes a long work gentle.
type pace struct{ began time.Time }

// rest sleeps where the work has gone on for a stint.
func (p *pace) rest() {
	worked := time.Since(p.began)
	if worked < stint {
		return
	}
	time.Sleep(restPerWork * worked)
	p.began = time.Now()
}
