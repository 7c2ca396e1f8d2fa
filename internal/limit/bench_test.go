package limit_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/limit"
)

// Clocks of benchmarks go on by a microsecond with each question, so that all
// buckets of a one-minute window are gone through in a minute's worth of them.
const tick = time.Microsecond

// bench is a Memory that knows some keys, and the order in which they come.
type bench struct {
	*limit.Memory
	keys  []string
	order []uint32 // at random, as long as a power of two
}

func newBench(b *testing.B, keys int, p *limit.Policy) *bench {
	b.Helper()
	m := &bench{Memory: limit.NewMemory(limit.MemoryOptions{}), order: make([]uint32, 1<<20)}
	for i := range keys {
		m.keys = append(m.keys, fmt.Sprintf("key_%020d", i))
		require.Equal(b, limit.Admitted, m.ask(morning, m.keys[i], p))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range m.order {
		m.order[i] = uint32(random.IntN(keys))
	}
	return m
}

func (m *bench) ask(now time.Time, key string, p *limit.Policy) limit.Verdict {
	var r limit.Receipt
	return m.Admit(now, key, p, &aRequest, &r).Verdict
}

func (m *bench) key(i int) string { return m.keys[m.order[i&(len(m.order)-1)]] }

var (
	aRequest = limit.Cost{Ingest: limit.Amounts{limit.Requests: 1}}
	traffic  = limit.Cost{
		Ingest: limit.Amounts{limit.Requests: 1}, On: limit.Traces, Own: limit.Amounts{limit.Requests: 1}, Slot: true,
	}
	oneLimit  = policyOf(limitOf(limit.MaxMax, time.Minute))
	twoLimits = limit.NewPolicy(limit.Plan{
		Limits:      []limit.Limit{limitOf(limit.MaxMax, time.Minute), limitOn(limit.Traces, limit.MaxMax, time.Hour)},
		Concurrency: 1000,
	})
)

var populations = []int{1, 1000, 100_000, 1_000_000}

// BenchmarkAdmit is an admission by one limit.
func BenchmarkAdmit(b *testing.B) {
	eachPopulation(b, oneLimit, func(m *bench, now time.Time, key string) { m.ask(now, key, oneLimit) })
}

// BenchmarkRequest is what a request costs: two limits, a slot, and giving that
// back.
func BenchmarkRequest(b *testing.B) {
	eachPopulation(b, twoLimits, (*bench).request)
}

// eachPopulation measures what do takes with so many keys, by one processor and
// by all at once.
func eachPopulation(b *testing.B, p *limit.Policy, do func(m *bench, now time.Time, key string)) {
	for _, keys := range populations {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			m := newBench(b, keys, p)
			b.ReportAllocs()
			now := morning
			for i := 0; b.Loop(); i++ {
				now = now.Add(tick)
				do(m, now, m.key(i))
			}
		})
		b.Run(fmt.Sprintf("parallel/keys=%d", keys), func(b *testing.B) {
			m := newBench(b, keys, p)
			b.ReportAllocs()
			b.ResetTimer()
			var begin atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				now := morning
				for i := int(begin.Add(100_003)); pb.Next(); i++ {
					now = now.Add(tick)
					do(m, now, m.key(i))
				}
			})
		})
	}
}

func (m *bench) request(now time.Time, key string) {
	var r limit.Receipt
	if m.Admit(now, key, twoLimits, &traffic, &r).Verdict == limit.Admitted {
		m.Release(now, key)
	}
}

// BenchmarkRefuse is the answer to a key that has spent all, evenly over the
// window: the time to wait has to be found among all buckets.
func BenchmarkRefuse(b *testing.B) {
	for _, cost := range []int64{1, 61} {
		b.Run(fmt.Sprintf("cost=%d", cost), func(b *testing.B) {
			m, p := limit.NewMemory(limit.MemoryOptions{}), policyOf(limitOf(61, time.Minute))
			now := morning
			for range 61 {
				_, _ = admitOne(m, now, "key", p, 1)
				now = now.Add(time.Second)
			}
			now = now.Add(-time.Second)
			c := requests(cost)
			b.ReportAllocs()
			for b.Loop() {
				var r limit.Receipt
				if d := m.Admit(now, "key", p, c, &r); d.Verdict != limit.OverLimit {
					b.Fatalf("%+v", d)
				}
			}
		})
	}
}

// BenchmarkRefund is an admission that is given back.
func BenchmarkRefund(b *testing.B) {
	m := newBench(b, 1, oneLimit)
	b.ReportAllocs()
	now := morning
	for b.Loop() {
		var r limit.Receipt
		m.Admit(now, m.keys[0], oneLimit, &aRequest, &r)
		m.Refund(now, m.keys[0], &r)
	}
}

// BenchmarkState is the state of a key as every answer tells it.
func BenchmarkState(b *testing.B) {
	m := newBench(b, 1, twoLimits)
	buffer := make([]limit.Quota, 0, 2)
	b.ReportAllocs()
	for b.Loop() {
		m.StateAtHand(morning, m.keys[0], twoLimits, buffer)
	}
}

// BenchmarkSweep is a sweep of a million keys in use.
func BenchmarkSweep(b *testing.B) {
	m := newBench(b, 1_000_000, oneLimit)
	for b.Loop() {
		m.Sweep(morning)
	}
}

// BenchmarkMemory reports the memory of a key with a one-minute window, the key
// itself not included: one that came once, and one that comes all the time.
func BenchmarkMemory(b *testing.B) {
	const keys = 100_000
	for name, buckets := range map[string]int{"touched once": 1, "all buckets in use": 61} {
		b.Run(name, func(b *testing.B) {
			names := make([]string, keys)
			for i := range names {
				names[i] = fmt.Sprintf("key_%020d", i)
			}
			for b.Loop() {
				m := &bench{Memory: limit.NewMemory(limit.MemoryOptions{})}
				before := heap()
				for i := range buckets {
					now := morning.Add(time.Duration(i) * time.Second)
					for _, key := range names {
						m.ask(now, key, oneLimit)
					}
				}
				b.ReportMetric(float64(heap()-before)/keys, "B/key")
				runtime.KeepAlive(m)
			}
		})
	}
}
