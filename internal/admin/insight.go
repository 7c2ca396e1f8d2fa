package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/otlpgate/otlpgate/internal/accesslog"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/usage"
)

// Usage tells how much keys are used, up to the moment of the question.
// Implementations MUST be safe for concurrent use, and MUST return soon after the
// context ends.
type Usage interface {
	// Read returns the use of a key, or of usage.Everything.
	Read(ctx context.Context, keyID string, from, to time.Time, step usage.Step) (usage.Series, error)
	// Busy returns how much the keys were used that were used since a time, which
	// is at most twenty minutes ago; usage.Everything and usage.Strangers are among
	// them.
	Busy(ctx context.Context, from, to time.Time) (map[string]usage.Counts, error)
	// Bounds says how far back buckets of a step are kept, and how long a series
	// can be.
	Bounds(step usage.Step) (kept, longest time.Duration)
}

// AccessLog tells what became of requests, as Usage does.
type AccessLog interface {
	// List returns entries, newest first. It returns store.ErrBadCursor where the
	// cursor is of no listing with that filter.
	List(ctx context.Context, filter accesslog.Filter, page store.Page) (accesslog.Page, error)
	// Dropped returns how many lines there was no room for since the beginning.
	Dropped() int64
}

// fromInsight gives the errors of reading usage, access logs and alerts their
// answers.
func fromInsight(operation string, err error) error {
	if errors.Is(err, store.ErrBadCursor) {
		return fromStore(operation, err)
	}
	p := problemNoInsight()
	p.cause = fmt.Errorf("%s: %w", operation, err)
	return p
}

func problemNoInsight() *problem {
	p := newProblem(codeNoInsight, "usage, access logs and alerts cannot be read now; keys are judged all the same: retry later")
	p.retryAfter = retryAfterUnavailable
	return p
}
