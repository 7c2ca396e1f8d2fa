package demo

import (
	"time"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/identity"
)

// source is where requests that are noted come from.
type source struct {
	name           string // of the key
	dice           dice
	step           step
	agent, country string
}

// maxLines is how many requests of a step that are alike have a line of their own.
const maxLines = 40

// note lets it be known what became of requests that are alike, as doors record
// it: those that were refused have lines of their own, but for the many of a flood.
func (w *world) note(g *access.Group, at time.Time, v access.Volume, from source) {
	w.requests[from.name] += v.Requests
	if g.KeyID != "" {
		w.noteKey(g, at, v.Requests)
	}
	rest := v
	if g.Outcome == access.Refused {
		n := min(v.Requests, maxLines)
		for i := range n {
			if i > 0 {
				at = from.step.moment(from.dice)
			}
			one := access.Volume{
				Requests: 1, RefusedItems: v.RefusedItems / v.Requests, Bytes: v.Bytes / v.Requests, Duration: v.Duration / time.Duration(v.Requests),
			}
			rest = rest.Less(&one)
			w.line(*g, at, one, from)
		}
	}
	if rest.Requests > 0 {
		w.count(*g, at, access.Count{Volume: rest}, from)
	}
}

// noteKey lets it be known that a key was used.
func (w *world) noteKey(g *access.Group, at time.Time, n int64) {
	errors := n
	if g.Outcome == access.Accepted {
		errors = 0
	}
	w.rates.note(g.KeyID, at, n, errors)
	if g.Outcome != access.Refused || g.Reason == string(identity.RateLimited) {
		w.uses.note(g.KeyID, g.Secret, at)
	}
}

// line lets a request have a line of its own.
func (w *world) line(g access.Group, at time.Time, v access.Volume, from source) {
	w.count(g, at, access.Count{Volume: v, Logged: v}, from)
	g.Minute = at.Unix() / 60
	w.pending.Lines = append(w.pending.Lines, access.Request{
		Group: g, Volume: v, Arrived: at.Add(-v.Duration), At: at, UserAgent: from.agent, Country: from.country,
	})
}

func (w *world) count(g access.Group, at time.Time, c access.Count, from source) {
	g.Minute = at.Unix() / 60
	c.Group, c.UserAgent, c.Country = g, from.agent, from.country
	w.pending.Counts = append(w.pending.Counts, c)
}
