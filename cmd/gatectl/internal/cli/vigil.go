package cli

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// vigil looks at the server again and again, until it is interrupted.
type vigil struct {
	p        *program
	interval time.Duration
	pause    func(context.Context, time.Duration) error // sleep

	answered bool // whether there ever was an answer
	troubled bool // whether there is none now, which was told
}

// keep ends without an error when the context does.
func (v *vigil) keep(ctx context.Context, look func(context.Context) error) error {
	for ctx.Err() == nil {
		if err := v.turn(ctx, look); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// turn looks and waits. What passes is told once, until a look succeeds again.
func (v *vigil) turn(ctx context.Context, look func(context.Context) error) error {
	err := look(ctx)
	switch {
	case err == nil:
		if v.troubled {
			v.p.note("the admin API answers again")
		}
		v.answered, v.troubled = true, false
	case ctx.Err() != nil || !passes(err, v.answered):
		return err
	case !v.troubled:
		v.p.warn("%s; trying again until it answers", err)
		v.troubled = true
	}
	return v.pause(ctx, max(v.interval, askedPause(err)))
}

// passes reports whether a failure may be over soon. Where the server has
// answered before, it may be starting anew.
func passes(err error, answered bool) bool {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return e.Status == http.StatusTooManyRequests || unavailable(e.Status) ||
			// A cursor is void where the caller sees more or less than before.
			answered && (e.Status == http.StatusInternalServerError || e.Code == "invalid_cursor")
	}
	f, ok := errors.AsType[*failure](err)
	return answered && ok && f.cause != nil
}

// askedPause is how long the server asks to wait.
func askedPause(err error) time.Duration {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return e.RetryAfter
	}
	return 0
}
