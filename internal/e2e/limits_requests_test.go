package e2e

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
)

// flood sends n requests, as many at once as there are workers.
func flood[T any](n, workers int, send func() T) []T {
	answers := make([]T, n)
	var next atomic.Int64
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				answers[i-1] = send()
			}
		})
	}
	working.Wait()
	return answers
}

func TestAThousandRequestsAtOnceAdmitExactlyTheLimit(t *testing.T) {
	t.Parallel()
	const most, requests = 100, 1000
	c := start(t, options{})
	for name, tt := range map[string]struct {
		edit   edit
		atOnce int
	}{
		"all at once": {limitedTo("100 requests in 1m on ingest"), requests},
		"on the default plan, as many at once as it allows": {onPlan(""), 5},
	} {
		for _, s := range senders[:2] { // one of each transport
			t.Run(name+"/"+s.name, func(t *testing.T) {
				k, before := c.create(t, tt.edit), c.sink.requests.Load()
				passed := 0
				for _, a := range flood(requests, tt.atOnce, func() answer { return s.send(t, c, traces, traces.request(), k.bearer()) }) {
					if a.code == codes.OK {
						passed++
						continue
					}
					overLimit(t, a, time.Minute)
				}
				assert.Equal(t, most, passed)
				assert.EqualValues(t, most, c.sink.requests.Load()-before)
				assert.Equal(t, most, received(t, c.sink).count(k.id), "spans that have arrived")
			})
		}
	}
}

func TestWhoeverWaitsOutRetryAfterIsAdmitted(t *testing.T) {
	t.Parallel()
	const window = 2 * time.Second
	c := start(t, options{})
	var waiting sync.WaitGroup
	for _, s := range senders {
		k := c.create(t, limitedTo("3 requests in 2s on traces", "5 items in 2s on logs"))
		waiting.Go(func() {
			for range 3 {
				accepted(t, s.send(t, c, traces, traces.request(), k.bearer()))
			}
			refused := s.send(t, c, traces, traces.request(), k.bearer())
			overLimit(t, refused, window)
			time.Sleep(refused.retry)
			accepted(t, s.send(t, c, traces, traces.request(), k.bearer()))
		})
		waiting.Go(func() {
			accepted(t, s.send(t, c, logs, logs.manyOf(4), k.bearer()))
			refused := s.send(t, c, logs, logs.manyOf(3), k.bearer())
			overLimit(t, refused, window)
			time.Sleep(refused.retry)
			accepted(t, s.send(t, c, logs, logs.manyOf(3), k.bearer()))
		})
	}
	waiting.Wait()
}

func TestNoIntervalOfAWindowAdmitsMoreThanTheLimit(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	var hammering sync.WaitGroup
	for _, s := range senders {
		k := c.create(t, limitedTo("3 requests in 2s on ingest"))
		hammering.Go(func() { hammerWindow(t, c, s, k, 3, 2*time.Second) })
	}
	hammering.Wait()
}

// passage is when an admitted request was sent, and when its answer was there:
// it was charged in between.
type passage struct{ sent, answered time.Time }

// hammerWindow sends until some windows have been filled.
func hammerWindow(t *testing.T, c *collector, s sender, k key, most int, window time.Duration) {
	t.Helper()
	var passed []passage
	for len(passed) <= 2*most {
		sent := time.Now()
		a := s.send(t, c, traces, traces.request(), k.bearer())
		if a.code == codes.OK {
			passed = append(passed, passage{sent, time.Now()})
			continue
		}
		overLimit(t, a, window)
		time.Sleep(4 * tick) // for the sake of the machine
	}
	for i := range len(passed) - most {
		assert.GreaterOrEqual(t, passed[i+most].answered.Sub(passed[i].sent), window, "over %s, %d requests after the %dth", s.name, most, i)
	}
}

func TestRequestsAreLimitedExactlyAndCountedOnceAtEveryDoor(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		t.Run(d.name(), func(t *testing.T) {
			t.Parallel()
			c := start(t, options{doors: d})
			passed := 0
			for _, s := range senders {
				for i, sig := range signals {
					other := signals[(i+1)%len(signals)]
					k := c.create(t, limitedTo("5 requests in 1m on ingest", "3 requests in 1m on "+sig.name))
					send := func(sig signal) answer { return s.send(t, c, sig, sig.request(), k.bearer()) }
					for range 3 {
						accepted(t, send(sig))
					}
					assert.Equal(t, []int64{3, 3}, c.used(t, k.id))
					overLimit(t, send(sig), time.Minute)
					assert.Equal(t, []int64{3, 3}, c.used(t, k.id), "a refused request costs nothing on any limit")
					accepted(t, send(other))
					accepted(t, send(other))
					overLimit(t, send(other), time.Minute)
					assert.Equal(t, []int64{5, 3}, c.used(t, k.id))
					passed += 5
					assert.Equal(t, passed, c.sink.items(), "%s over %s", sig.name, s.name)
				}
			}
		})
	}
}

func TestARequestThatFeedsTwoPipelinesIsChargedOnce(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		t.Run(d.name(), func(t *testing.T) {
			t.Parallel()
			c := start(t, options{doors: d, overlay: `
service: {pipelines: {traces/b: {receivers: [otlp], processors: [apikey], exporters: [otlp_grpc]}}}
`})
			for _, s := range senders {
				before := c.sink.items()
				k := c.create(t, limitedTo("3 requests in 1m on ingest", "3 requests in 1m on traces", "10 items in 1m on ingest"))
				send := func(items int) answer { return s.send(t, c, traces, traces.manyOf(items), k.bearer()) }
				accepted(t, send(5))
				accepted(t, send(4))
				assert.Equal(t, []int64{2, 2, 9}, c.used(t, k.id), s.name)
				overLimit(t, send(2), time.Minute)
				assert.Equal(t, []int64{2, 2, 9}, c.used(t, k.id), s.name)
				accepted(t, send(1))
				overLimit(t, send(1), time.Minute)
				assert.Equal(t, 2*10, c.sink.items()-before, "each pipeline has all that was admitted, over %s", s.name)
			}
		})
	}
}

// The door of a receiver that is not OTLP's cannot tell the signal.
func TestRequestsOfASignalAreChargedOnceThePipelineKnowsIt(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		t.Run(d.name(), func(t *testing.T) {
			t.Parallel()
			c, url := startWithZipkin(t, d)
			k := c.create(t, limitedTo("9 requests in 1m on ingest", "2 requests in 1m on traces", "9 requests in 1m on logs"))
			for range 2 {
				assert.Equal(t, http.StatusAccepted, sendZipkin(t, c, url, k.bearer()).status)
			}
			assert.Equal(t, []int64{2, 2, 0}, c.used(t, k.id))
			refused := sendZipkin(t, c, url, k.bearer())
			if d != authOnly { // where the receiver answers for the processor, in its own way
				assert.Equal(t, http.StatusTooManyRequests, refused.status, refused.body)
				assert.NotEmpty(t, refused.header.Get("Retry-After"))
				assert.Contains(t, refused.body, "2 requests in 1m on traces")
			}
			assert.GreaterOrEqual(t, refused.status, http.StatusTooManyRequests, "it may be retried")
			require.Eventually(t, func() bool { return assert.ObjectsAreEqual([]int64{2, 2, 0}, c.used(t, k.id)) }, patience, tick)
			assert.Len(t, c.sink.spans(), 2)
			accepted(t, sendGRPC(t, c, logs, logs.request(), k.bearer()))
			overLimit(t, sendGRPC(t, c, traces, traces.request(), k.bearer()), time.Minute)
		})
	}
}
