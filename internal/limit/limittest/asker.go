package limittest

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/limit"
)

// epoch is when tests begin: not at the start of any second, minute or day, so
// that nothing is aligned by chance.
var epoch = time.Date(2026, time.March, 1, 9, 31, 7, 123_456_789, time.UTC)

// tb is what *testing.T and *rapid.T have in common.
type tb interface {
	require.TestingT
	Helper()
	Context() context.Context
}

var keys atomic.Int64

// newKey returns a key that nothing was asked of: tests share counters, since
// one may be costly to open.
func newKey() string { return fmt.Sprintf("key_%020d", keys.Add(1)) }

// asker asks a counter for one key. It has a clock of its own, which goes as
// the test says.
type asker struct {
	tb
	counter limit.Counter
	key     string
	now     time.Time
}

func newAsker(t tb, c limit.Counter) *asker {
	return &asker{tb: t, counter: c, key: newKey(), now: epoch}
}

// ask asks for a cost, after preparing the key if that is needed. What was
// prepared may be forgotten before it is asked for, but not again and again.
func (a *asker) ask(p *limit.Policy, c limit.Cost, r *limit.Receipt) limit.Decision {
	a.Helper()
	d := a.counter.Admit(a.now, a.key, p, &c, r)
	for i := 0; d.Verdict == limit.Unknown && i < 10; i++ {
		require.Equal(a, limit.Decision{}, d)
		require.NoError(a, a.counter.Prepare(a.Context(), a.now, a.key))
		d = a.counter.Admit(a.now, a.key, p, &c, r)
	}
	require.NotEqual(a, limit.Unknown, d.Verdict, "after Prepare")
	if d.Verdict == limit.Admitted {
		require.Equal(a, limit.Decision{Verdict: limit.Admitted}, d)
	}
	return d
}

// spend requires that a cost is admitted.
func (a *asker) spend(p *limit.Policy, c limit.Cost) *limit.Receipt {
	a.Helper()
	r := &limit.Receipt{}
	d := a.ask(p, c, r)
	require.Equal(a, limit.Admitted, d.Verdict, "refused: %+v", d)
	return r
}

// spendAll requires that all that the limit allows is admitted, one by one where
// that is not too much.
func (a *asker) spendAll(p *limit.Policy, c func(int64) limit.Cost, n int64) {
	a.Helper()
	if n > 1000 {
		a.spend(p, c(n))
		return
	}
	for range n {
		a.spend(p, c(1))
	}
}

// refused requires that a cost is refused for now.
func (a *asker) refused(p *limit.Policy, c limit.Cost) limit.Decision {
	a.Helper()
	r := &limit.Receipt{}
	d := a.ask(p, c, r)
	require.Equal(a, limit.OverLimit, d.Verdict)
	require.Positive(a, d.RetryAfter)
	require.Equal(a, &limit.Receipt{}, r, "a refused request costs nothing")
	return d
}

// refund gives back what the receipt notes.
func (a *asker) refund(r *limit.Receipt) { a.counter.Refund(a.now, a.key, r) }

// release gives a slot back.
func (a *asker) release() { a.counter.Release(a.now, a.key) }

// wait lets time pass.
func (a *asker) wait(d time.Duration) { a.now = a.now.Add(d) }

// state returns the state now, after checking that both ways to it agree.
func (a *asker) state(p *limit.Policy) limit.State {
	a.Helper()
	s, err := a.counter.State(a.Context(), a.now, a.key, p)
	require.NoError(a, err)
	atHand := a.counter.StateAtHand(a.now, a.key, p, nil)
	requireSameState(a, s, atHand)
	require.Len(a, s.Quotas, len(p.Limits()))
	for i, l := range p.Limits() {
		q := s.Quotas[i]
		require.Equal(a, l, q.Limit, "quotas must be in the order of the policy's limits")
		require.GreaterOrEqual(a, q.Used, int64(0))
		require.False(a, q.ResetAt.Before(a.now), "reset at %v, before %v", q.ResetAt, a.now)
	}
	require.Equal(a, p.Concurrency(), s.Concurrency)
	return s
}

// used returns how much of each of the policy's limits is used.
func (a *asker) used(p *limit.Policy) []int64 {
	a.Helper()
	used := []int64{}
	for _, q := range a.state(p).Quotas {
		used = append(used, q.Used)
	}
	return used
}

func requireSameState(t require.TestingT, want, got limit.State) {
	require.Len(t, got.Quotas, len(want.Quotas))
	for i, q := range want.Quotas {
		require.True(t, q.ResetAt.Equal(got.Quotas[i].ResetAt), "ResetAt: %v and %v", q.ResetAt, got.Quotas[i].ResetAt)
		require.Equal(t, q.Limit, got.Quotas[i].Limit)
		require.Equal(t, q.Used, got.Quotas[i].Used)
	}
	require.Equal(t, want.UnderWay, got.UnderWay)
	require.Equal(t, want.Concurrency, got.Concurrency)
}

// on returns a limit.
func on(traffic limit.Traffic, unit limit.Unit, n int64, window time.Duration) limit.Limit {
	return limit.Limit{On: traffic, Unit: unit, Max: n, Window: limit.Window(window)}
}

// requestsIn returns a limit on requests of all signals.
func requestsIn(n int64, window time.Duration) limit.Limit {
	return on(limit.Ingest, limit.Requests, n, window)
}

func policy(limits ...limit.Limit) *limit.Policy {
	return limit.NewPolicy(limit.Plan{Limits: limits})
}

// requests is the cost of n requests of an unknown signal.
func requests(n int64) limit.Cost {
	return limit.Cost{Ingest: limit.Amounts{limit.Requests: n}}
}

// items is the cost of n items of a signal.
func items(signal limit.Traffic, n int64) limit.Cost {
	a := limit.Amounts{limit.Items: n}
	return limit.Cost{Ingest: a, On: signal, Own: a}
}

// slot is the cost of a request that takes a slot, and nothing else.
var slot = limit.Cost{Slot: true}
