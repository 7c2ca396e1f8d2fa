package limittest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otlpgate/otlpgate/internal/limit"
)

var quotaTests = map[string]func(*testing.T, limit.Counter){
	"remaining is what can be spent, and no more can": func(t *testing.T, c limit.Counter) {
		rapid.Check(t, func(t *rapid.T) {
			a, p, cost := drawHistory(t, c)
			q := a.state(p).Quotas[0]
			r := q.Remaining()
			require.Equal(t, q.Max, q.Used+r)

			d := a.ask(p, cost(r+1), &limit.Receipt{})
			if r+1 > q.Max {
				require.Equal(t, limit.TooLarge, d.Verdict)
			} else {
				require.Equal(t, limit.OverLimit, d.Verdict)
			}
			require.Equal(t, q.Limit, d.Limit)
			require.Equal(t, r+1, d.Cost)
			require.Equal(t, []int64{q.Used}, a.used(p))

			receipt := a.spend(p, cost(r))
			require.Equal(t, []int64{q.Max}, a.used(p))
			a.refund(receipt)
			require.Equal(t, []int64{q.Used}, a.used(p))
		})
	},
	"all is unused at the reset, and not before": func(t *testing.T, c limit.Counter) {
		rapid.Check(t, func(t *rapid.T) {
			a, p, _ := drawHistory(t, c)
			q := a.state(p).Quotas[0]
			if q.Used == 0 {
				require.True(t, q.ResetAt.Equal(a.now), "unused at %v, but reset at %v", a.now, q.ResetAt)
				return
			}
			require.True(t, q.ResetAt.After(a.now))
			a.now = q.ResetAt.Add(-1)
			require.Positive(t, a.used(p)[0], "1ns before the reset")
			a.now = q.ResetAt
			require.Equal(t, []int64{0}, a.used(p), "at the reset")
			require.True(t, a.state(p).Quotas[0].ResetAt.Equal(a.now))
		})
	},
	"a key that spent nothing has it all": func(t *testing.T, c limit.Counter) {
		p := policy(requestsIn(5, time.Minute), on(limit.API, limit.Requests, 3, time.Hour))
		s := newAsker(t, c).state(p)
		for _, q := range s.Quotas {
			require.Zero(t, q.Used)
			require.Equal(t, q.Max, q.Remaining())
			require.True(t, q.ResetAt.Equal(epoch))
		}
		require.Zero(t, s.UnderWay)
	},
	"the reset comes with the last of what counts": func(t *testing.T, c limit.Counter) {
		p := policy(requestsIn(5, time.Minute))
		a := newAsker(t, c)
		a.spend(p, requests(1))
		first := a.state(p).Quotas[0].ResetAt
		a.wait(30 * time.Second)
		r := a.spend(p, requests(1))
		require.WithinDuration(t, a.now.Add(time.Minute), a.state(p).Quotas[0].ResetAt, 2*time.Second)
		a.refund(r)
		require.True(t, a.state(p).Quotas[0].ResetAt.Equal(first), "what was refunded does not count")
	},
	"all is unused once all is refunded": func(t *testing.T, c limit.Counter) {
		p := policy(requestsIn(5, time.Minute))
		a := newAsker(t, c)
		a.refund(a.spend(p, requests(2)))
		q := a.state(p).Quotas[0]
		require.Zero(t, q.Used)
		require.True(t, q.ResetAt.Equal(a.now), "reset at %v", q.ResetAt)
	},
	"a buffer that is large enough is reused": func(t *testing.T, c limit.Counter) {
		p := policy(requestsIn(5, time.Minute), on(limit.API, limit.Requests, 3, time.Minute))
		a := newAsker(t, c)
		a.spend(p, requests(2))
		buffer := make([]limit.Quota, 1, 2)
		s := a.counter.StateAtHand(a.now, a.key, p, buffer)
		require.Len(t, s.Quotas, 2)
		require.Same(t, &buffer[0], &s.Quotas[0])
		requireSameState(t, a.state(p), s)
		requireSameState(t, a.state(p), a.counter.StateAtHand(a.now, a.key, p, make([]limit.Quota, 1)))
	},
	"to ask is not to spend": func(t *testing.T, c limit.Counter) {
		p := policy(requestsIn(5, time.Minute))
		a := newAsker(t, c)
		for range 20 {
			a.state(p)
		}
		a.spendAll(p, requests, 5)
	},
}

// drawHistory returns a key with one limit that was used in some way, its policy
// and what a cost on its limit is.
func drawHistory(t *rapid.T, c limit.Counter) (*asker, *limit.Policy, func(int64) limit.Cost) {
	l := drawLimit(t)
	cost := func(n int64) limit.Cost {
		var amounts limit.Amounts
		amounts[l.Unit] = n
		if l.On == limit.Ingest {
			return limit.Cost{Ingest: amounts, On: limit.Logs}
		}
		return limit.Cost{On: l.On, Own: amounts}
	}
	a, p := newAsker(t, c), policy(l)
	var receipts []*limit.Receipt
	for range rapid.IntRange(0, 12).Draw(t, "steps") {
		a.wait(drawStep(t, time.Duration(l.Window), 0))
		if rapid.IntRange(0, 9).Draw(t, "back") == 0 {
			a.wait(-time.Duration(l.Window) / 3)
		}
		r := &limit.Receipt{}
		a.ask(p, cost(rapid.Int64Range(0, l.Max).Draw(t, "cost")), r)
		receipts = append(receipts, r)
		if rapid.IntRange(0, 4).Draw(t, "refund") == 0 {
			a.refund(rapid.SampledFrom(receipts).Draw(t, "receipt"))
		}
	}
	return a, p, cost
}
