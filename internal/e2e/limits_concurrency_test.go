package e2e

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
)

// patient is an exporter that waits for as long as a test holds the sink.
const patient = "exporters: {otlp_grpc: {timeout: 60s}}"

// fullHouse are requests that wait in the sink.
type fullHouse struct {
	c       *collector
	key     key
	sender  sender
	release chan struct{} // a value lets one go
	empty   func()        // lets all go, and those to come
	answers chan answer   // of those that passed the gate
	sending sync.WaitGroup
}

// fill sends one request after the other until so many are in the sink.
func fill(t *testing.T, c *collector, s sender, k key, n int) *fullHouse {
	t.Helper()
	release := make(chan struct{})
	h := &fullHouse{c: c, key: k, sender: s, release: release, answers: make(chan answer, n+3)}
	h.empty = sync.OnceFunc(func() { close(release) })
	t.Cleanup(func() { h.empty(); h.sending.Wait() })
	c.sink.hold.Store(&release)
	for range n {
		h.enter(t)
	}
	return h
}

func (h *fullHouse) send(t *testing.T) answer {
	t.Helper()
	return h.sender.send(t, h.c, traces, traces.request(), h.key.bearer())
}

// try sends a request and waits until it is in the sink or answered.
func (h *fullHouse) try(t *testing.T) (answered chan answer) {
	t.Helper()
	before := h.c.sink.requests.Load()
	answered = make(chan answer, 1)
	h.sending.Go(func() { answered <- h.send(t) })
	require.Eventually(t, func() bool { return h.c.sink.requests.Load() > before || len(answered) > 0 }, patience, tick)
	return answered
}

// enter sends a request that has to pass the gate.
func (h *fullHouse) enter(t *testing.T) {
	t.Helper()
	answered := h.try(t)
	if len(answered) > 0 {
		a := <-answered
		t.Fatalf("it does not pass: %s: %s", a.reason, a.message)
	}
	go func() { h.answers <- <-answered }()
}

// refused sends a request that must not pass, and returns its answer.
func (h *fullHouse) refused(t *testing.T) answer {
	t.Helper()
	answered := h.try(t)
	if len(answered) == 0 {
		t.Fatal("it passes")
	}
	return <-answered
}

func TestTheSixthRequestUnderWayOnTheFreePlanIsRefused(t *testing.T) {
	const most = 5
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		t.Run(d.name(), func(t *testing.T) {
			t.Parallel()
			c := start(t, options{doors: d, overlay: patient})
			for i, s := range senders {
				t.Run(s.name, func(t *testing.T) {
					k := c.create(t, onPlan("free"))
					h := fill(t, c, s, k, most)
					for range 3 {
						tooManyAtOnce(t, h.refused(t))
					}
					assert.Equal(t, most, c.underWay(t, k.id))
					assert.Equal(t, []int64{most, 0}, c.used(t, k.id), "what is refused costs nothing")

					h.release <- struct{}{}
					accepted(t, <-h.answers)
					h.enter(t) // in the place that has come free
					tooManyAtOnce(t, h.refused(t))

					h.empty()
					for range most {
						accepted(t, <-h.answers)
					}
					for range 2 * most { // one after the other are never two at once
						accepted(t, h.send(t))
					}
					assert.Equal(t, (i+1)*(most+1+2*most), c.sink.items())
				})
			}
		})
	}
}

func TestTheRequestsOfAnotherKeyTakeNoPlace(t *testing.T) {
	t.Parallel()
	c := start(t, options{overlay: patient})
	for _, s := range senders {
		h := fill(t, c, s, c.create(t, onPlan("free")), 5)
		h.key = c.create(t, onPlan("free"))
		h.enter(t)
		h.empty()
		for range 6 {
			accepted(t, <-h.answers)
		}
		c.sink.hold.Store(nil)
	}
}

func TestRequestsThatCannotBeReadGiveTheirPlaceBack(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		t.Run(d.name(), func(t *testing.T) {
			t.Parallel()
			c := start(t, options{doors: d})
			k := c.create(t, onPlan("free"))
			accepted(t, sendGRPC(t, c, traces, traces.request(), k.bearer()))
			for range 20 {
				assert.Equal(t, codes.Internal, sendUnreadable(t, c, k.bearer()).code)
				require.Eventually(t, func() bool { return c.underWay(t, k.id) == 0 }, patience, tick)
			}
			accepted(t, sendGRPC(t, c, traces, traces.request(), k.bearer()))
		})
	}
}

// With auth: alone no door sees the end of a request before its sender does.
func TestARequestThatThePipelineRefusesGivesItsPlaceBackBeforeItsAnswer(t *testing.T) {
	t.Parallel()
	c := start(t, options{doors: authOnly, overlay: `
extensions: {apikeyauth: {plans: {one: {concurrency: 1, limits: [{on: ingest, unit: items, max: 1000, window: 1m}]}}}}
`})
	for _, s := range senders {
		k := c.create(t, onPlan("one"), projects("mine"))
		for range 100 {
			require.Equal(t, "project_not_allowed", s.send(t, c, traces, traces.request("theirs"), k.bearer()).reason, s.name)
			require.Empty(t, s.send(t, c, traces, traces.request("mine"), k.bearer()).reason, s.name)
		}
	}
}

// cancelable sends a span until its context ends.
type cancelable struct {
	name string
	send func(ctx context.Context, c *collector, h headers, body []byte) error
}

var cancelables = []cancelable{{"grpc", sendCancelableGRPC}, {"http", sendCancelableHTTP}}

func sendCancelableGRPC(ctx context.Context, c *collector, h headers, body []byte) error {
	var resp []byte
	return c.conn.Invoke(metadata.NewOutgoingContext(ctx, metadata.New(h)), traces.method, body, &resp)
}

func sendCancelableHTTP(ctx context.Context, c *collector, h headers, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.httpAddress+traces.path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", protobufType)
	for name, value := range h {
		r.Header.Set(name, value)
	}
	resp, err := c.admin.http.Do(r)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func TestARequestWhoseClientGoesAwayFreesItsPlaceAndIsSpent(t *testing.T) {
	body := marshalProto(t, traces.request())
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		t.Run(d.name(), func(t *testing.T) {
			t.Parallel()
			c := start(t, options{doors: d, overlay: patient})
			for _, s := range cancelables {
				t.Run(s.name, func(t *testing.T) {
					k := c.create(t, onPlan("free"))
					h := fill(t, c, senders[0], k, 4)
					before := c.sink.requests.Load()
					ctx, leave := context.WithCancel(t.Context())
					gone := make(chan error)
					go func() { gone <- s.send(ctx, c, k.bearer(), body) }()
					require.Eventually(t, func() bool { return c.sink.requests.Load() == before+1 }, patience, tick)
					tooManyAtOnce(t, h.refused(t))

					leave() // which ends the handler too: the exporter sees it
					require.Error(t, <-gone)
					require.Eventually(t, func() bool { return c.underWay(t, k.id) == 4 }, patience, tick)
					assert.Equal(t, []int64{5, 0}, c.used(t, k.id), "it may have been delivered")
					h.enter(t)
					tooManyAtOnce(t, h.refused(t))
					h.empty()
					for range 5 {
						accepted(t, <-h.answers)
					}
				})
			}
		})
	}
}
