package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/otlpgate/otlpgate/internal/access"
)

// live acts the past out, up to now.
func (w *world) live(ctx context.Context) error {
	events, steps := w.timeline(), w.steps()
	w.say("%d days of %d keys and %d people, %d of them with usage", int(w.founded()), len(w.keys)+1+w.crowd.size, len(w.people), w.Days)
	told := 0
	for i, s := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if events, err = w.happen(ctx, events, s.start); err != nil {
			return err
		}
		if err := w.pass(ctx, s); err != nil {
			return err
		}
		if part := 10 * (i + 1) / len(steps); part > told {
			told = part
			w.say("  %3d %%  %s", 10*part, s.start.Format("2006-01-02 15:04"))
		}
	}
	if _, err := w.happen(ctx, events, w.Now); err != nil {
		return err
	}
	return w.finish(ctx)
}

// happen lets come true what happens until a time, and returns what is to come.
func (w *world) happen(ctx context.Context, events []event, until time.Time) ([]event, error) {
	for len(events) > 0 && !events[0].at.After(until) {
		w.clock = events[0].at
		if err := events[0].do(ctx); err != nil {
			return nil, fmt.Errorf("act out %s: %w", events[0].at.Format(time.DateTime), err)
		}
		events = events[1:]
	}
	w.clock = until
	return events, nil
}

// pass lets a step go by.
func (w *world) pass(ctx context.Context, s step) error {
	for _, k := range w.keys {
		if k.sending {
			w.send(k, s)
		}
	}
	for _, k := range w.crowd.senders {
		w.send(k, s)
	}
	w.knock(s)
	w.clock = s.start.Add(s.length)
	if !w.judged(s) && len(w.pending.Counts) < 20_000 {
		return nil
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	if w.crowd.size > maxJudged || w.Now.Sub(s.start) > hourly {
		return nil
	}
	return w.alerts.Evaluate(ctx)
}

// maxJudged is how large a crowd is judged again and again: the others are once,
// in the end.
const maxJudged = 1000

// judged reports whether alerts are judged at the end of a step: every quarter of
// an hour at last, and every hour before.
func (w *world) judged(s step) bool {
	every := time.Hour
	if s.length == time.Minute {
		every = 15 * time.Minute
	}
	end := s.start.Add(s.length)
	return end.Equal(end.Truncate(every))
}

// flush writes what is pending; usage by the hour, which is as much as the ledger
// writes at once.
func (w *world) flush(ctx context.Context) error {
	w.ledger.Add(w.pending.Counts)
	if w.clock.Equal(w.clock.Truncate(time.Hour)) {
		if err := w.ledger.Flush(ctx); err != nil {
			return err
		}
	}
	if err := w.alerts.Note(ctx, w.pending.Counts); err != nil {
		return err
	}
	if w.Now.Sub(w.clock) < hourly {
		w.log.Add(&w.pending)
		if err := w.log.Flush(ctx); err != nil {
			return err
		}
	}
	w.pending = access.Taken{Counts: w.pending.Counts[:0], Lines: w.pending.Lines[:0]}
	return nil
}

// finish leaves all as a collector does that has just been shut down.
func (w *world) finish(ctx context.Context) error {
	if err := errors.Join(w.flush(ctx), w.ledger.Flush(ctx)); err != nil {
		return err
	}
	w.remember()
	if err := w.uses.keep(ctx, w.store); err != nil {
		return err
	}
	w.say("  judging what is amiss")
	if err := w.alerts.Evaluate(ctx); err != nil {
		return err
	}
	if err := w.ledger.Sweep(ctx, w.Now); err != nil {
		return err
	}
	return w.insight.Sync(ctx)
}
