package limittest

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/limit"
)

// askers is the number of goroutines of a concurrency test.
const askers = 32

// together runs f in every asker, all of them from one moment on.
func together(f func(asker int)) {
	start := make(chan struct{})
	var running sync.WaitGroup
	for i := range askers {
		running.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	running.Wait()
}

func rounds(n int) int {
	if testing.Short() {
		return n / 4
	}
	return n
}

// sharedClock is read by all askers; each reading takes some time.
type sharedClock struct{ nanoseconds atomic.Int64 }

func (c *sharedClock) read() time.Time { return epoch.Add(time.Duration(c.nanoseconds.Load())) }

func (c *sharedClock) after(d time.Duration) time.Time {
	return epoch.Add(time.Duration(c.nanoseconds.Add(int64(d))))
}

// span is a cost that was admitted at some time between two readings.
type span struct {
	before, after time.Time
	cost          limit.Cost
}

var concurrencyTests = map[string]func(*testing.T, limit.Counter){
	"never over, together": func(t *testing.T, c limit.Counter) {
		limits := []limit.Limit{
			requestsIn(50, time.Second), on(limit.Ingest, limit.Items, 200, 3*time.Second),
			on(limit.Traces, limit.Items, 150, 2*time.Second), on(limit.Logs, limit.Requests, 20, 1500*time.Millisecond),
		}
		key := newKey()
		spans := hammer(t, c, policy(limits...), rounds(400), time.Millisecond, func(time.Time) string { return key })
		require.NotEmpty(t, spans[key])
		for _, l := range limits {
			requireStrict(t, spans[key], l)
		}
	},
	// A key that was idle for longer than its windows may be forgotten while it
	// is asked for again.
	"never over as keys come and go, together": func(t *testing.T, c limit.Counter) {
		l := requestsIn(5, time.Second)
		keys := []string{newKey(), newKey(), newKey()}
		spans := hammer(t, c, policy(l), rounds(400), time.Millisecond, func(now time.Time) string {
			return keys[now.Sub(epoch)/(700*time.Millisecond)%3]
		})
		for _, key := range keys {
			require.NotEmpty(t, spans[key])
			requireStrict(t, spans[key], l)
		}
	},
	"exactly max at one moment": func(t *testing.T, c limit.Counter) {
		p := policy(requestsIn(100, time.Minute), on(limit.Ingest, limit.Items, 1000, time.Hour))
		cost := items(limit.Traces, 3)
		cost.Ingest[limit.Requests] = 1
		for range rounds(20) {
			a := newAsker(t, c)
			var admitted atomic.Int64
			together(func(int) {
				for range 10 {
					if ask(a, p, cost).Verdict == limit.Admitted {
						admitted.Add(1)
					}
				}
			})
			require.EqualValues(t, 100, admitted.Load())
			require.Equal(t, []int64{100, 300}, a.used(p), "all of what was admitted counts, and nothing else")
		}
	},
	"all is given back, together": func(t *testing.T, c limit.Counter) {
		p := policy(requestsIn(1000, time.Minute), on(limit.Traces, limit.Items, 10_000, time.Hour))
		a := newAsker(t, c)
		together(func(int) {
			for range rounds(100) {
				cost, r := items(limit.Traces, 3), limit.Receipt{}
				cost.Ingest[limit.Requests] = 1
				now := a.now
				if d := a.counter.Admit(now, a.key, p, &cost, &r); d.Verdict == limit.Unknown {
					_ = a.counter.Prepare(t.Context(), now, a.key)
				}
				yieldSometimes()
				a.counter.Refund(now, a.key, &r)
			}
		})
		require.Equal(t, []int64{0, 0}, a.used(p))
	},
	"never more than n at once, together": func(t *testing.T, c limit.Counter) {
		const n = 5
		p := limit.NewPolicy(limit.Plan{Limits: []limit.Limit{requestsIn(1_000_000, time.Hour)}, Concurrency: n})
		a := newAsker(t, c)
		cost := requests(1)
		cost.Slot = true
		var held, most, admitted atomic.Int64
		together(func(int) {
			for range rounds(400) {
				if ask(a, p, cost).Verdict != limit.Admitted {
					runtime.Gosched()
					continue
				}
				admitted.Add(1)
				raise(&most, held.Add(1))
				runtime.Gosched()
				held.Add(-1)
				a.counter.Release(a.now, a.key)
			}
		})
		require.LessOrEqual(t, most.Load(), int64(n))
		require.Greater(t, most.Load(), int64(1), "nothing was at once")
		require.Zero(t, a.state(p).UnderWay)
		require.Equal(t, []int64{admitted.Load()}, a.used(p))
		for range n {
			a.spend(p, cost)
		}
		a.refused(p, cost)
	},
	"exactly n slots at one moment": func(t *testing.T, c limit.Counter) {
		p := limit.NewPolicy(limit.Plan{Concurrency: 7})
		for range rounds(20) {
			a := newAsker(t, c)
			var admitted atomic.Int64
			together(func(int) {
				if ask(a, p, slot).Verdict == limit.Admitted {
					admitted.Add(1)
				}
			})
			require.EqualValues(t, 7, admitted.Load())
			require.Equal(t, 7, a.state(p).UnderWay)
		}
	},
}

// raise makes the value at least n.
func raise(value *atomic.Int64, n int64) {
	for old := value.Load(); n > old; old = value.Load() {
		if value.CompareAndSwap(old, n) {
			return
		}
	}
}

// ask is asker.ask for many goroutines: it does not end the test.
func ask(a *asker, p *limit.Policy, cost limit.Cost) limit.Decision {
	d := a.counter.Admit(a.now, a.key, p, &cost, &limit.Receipt{})
	for d.Verdict == limit.Unknown && a.counter.Prepare(a.Context(), a.now, a.key) == nil {
		d = a.counter.Admit(a.now, a.key, p, &cost, &limit.Receipt{})
	}
	return d
}

// hammer asks from all goroutines, on a clock that goes on by up to twice the
// step between questions, for the key of the time. It refunds some and returns
// what was admitted for good, by key.
func hammer(t *testing.T, c limit.Counter, p *limit.Policy, n int, step time.Duration, keyAt func(time.Time) string) map[string][]span {
	var clock sharedClock
	var mu sync.Mutex
	spans := map[string][]span{}
	together(func(i int) {
		random := rand.New(rand.NewPCG(uint64(i), 0))
		for range n {
			s := span{before: clock.after(time.Duration(random.Int64N(int64(2 * step)))), cost: randomCost(random)}
			key := keyAt(s.before)
			yieldSometimes()
			var r limit.Receipt
			d := c.Admit(s.before, key, p, &s.cost, &r)
			s.after = clock.read()
			switch {
			case d.Verdict == limit.Unknown:
				_ = c.Prepare(t.Context(), s.before, key)
			case d.Verdict != limit.Admitted:
			case random.IntN(8) == 0:
				c.Refund(s.after, key, &r)
			default:
				mu.Lock()
				spans[key] = append(spans[key], s)
				mu.Unlock()
			}
		}
	})
	return spans
}

func randomCost(random *rand.Rand) limit.Cost {
	signal := []limit.Traffic{limit.Traces, limit.Logs}[random.IntN(2)]
	c := items(signal, 1+random.Int64N(6))
	c.Ingest[limit.Requests], c.Own[limit.Requests] = 1, 1
	return c
}

func yieldSometimes() {
	if rand.IntN(4) == 0 {
		runtime.Gosched()
	}
}

// requireStrict checks that no interval as long as the window holds more than
// max of what was admitted within it for certain.
func requireStrict(t *testing.T, spans []span, l limit.Limit) {
	t.Helper()
	slices.SortFunc(spans, func(a, b span) int { return a.before.Compare(b.before) })
	for i, first := range spans {
		end, sum := first.before.Add(time.Duration(l.Window)), int64(0)
		for _, s := range spans[i:] {
			if s.before.After(end) {
				break
			}
			if !s.after.After(end) {
				sum += costOn(s.cost, l)
			}
		}
		require.LessOrEqual(t, sum, l.Max, "%v: in the %v from %v", l, l.Window, first.before)
	}
}
