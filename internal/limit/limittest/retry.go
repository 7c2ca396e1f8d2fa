package limittest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otlpgate/otlpgate/internal/limit"
)

var retryTests = map[string]func(*testing.T, limit.Counter){
	"whoever waits it out is admitted, and nobody sooner": func(t *testing.T, c limit.Counter) {
		for _, window := range []time.Duration{time.Second, time.Minute, time.Hour, 31 * 24 * time.Hour} {
			p := policy(requestsIn(10, window))
			a := newAsker(t, c)
			for range 10 { // 1, 2, 3 and 4, some time apart
				for n := int64(1); n <= 4; n++ {
					a.waitOut(p, requests(n))
					a.wait(window / 7)
				}
				a.waitOut(p, requests(10))
			}
		}
	},
	"all limits are waited for": func(t *testing.T, c limit.Counter) {
		p := policy(requestsIn(3, time.Second), requestsIn(5, time.Minute), on(limit.Traces, limit.Items, 20, 10*time.Second),
			on(limit.Ingest, limit.Items, 50, time.Hour))
		a := newAsker(t, c)
		for range 100 {
			cost := items(limit.Traces, 7)
			cost.Ingest[limit.Requests] = 1
			a.waitOut(p, cost)
		}
	},
	"it is true after a step back": func(t *testing.T, c limit.Counter) {
		p := policy(requestsIn(10, time.Minute), requestsIn(30, time.Hour))
		a := newAsker(t, c)
		for _, back := range []time.Duration{1, time.Second, time.Minute, time.Hour, 48 * time.Hour} {
			for range 9 {
				a.ask(p, requests(3), &limit.Receipt{})
				a.wait(time.Second)
			}
			a.wait(-back)
			d := a.refused(p, requests(3))
			a.wait(d.RetryAfter)
			a.spend(p, requests(3))
		}
	},
	"it is true for any cost": func(t *testing.T, c limit.Counter) {
		p := policy(requestsIn(1000, time.Minute))
		for _, cost := range []int64{1, 2, 333, 999, 1000} {
			a := newAsker(t, c)
			for range 10 {
				a.spend(p, requests(100))
				a.wait(3 * time.Second)
			}
			a.waitOut(p, requests(cost))
		}
	},
	"the limit that stands in the way the longest is named": func(t *testing.T, c limit.Counter) {
		short, long := requestsIn(2, 10*time.Second), requestsIn(3, time.Minute)
		for _, p := range []*limit.Policy{policy(short, long), policy(long, short)} {
			a := newAsker(t, c)
			a.spendAll(p, requests, 2)
			require.Equal(t, short, a.refused(p, requests(1)).Limit)
			a.wait(11 * time.Second)
			a.spend(p, requests(1))
			require.Equal(t, long, a.refused(p, requests(2)).Limit)

			// What was spent on the longer one leaves it sooner.
			a = newAsker(t, c)
			a.spendAll(p, requests, 1)
			a.wait(59 * time.Second)
			a.spendAll(p, requests, 2)
			require.Equal(t, short, a.refused(p, requests(1)).Limit)
			require.Equal(t, long, a.refused(p, requests(2)).Limit)
		}
	},
	// Each limit is asked alone as well, by another key.
	"several limits decide as each alone would": func(t *testing.T, c limit.Counter) {
		rapid.Check(t, func(t *rapid.T) {
			limits := drawLimits(t)
			all := newAsker(t, c)
			var alone []*asker
			for range limits {
				alone = append(alone, newAsker(t, c))
			}
			for range rapid.IntRange(1, 30).Draw(t, "steps") {
				cost := drawCost(t, limits)
				step := drawStep(t, time.Duration(rapid.SampledFrom(limits).Draw(t, "of").Window), 0)
				all.wait(step)
				want := limit.Decision{Verdict: limit.Admitted}
				var receipts []*limit.Receipt
				for i, a := range alone {
					r := &limit.Receipt{}
					a.wait(step)
					want = worse(want, a.ask(policy(limits[i]), cost, r))
					receipts = append(receipts, r)
				}
				got := all.ask(policy(limits...), cost, &limit.Receipt{})
				require.Equal(t, want.Verdict, got.Verdict)
				require.Equal(t, want.RetryAfter, got.RetryAfter)
				if got.Verdict == limit.Admitted {
					continue
				}
				for i, a := range alone {
					a.refund(receipts[i])
				}
			}
		})
	},
}

// worse returns the decision that stands in the way more.
func worse(a, b limit.Decision) limit.Decision {
	if b.Verdict > a.Verdict || b.Verdict == a.Verdict && b.RetryAfter > a.RetryAfter {
		return b
	}
	return a
}

// waitOut spends a cost, after waiting for as long as it is told to where it is
// refused, and having been refused just before that.
func (a *asker) waitOut(p *limit.Policy, c limit.Cost) {
	a.Helper()
	if d := a.ask(p, c, &limit.Receipt{}); d.Verdict != limit.Admitted {
		require.Equal(a, limit.OverLimit, d.Verdict)
		a.wait(d.RetryAfter - 1)
		require.Equal(a, time.Duration(1), a.refused(p, c).RetryAfter)
		a.wait(1)
		a.spend(p, c)
	}
}
