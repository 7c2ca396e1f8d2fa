package limittest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/limit"
)

var refundTests = map[string]func(*testing.T, limit.Counter){
	"all that was charged is given back": func(t *testing.T, c limit.Counter) {
		p := policy(everything()...)
		a := newAsker(t, c)
		a.spend(p, requestOf10())
		before := a.state(p)
		r := a.spend(p, requestOf10())
		a.refund(r)
		requireSameState(t, before, a.state(p))
	},
	"it is given back once": func(t *testing.T, c limit.Counter) {
		p := policy(everything()...)
		a := newAsker(t, c)
		a.spend(p, requestOf10())
		before := a.state(p)
		r := a.spend(p, requestOf10())
		for range 3 {
			a.refund(r)
			requireSameState(t, before, a.state(p))
		}
	},
	"what is given back can be spent": func(t *testing.T, c limit.Counter) {
		p := policy(requestsIn(10, time.Minute))
		a := newAsker(t, c)
		a.spend(p, requests(6))
		a.wait(10 * time.Second)
		r := a.spend(p, requests(4))
		a.refused(p, requests(1))
		a.refund(r)
		a.spend(p, requests(4))
		a.refused(p, requests(1))
	},
	"a receipt gives back all that was noted on it": func(t *testing.T, c limit.Counter) {
		p := policy(everything()...)
		a, r := newAsker(t, c), &limit.Receipt{}
		for range 3 {
			require.Equal(t, limit.Admitted, a.ask(p, requestOf10(), r).Verdict)
			a.wait(100 * time.Millisecond)
		}
		require.Equal(t, []int64{3, 3, 30, 3, 30, 15000}, a.used(p))
		a.refund(r)
		require.Equal(t, make([]int64, 6), a.used(p))
	},
	"a receipt can be used again": func(t *testing.T, c limit.Counter) {
		p := policy(everything()...)
		a, r := newAsker(t, c), &limit.Receipt{}
		for range 5 {
			require.Equal(t, limit.Admitted, a.ask(p, requestOf10(), r).Verdict)
			a.refund(r)
			require.Equal(t, make([]int64, 6), a.used(p))
		}
	},
	"what has left a window is not given back to it": func(t *testing.T, c limit.Counter) {
		p := policy(requestsIn(10, 10*time.Second), requestsIn(10, time.Minute))
		a := newAsker(t, c)
		r := a.spend(p, requests(4))
		a.wait(30 * time.Second)
		a.spend(p, requests(3))
		require.Equal(t, []int64{3, 7}, a.used(p))
		a.refund(r)
		require.Equal(t, []int64{3, 3}, a.used(p), "the short window never goes below what counts")
	},
	"no moment of a refund takes from what others spent": func(t *testing.T, c limit.Counter) {
		p := policy(requestsIn(10, time.Minute))
		for seconds := range 200 { // over three windows
			a := newAsker(t, c)
			r := a.spend(p, requests(3))
			a.wait(time.Duration(seconds) * time.Second)
			before := a.used(p)[0]
			a.spend(p, requests(2))
			a.refund(r)
			require.Equal(t, []int64{2}, a.used(p), "after %d s, when %d counted", seconds, before)
			a.refund(r)
			require.Equal(t, []int64{2}, a.used(p))
		}
	},
	"a receipt of several times gives back those that still count": func(t *testing.T, c limit.Counter) {
		p := policy(requestsIn(20, time.Minute))
		a, r := newAsker(t, c), &limit.Receipt{}
		for range 9 { // the last of them two minutes after the first
			require.Equal(t, limit.Admitted, a.ask(p, requests(2), r).Verdict)
			a.wait(15 * time.Second)
		}
		a.spend(p, requests(5))
		a.refund(r)
		require.Equal(t, []int64{5}, a.used(p))
	},
	"what is forgotten is spent for good": func(t *testing.T, c limit.Counter) {
		p := policy(everything()...)
		a := newAsker(t, c)
		r := a.spend(p, requestOf10())
		before := a.state(p)
		r.Forget()
		a.refund(r)
		requireSameState(t, before, a.state(p))
	},
	"a refund after a step back is whole": func(t *testing.T, c limit.Counter) {
		p := policy(requestsIn(10, time.Minute))
		a := newAsker(t, c)
		a.spend(p, requests(2))
		a.wait(30 * time.Second)
		r := a.spend(p, requests(4))
		a.wait(-time.Hour)
		a.refund(r)
		require.Equal(t, []int64{2}, a.used(p))
	},
	"a refund of what the policy has dropped does not matter": func(t *testing.T, c limit.Counter) {
		kept, dropped := requestsIn(10, time.Minute), requestsIn(10, time.Hour)
		a := newAsker(t, c)
		r := a.spend(policy(kept, dropped), requests(4))
		a.spend(policy(kept), requests(1))
		a.refund(r)
		require.Equal(t, []int64{1}, a.used(policy(kept)))
		require.Equal(t, []int64{0}, a.used(policy(dropped)))
	},
	"no refund makes room that was not taken": func(t *testing.T, c limit.Counter) {
		p := policy(requestsIn(10, time.Minute), requestsIn(100, 24*time.Hour))
		a, other := newAsker(t, c), newAsker(t, c)
		r := a.spend(p, requests(4))
		other.spend(p, requests(1))
		other.refund(r)
		other.state(p) // checks that nothing is below zero
		other.ask(p, requests(10), &limit.Receipt{})
		other.refused(p, requests(10))
		other.refused(p, requests(1+10-other.used(p)[0]))
	},
	"a refund to an unknown key does nothing": func(t *testing.T, c limit.Counter) {
		p := policy(requestsIn(10, time.Minute))
		a, other := newAsker(t, c), newAsker(t, c)
		r := a.spend(p, requests(4))
		other.refund(r)
		require.Equal(t, []int64{0}, other.used(p))
		other.spendAll(p, requests, 10)
		other.refused(p, requests(1))
		require.Equal(t, []int64{4}, a.used(p))
	},
}
