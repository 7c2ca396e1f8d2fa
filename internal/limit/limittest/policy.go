package limittest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/limit"
)

var policyTests = map[string]func(*testing.T, limit.Counter){
	"a changed max applies at once to what was spent": func(t *testing.T, c limit.Counter) {
		for _, window := range []time.Duration{time.Minute, 24 * time.Hour} {
			p := func(n int64) *limit.Policy { return policy(requestsIn(n, window)) }
			a := newAsker(t, c)
			a.spend(p(10), requests(7))

			q := a.state(p(5)).Quotas[0]
			require.Equal(t, int64(7), q.Used, "it may be over max")
			require.Zero(t, q.Remaining())
			a.refused(p(5), requests(1))
			a.refused(p(7), requests(1))

			require.Equal(t, int64(13), a.state(p(20)).Quotas[0].Remaining())
			a.spend(p(20), requests(13))
			a.refused(p(20), requests(1))
			a.spend(p(21), requests(1))
		}
	},
	"retry after a lowered max is true": func(t *testing.T, c limit.Counter) {
		a := newAsker(t, c)
		for range 10 {
			a.spend(policy(requestsIn(10, time.Minute)), requests(1))
			a.wait(5 * time.Second)
		}
		for n := int64(1); n <= 4; n++ {
			a.waitOut(policy(requestsIn(4, time.Minute)), requests(n))
		}
	},
	"other keys are not affected": func(t *testing.T, c limit.Counter) {
		p := policy(requestsIn(10, time.Minute))
		a, b := newAsker(t, c), newAsker(t, c)
		a.spend(p, requests(10))
		require.Equal(t, []int64{0}, b.used(p))
		b.spend(policy(requestsIn(3, time.Minute)), requests(3))
		a.refused(p, requests(1))
		b.spend(p, requests(7))
		b.refused(p, requests(1))
		require.Equal(t, []int64{10}, a.used(p))
	},
	"the order of limits does not matter": func(t *testing.T, c limit.Counter) {
		limits := everything()
		a := newAsker(t, c)
		a.spend(policy(limits...), requestOf10())
		slices.Reverse(limits)
		require.Equal(t, []int64{5000, 10, 1, 10, 1, 1}, a.used(policy(limits...)))
	},
	"a limit that was dropped for a while still counts": func(t *testing.T, c limit.Counter) {
		l, other := requestsIn(10, time.Minute), on(limit.API, limit.Requests, 10, time.Minute)
		a := newAsker(t, c)
		a.spend(policy(l), requests(6))
		a.spend(policy(other), requests(100))
		require.Equal(t, []int64{6}, a.used(policy(l)), "not what was spent meanwhile, which it did not apply to")
		a.refused(policy(l, other), requests(5))
		a.spend(policy(l, other), requests(4))
	},
	"on, unit and window count apart": func(t *testing.T, c limit.Counter) {
		spent := requestsIn(5, time.Minute)
		a := newAsker(t, c)
		a.spend(policy(spent), requestOf10())
		for _, other := range []limit.Limit{
			on(limit.Traces, limit.Requests, 5, time.Minute), on(limit.Ingest, limit.Items, 5, time.Minute), requestsIn(5, time.Minute+1),
		} {
			require.Equal(t, []int64{0, 1}, a.used(policy(other, spent)))
		}
	},
	"all signals count on ingest together": func(t *testing.T, c limit.Counter) {
		p := policy(on(limit.Ingest, limit.Items, 100, time.Minute))
		a := newAsker(t, c)
		for _, signal := range []limit.Traffic{limit.Traces, limit.Metrics, limit.Logs, limit.Profiles} {
			a.spend(p, items(signal, 25))
		}
		a.refused(p, items(limit.Traces, 1))
	},
	"a signal counts on its own limit only": func(t *testing.T, c limit.Counter) {
		var limits []limit.Limit
		for _, signal := range []limit.Traffic{limit.Traces, limit.Metrics, limit.Logs, limit.Profiles} {
			limits = append(limits, on(signal, limit.Items, 10, time.Minute))
		}
		p := policy(limits...)
		a := newAsker(t, c)
		want := make([]int64, len(limits))
		for i, l := range limits {
			a.spend(p, items(l.On, 10))
			want[i] = 10
			require.Equal(t, want, a.used(p))
			require.Equal(t, l, a.refused(p, items(l.On, 1)).Limit)
		}
	},
	"what is not on a limit is not charged to it": func(t *testing.T, c limit.Counter) {
		p := policy(on(limit.API, limit.Requests, 1, time.Minute), on(limit.Logs, limit.Requests, 1, time.Minute),
			on(limit.Traces, limit.Bytes, 1, time.Minute), on(limit.Ingest, limit.Bytes, 1, time.Minute))
		a := newAsker(t, c)
		for range 3 {
			a.spend(p, limit.Cost{
				Ingest: limit.Amounts{limit.Requests: 9, limit.Items: 9},
				On:     limit.Traces, Own: limit.Amounts{limit.Requests: 9, limit.Items: 9},
			})
		}
		require.Equal(t, []int64{0, 0, 0, 0}, a.used(p))
		a.spend(p, limit.Cost{On: limit.API, Own: limit.Amounts{limit.Requests: 1}})
		require.Equal(t, []int64{1, 0, 0, 0}, a.used(p))
	},
	"ingest and own are charged apart": func(t *testing.T, c limit.Counter) {
		p := policy(on(limit.Ingest, limit.Items, 100, time.Minute), on(limit.Traces, limit.Items, 100, time.Minute))
		a := newAsker(t, c)
		own := limit.Amounts{limit.Items: 7}
		a.spend(p, limit.Cost{Ingest: limit.Amounts{limit.Items: 3}, On: limit.Traces, Own: own})
		require.Equal(t, []int64{3, 7}, a.used(p))
		a.spend(p, limit.Cost{Own: own})
		require.Equal(t, []int64{3, 7}, a.used(p), "own is of no traffic where the signal is unknown")
	},
}
