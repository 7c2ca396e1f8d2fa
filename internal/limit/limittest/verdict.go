package limittest

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/limit"
)

var verdictTests = map[string]func(*testing.T, limit.Counter){
	"no policy admits everything": func(t *testing.T, c limit.Counter) {
		a := newAsker(t, c)
		cost := requestOf10()
		cost.Ingest[limit.Bytes], cost.Slot = math.MaxInt64, true
		for range 1000 {
			require.Equal(t, &limit.Receipt{}, a.spend(nil, cost))
		}
		s := a.state(nil)
		require.Empty(t, s.Quotas)
		require.Zero(t, s.UnderWay)
	},
	"a cost of nothing is admitted": func(t *testing.T, c limit.Counter) {
		p := limit.NewPolicy(limit.Plan{Limits: []limit.Limit{requestsIn(1, time.Minute)}, Concurrency: 1})
		a := newAsker(t, c)
		for _, spent := range []limit.Cost{{}, requests(1), slot} {
			a.spend(p, spent)
			require.Equal(t, &limit.Receipt{}, a.spend(p, limit.Cost{}))
			a.spend(p, limit.Cost{On: limit.API})
		}
	},
	"too large is what is over max, and nothing else": func(t *testing.T, c limit.Counter) {
		l := requestsIn(10, time.Minute)
		p := policy(l)
		a := newAsker(t, c)
		for range 2 { // with nothing spent, and with all of it
			for _, n := range []int64{11, 1000, limit.MaxMax + 1, math.MaxInt64} {
				want := limit.Decision{Verdict: limit.TooLarge, Limit: l, Cost: n}
				require.Equal(t, want, a.ask(p, requests(n), &limit.Receipt{}))
			}
			if a.used(p)[0] == 0 {
				a.spend(p, requests(10))
			}
		}
		a.refused(p, requests(10))
	},
	"too large wins over all that passes": func(t *testing.T, c limit.Counter) {
		small := on(limit.Logs, limit.Items, 5, time.Minute)
		for _, limits := range [][]limit.Limit{{small, requestsIn(1, time.Hour)}, {requestsIn(1, time.Hour), small}} {
			p := limit.NewPolicy(limit.Plan{Limits: limits, Concurrency: 1})
			a := newAsker(t, c)
			cost := items(limit.Logs, 6)
			cost.Ingest[limit.Requests], cost.Slot = 1, true
			full := requests(1)
			full.Slot = true
			a.spend(p, full)
			want := limit.Decision{Verdict: limit.TooLarge, Limit: small, Cost: 6}
			require.Equal(t, want, a.ask(p, cost, &limit.Receipt{}))
		}
	},
	"over the limit is told with the limit, the cost and the time": func(t *testing.T, c limit.Counter) {
		l := requestsIn(10, time.Minute)
		p := limit.NewPolicy(limit.Plan{Limits: []limit.Limit{l}, Concurrency: 5})
		a := newAsker(t, c)
		a.spend(p, requests(8))
		d := a.refused(p, requests(3))
		require.InDelta(t, time.Minute, d.RetryAfter, float64(time.Minute/slack))
		d.RetryAfter = 0
		require.Equal(t, limit.Decision{Verdict: limit.OverLimit, Limit: l, Cost: 3}, d)
	},
	"over the concurrency is told with the concurrency and a time": func(t *testing.T, c limit.Counter) {
		p := limit.NewPolicy(limit.Plan{Limits: []limit.Limit{requestsIn(10, time.Minute)}, Concurrency: 1})
		a, cost := newAsker(t, c), requests(1)
		cost.Slot = true
		a.spend(p, cost)
		d := a.refused(p, cost)
		d.RetryAfter = 0
		require.Equal(t, limit.Decision{Verdict: limit.OverLimit, Concurrency: 1}, d)
	},
	"the largest limit is reached and not passed": func(t *testing.T, c limit.Counter) {
		p := policy(on(limit.Ingest, limit.Bytes, limit.MaxMax, 31*24*time.Hour))
		a := newAsker(t, c)
		bytes := func(n int64) limit.Cost { return limit.Cost{Ingest: limit.Amounts{limit.Bytes: n}} }
		a.spend(p, bytes(limit.MaxMax-1))
		a.refused(p, bytes(limit.MaxMax))
		a.refused(p, bytes(2))
		a.spend(p, bytes(1))
		a.refused(p, bytes(1))
	},
}
