package e2e

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
)

func TestRequestsThatThePipelineFailsCostNothing(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		t.Run(d.name(), func(t *testing.T) {
			t.Parallel()
			c := start(t, options{doors: d})
			for _, failure := range []codes.Code{codes.Unavailable, codes.InvalidArgument, codes.Internal} {
				for _, s := range senders {
					for _, sig := range signals {
						t.Run(failure.String()+"/"+s.name+"/"+sig.name, func(t *testing.T) {
							k := c.create(t, limitedTo("2 requests in 1m on ingest", "2 requests in 1h on "+sig.name, "6 items in 1m on "+sig.name, "100000 bytes in 1m on ingest"))
							send := func() answer { return s.send(t, c, sig, sig.manyOf(3), k.bearer()) }
							c.sink.fail.Store(uint32(failure))
							for range 3 { // more than the limits admit
								a := send()
								assert.NotEqual(t, codes.OK, a.code)
								assert.NotEqual(t, "rate_limited", a.reason)
								if d != authOnly {
									assert.Equal(t, "2", a.header.Get("X-RateLimit-Remaining"), "the answer says so too")
								}
							}
							assert.Equal(t, []int64{0, 0, 0, 0}, c.used(t, k.id))
							c.sink.fail.Store(uint32(codes.OK))
							accepted(t, send())
							accepted(t, send())
							overLimit(t, send(), time.Hour)
						})
					}
				}
			}
		})
	}
}

func TestRequestsThatOneOfTwoPipelinesFailsCostNothing(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		t.Run(d.name(), func(t *testing.T) {
			t.Parallel()
			c := start(t, options{doors: d, overlay: `
service: {pipelines: {traces/nop: {receivers: [otlp], processors: [apikey], exporters: [nop]}}}
`})
			c.sink.fail.Store(uint32(codes.Unavailable))
			for _, s := range senders {
				k := c.create(t, limitedTo("2 requests in 1m on ingest", "2 items in 1m on ingest"))
				for range 4 {
					assert.NotEqual(t, "rate_limited", s.send(t, c, traces, traces.request(), k.bearer()).reason, s.name)
				}
				assert.Equal(t, []int64{0, 0}, c.used(t, k.id), s.name)
			}
		})
	}
}

// Where no processor sees what becomes of a request, the door does.
func TestRequestsThatAPipelineWithoutTheProcessorFailsCostNothing(t *testing.T) {
	for _, d := range []doors{both, middlewaresOnly} {
		t.Run(d.name(), func(t *testing.T) {
			t.Parallel()
			c := start(t, options{doors: d, overlay: "service: {pipelines: {traces: {processors: []}}}"})
			for _, s := range senders {
				k := c.create(t, limitedTo("2 requests in 1m on ingest", "2 requests in 1m on traces"))
				send := func() answer { return s.send(t, c, traces, traces.request(), k.bearer()) }
				c.sink.fail.Store(uint32(codes.Unavailable))
				for range 4 {
					assert.NotEqual(t, "rate_limited", send().reason, s.name)
				}
				assert.Equal(t, []int64{0, 0}, c.used(t, k.id), s.name)
				c.sink.fail.Store(uint32(codes.OK))
				accepted(t, send())
				accepted(t, send())
				overLimit(t, send(), time.Minute)
			}
		})
	}
}

func TestRequestsThatTheGateRefusesCostNothing(t *testing.T) {
	limits := limitedTo("2 requests in 1m on ingest", "10 items in 1m on traces", "10 items in 1m on ingest")
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		t.Run(d.name(), func(t *testing.T) {
			t.Parallel()
			c := start(t, options{doors: d})
			for name, tt := range map[string]struct {
				edit   edit
				items  int
				reason string
			}{
				"a scope that is missing":    {scopes("logs:write"), 1, "missing_scope"},
				"projects that are refused":  {projects("other"), 1, "project_not_allowed"},
				"an address that is refused": {fromAddresses("203.0.113.0/24"), 1, "address_not_allowed"},
				"more items than can pass":   {named("small"), 11, "larger_than_limit"},
			} {
				k := c.create(t, limits, tt.edit)
				for _, s := range senders {
					for range 3 {
						assert.Equal(t, tt.reason, s.send(t, c, traces, traces.manyOf(tt.items), k.bearer()).reason, name)
					}
					assert.Equal(t, []int64{0, 0, 0}, c.used(t, k.id), "%s over %s", name, s.name)
				}
			}
		})
	}
}

func TestBodiesThatCannotBeReadCostARequestOverHTTP(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		t.Run(d.name(), func(t *testing.T) {
			t.Parallel()
			c := start(t, options{doors: d})
			k := c.create(t, limitedTo("2 requests in 1m on ingest", "2 items in 1m on ingest"))
			send := func() int {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.httpAddress+traces.path, bytes.NewReader([]byte("{")))
				require.NoError(t, err)
				r.Header.Set("Content-Type", jsonType)
				r.Header.Set("Authorization", "Bearer "+k.secret)
				return doHTTP(t, c.admin.http, r).status
			}
			for i := range int64(2) {
				assert.Equal(t, http.StatusBadRequest, send())
				assert.Equal(t, []int64{i + 1, 0}, c.used(t, k.id))
			}
			overLimit(t, sendJSON(t, c, traces, traces.request(), k.bearer()), time.Minute)
			if d != authOnly { // where the refusal comes from behind the decoder
				assert.Equal(t, http.StatusTooManyRequests, send())
			}
		})
	}
}

// Over gRPC a request is charged before it is decoded where its key is held in
// memory, which it is soon after the first one.
func TestBodiesThatCannotBeReadCostARequestOverGRPC(t *testing.T) {
	for _, d := range []doors{both, middlewaresOnly} {
		t.Run(d.name(), func(t *testing.T) {
			t.Parallel()
			c := start(t, options{doors: d})
			k := c.create(t, limitedTo("3 requests in 1m on ingest"))
			accepted(t, sendGRPC(t, c, traces, traces.request(), k.bearer()))
			require.Eventually(t, func() bool {
				assert.Equal(t, codes.Internal, sendUnreadable(t, c, k.bearer()).code)
				return c.used(t, k.id)[0] == 2
			}, patience, tick)
			assert.Equal(t, codes.Internal, sendUnreadable(t, c, k.bearer()).code)
			assert.Equal(t, []int64{3}, c.used(t, k.id))
			overLimit(t, sendGRPC(t, c, traces, traces.request(), k.bearer()), time.Minute)
		})
	}
}
