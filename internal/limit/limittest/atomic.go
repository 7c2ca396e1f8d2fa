package limittest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/limit"
)

// everything is limits such that each cost of one request with 10 items falls
// under all of them.
func everything() []limit.Limit {
	return []limit.Limit{
		requestsIn(100, time.Second), requestsIn(100, time.Minute),
		on(limit.Ingest, limit.Items, 1000, time.Minute), on(limit.Traces, limit.Requests, 100, time.Minute),
		on(limit.Traces, limit.Items, 1000, time.Hour), on(limit.Traces, limit.Bytes, 1e6, 24*time.Hour),
	}
}

// requestOf10 is what everything applies to.
func requestOf10() limit.Cost {
	a := limit.Amounts{limit.Requests: 1, limit.Items: 10, limit.Bytes: 5000}
	return limit.Cost{Ingest: a, On: limit.Traces, Own: a}
}

var atomicTests = map[string]func(*testing.T, limit.Counter){
	"a refusal by any limit charges none": func(t *testing.T, c limit.Counter) {
		for i := range everything() {
			limits := everything()
			limits[i].Max = 2 * costOn(requestOf10(), limits[i])
			p := limit.NewPolicy(limit.Plan{Limits: limits, Concurrency: 9})
			a, cost := newAsker(t, c), requestOf10()
			cost.Slot = true
			a.spend(p, cost)
			a.spend(p, cost)
			before := a.state(p)
			for range 3 {
				require.Equal(t, limits[i], a.refused(p, cost).Limit)
			}
			requireSameState(t, before, a.state(p))
			require.Equal(t, 2, a.state(p).UnderWay, "a refused request takes no slot")
		}
	},
	"too large for any limit charges none": func(t *testing.T, c limit.Counter) {
		for i := range everything() {
			limits := everything()
			limits[i].Max = max(costOn(requestOf10(), limits[i])-1, 1)
			cost := requestOf10()
			if limits[i].Unit == limit.Requests {
				cost.Ingest[limit.Requests], cost.Own[limit.Requests] = 2, 2
			}
			cost.Slot = true
			p := limit.NewPolicy(limit.Plan{Limits: limits, Concurrency: 9})
			a := newAsker(t, c)
			r := &limit.Receipt{}
			require.Equal(t, limit.TooLarge, a.ask(p, cost, r).Verdict)
			require.Equal(t, &limit.Receipt{}, r)
			require.Equal(t, make([]int64, len(limits)), a.used(p))
			require.Zero(t, a.state(p).UnderWay)
		}
	},
	"an admission charges all": func(t *testing.T, c limit.Counter) {
		p := policy(everything()...)
		a := newAsker(t, c)
		a.spend(p, requestOf10())
		require.Equal(t, []int64{1, 1, 10, 1, 10, 5000}, a.used(p))
	},
}

var slotTests = map[string]func(*testing.T, limit.Counter){
	"exactly n at once": func(t *testing.T, c limit.Counter) {
		for _, n := range []int{1, 2, 5, 100} {
			p := limit.NewPolicy(limit.Plan{Concurrency: n})
			a := newAsker(t, c)
			for i := range n {
				require.Equal(t, i, a.state(p).UnderWay)
				a.spend(p, slot)
			}
			d := a.refused(p, slot)
			require.Equal(t, n, d.Concurrency)
			require.Zero(t, d.Limit)
			require.Equal(t, n, a.state(p).UnderWay)

			a.release()
			require.Equal(t, n-1, a.state(p).UnderWay)
			a.spend(p, slot)
			a.refused(p, slot)
		}
	},
	"a slot is held until it is released": func(t *testing.T, c limit.Counter) {
		p := limit.NewPolicy(limit.Plan{Limits: []limit.Limit{requestsIn(5, time.Second)}, Concurrency: 1})
		a := newAsker(t, c)
		cost := requests(1)
		cost.Slot = true
		a.spend(p, cost)
		a.wait(1000 * time.Hour)
		require.Equal(t, 1, a.refused(p, cost).Concurrency)
		a.release()
		a.spend(p, cost)
	},
	"a refusal for want of a slot charges no limit": func(t *testing.T, c limit.Counter) {
		p := limit.NewPolicy(limit.Plan{Limits: everything(), Concurrency: 1})
		a, cost := newAsker(t, c), requestOf10()
		cost.Slot = true
		a.spend(p, cost)
		before := a.state(p)
		a.refused(p, cost)
		requireSameState(t, before, a.state(p))
	},
	"who needs no slot is admitted without": func(t *testing.T, c limit.Counter) {
		p := limit.NewPolicy(limit.Plan{Limits: []limit.Limit{requestsIn(5, time.Second)}, Concurrency: 1})
		a := newAsker(t, c)
		a.spend(p, slot)
		a.spend(p, requests(1))
		require.Equal(t, 1, a.state(p).UnderWay)
	},
	"a refund keeps the slot": func(t *testing.T, c limit.Counter) {
		p := limit.NewPolicy(limit.Plan{Limits: []limit.Limit{requestsIn(5, time.Second)}, Concurrency: 1})
		a, cost := newAsker(t, c), requests(1)
		cost.Slot = true
		a.refund(a.spend(p, cost))
		require.Equal(t, 1, a.state(p).UnderWay)
		a.refused(p, cost)
		a.release()
		a.spend(p, cost)
	},
	"keys have slots of their own": func(t *testing.T, c limit.Counter) {
		p := limit.NewPolicy(limit.Plan{Concurrency: 1})
		a, b := newAsker(t, c), newAsker(t, c)
		a.spend(p, slot)
		b.spend(p, slot)
		a.release()
		b.refused(p, slot)
		a.spend(p, slot)
	},
	"a changed concurrency applies at once": func(t *testing.T, c limit.Counter) {
		two, one := limit.NewPolicy(limit.Plan{Concurrency: 2}), limit.NewPolicy(limit.Plan{Concurrency: 1})
		a := newAsker(t, c)
		a.spend(two, slot)
		a.spend(two, slot)
		require.Equal(t, limit.State{Quotas: nil, UnderWay: 2, Concurrency: 1}, a.state(one))
		a.release()
		a.refused(one, slot)
		a.spend(two, slot)
	},
	// Whoever releases must know whether a slot was taken: it is the policy that
	// tells.
	"no slot is taken where any number may be under way": func(t *testing.T, c limit.Counter) {
		one, unbounded := limit.NewPolicy(limit.Plan{Concurrency: 1}), policy(requestsIn(5, time.Second))
		a := newAsker(t, c)
		a.spend(nil, slot)
		a.spend(unbounded, slot)
		require.Zero(t, a.state(one).UnderWay)
		a.spend(one, slot)
		require.Zero(t, a.state(unbounded).UnderWay)
		a.refused(one, slot)
	},
	"the limit is named where it takes longer than a slot": func(t *testing.T, c limit.Counter) {
		l := requestsIn(1, time.Hour)
		p := limit.NewPolicy(limit.Plan{Limits: []limit.Limit{l}, Concurrency: 1})
		a, cost := newAsker(t, c), requests(1)
		cost.Slot = true
		a.spend(p, cost)
		d := a.refused(p, cost)
		require.Equal(t, l, d.Limit)
		require.Zero(t, d.Concurrency)
		a.release()
		a.waitOut(p, cost)
	},
}
