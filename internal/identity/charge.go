package identity

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/otlpgate/otlpgate/internal/limit"
)

// Traffic is what limits call the signal; an unknown signal is no traffic of
// its own.
func (s Signal) Traffic() limit.Traffic {
	switch s {
	case Traces:
		return limit.Traces
	case Metrics:
		return limit.Metrics
	case Logs:
		return limit.Logs
	case Profiles:
		return limit.Profiles
	default:
		return 0
	}
}

// EnterAtHand is Enter for doors that must not block. It reports false where
// the decision has to wait for Enter.
func (a *Admission) EnterAtHand(on limit.Traffic) (*Refusal, bool) {
	d := a.Tab.EnterAtHand(on)
	return a.refusalOf(d, on), d.Verdict != limit.Unknown
}

// Enter charges the request and takes a slot of the key's concurrency, or
// refuses it. It does so once, however many doors the request passes.
func (a *Admission) Enter(ctx context.Context, on limit.Traffic) *Refusal {
	d, err := a.Tab.Enter(ctx, on)
	return a.ended(d, err, on)
}

// Charge is Enter without the slot.
func (a *Admission) Charge(ctx context.Context, on limit.Traffic) *Refusal {
	d, err := a.Tab.Charge(ctx, on)
	return a.charged(d, err, on)
}

// Spend charges telemetry that a pipeline is about to pass on, or refuses it.
// See limit.Tab.Spend.
func (a *Admission) Spend(ctx context.Context, pipeline any, on limit.Traffic, items, bytes int64) *Refusal {
	d, err := a.Tab.Spend(ctx, pipeline, on, items, bytes)
	return a.ended(d, err, on)
}

// Next charges another request of a stream.
func (a *Admission) Next(ctx context.Context, on limit.Traffic) *Refusal {
	d, err := a.Tab.Next(ctx, on)
	return a.charged(d, err, on)
}

// refuseUnjudged is the answer while the counts of a key cannot be read: to let
// requests pass would forgive what was counted.
var refuseUnjudged = NewRetryableRefusal(LimitsUnavailable,
	"the limits of this API key cannot be checked right now: retry later", 5*time.Second)

// ended is charged where a refusal ends the request. What that was charged is
// given back first, so that the refusal says what is left as its headers do.
func (a *Admission) ended(d limit.Decision, err error, on limit.Traffic) *Refusal {
	if err == nil && d.Verdict != limit.Admitted {
		a.Tab.Fail()
	}
	return a.charged(d, err, on)
}

func (a *Admission) charged(d limit.Decision, err error, on limit.Traffic) *Refusal {
	if err != nil {
		return refuseUnjudged
	}
	return a.refusalOf(d, on)
}

// refusalOf translates a decision; nil where it is no refusal.
func (a *Admission) refusalOf(d limit.Decision, on limit.Traffic) *Refusal {
	var r *Refusal
	switch d.Verdict {
	case limit.TooLarge:
		r = NewRefusal(LargerThanLimit, tooLarge(d))
	case limit.OverLimit:
		r = overLimit(d)
		r.code = a.OverLimitCode
	case limit.Unknown, limit.Admitted:
		return nil
	}
	r.metadata = map[string]string{}
	if q, ok := a.Tab.Nearest(on); ok {
		for _, f := range q.Fields() {
			r.metadata[strings.ToLower(f.Name)] = f.Value
		}
	}
	return r
}

func overLimit(d limit.Decision) *Refusal {
	if d.Concurrency > 0 {
		return NewRetryableRefusal(ConcurrencyExceeded, fmt.Sprintf(
			"this API key has %s under way, as many as its plan allows at once: retry when one has ended, and send fewer at a time",
			limit.Requests.Amount(int64(d.Concurrency))), d.RetryAfter)
	}
	r := NewRetryableRefusal(RateLimited, "", d.RetryAfter)
	r.Message = fmt.Sprintf("this API key is over its limit of %s: retry after %s, and %s, or ask the administrator for a larger limit",
		d.Limit, r.RetryAfter, easier(d.Limit))
	return r
}

// easier says what keeps a sender within a limit.
func easier(l limit.Limit) string {
	switch {
	case l.On == limit.API:
		return "call less often"
	case l.Unit == limit.Requests:
		return "send less often or in larger batches"
	default:
		return "send less"
	}
}

func tooLarge(d limit.Decision) string {
	return fmt.Sprintf("this request has %d %s and can never pass the limit of %s: send smaller batches, or ask the administrator for a larger limit",
		d.Cost, d.Limit.Unit, d.Limit)
}
