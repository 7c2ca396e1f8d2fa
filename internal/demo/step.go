package demo

import "time"

// step is a part of the past that is acted out at once.
type step struct {
	start  time.Time
	length time.Duration
}

// moment draws a time of the step.
func (s step) moment(d dice) time.Time {
	return s.start.Add(time.Duration(d.Int64N(int64(s.length/time.Microsecond))) * time.Microsecond)
}

// The steps grow with the distance from now, as what is kept of them is less: days
// where of usage only days are kept, ten minutes where there is an access log, and
// minutes where there are minutes of usage.
const (
	daily    = 36 * day
	hourly   = 30 * day
	minutely = 25 * time.Hour
	pace     = 10 * time.Minute
)

// firstUsage is when usage begins.
func (w *world) firstUsage() time.Time { return w.Now.AddDate(0, 0, -w.Days).Truncate(day) }

// steps returns those of the days of usage, to now.
func (w *world) steps() []step {
	var steps []step
	for t := w.firstUsage(); ; {
		length := w.lengthAt(t)
		if t.Add(length).After(w.Now) {
			return steps
		}
		steps = append(steps, step{t, length})
		t = t.Add(length)
	}
}

// lengthAt returns how long the step at a time is. Each length goes into the next.
func (w *world) lengthAt(t time.Time) time.Duration {
	ago := w.Now.Sub(t)
	switch {
	case ago > daily+day && t.Equal(t.Truncate(day)):
		return day
	case ago > hourly+time.Hour && t.Equal(t.Truncate(time.Hour)):
		return time.Hour
	case ago > minutely:
		return pace
	}
	return time.Minute
}
