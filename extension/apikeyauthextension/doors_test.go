package apikeyauthextension

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/otlpgate/otlpgate/extension/apikeyauthextension/internal/metadatatest"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// garbage is a codec that sends what no server can decode.
type garbage struct{}

func (garbage) Marshal(any) ([]byte, error)     { return []byte("\x0a\xff\x01 cut off"), nil }
func (garbage) Unmarshal(_ []byte, _ any) error { return nil }
func (garbage) Name() string                    { return "proto" }

var _ encoding.Codec = garbage{}

const exportTraces = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

func TestGRPCRequestsAreRefusedBeforeTheyAreDecoded(t *testing.T) {
	for name, tt := range map[string]struct {
		early bool
		want  codes.Code // of a request with no key that cannot be decoded
	}{
		"early_refusal":    {true, codes.Unauthenticated},
		"no early_refusal": {false, codes.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, fixtureOptions{doors: middlewaresOnly, extension: func(c *Config) { c.EarlyRefusal = tt.early }})
			err := f.grpc.Invoke(t.Context(), exportTraces, &struct{}{}, &struct{}{}, grpc.ForceCodec(garbage{}))
			assert.Equal(t, tt.want, status.Code(err), "%v", err)
		})
	}
}

func TestWithoutEarlyRefusalTheAnswersAreTheSame(t *testing.T) {
	f := newFixture(t, fixtureOptions{doors: both, extension: func(c *Config) { c.EarlyRefusal = false }})
	for name, row := range refusals(t, f) {
		a := sendGRPC(t, f, telemetryOf(identity.Traces), row.headers)
		assert.Equal(t, row.code, a.code, name)
		assert.Equal(t, string(row.reason), a.reason, name)
	}
	assert.Equal(t, codes.OK, sendGRPC(t, f, telemetryOf(identity.Traces), bearer(f.key(t))).code)
}

func TestStreamsPassTheSameDoor(t *testing.T) {
	for _, early := range []bool{true, false} {
		f := newFixture(t, fixtureOptions{doors: both, extension: func(c *Config) { c.EarlyRefusal = early }})
		secret := f.key(t)
		serve := func(md metadata.MD) (got *identity.Admission, err error) {
			ctx := metadata.NewIncomingContext(t.Context(), md)
			err = f.extension.interceptStream(nil, stream{ctx: ctx}, &grpc.StreamServerInfo{FullMethod: "/a.b/C"},
				func(_ any, s grpc.ServerStream) error {
					got = admissionFrom(s.Context(), f.extension.gate)
					return nil
				})
			return got, err
		}
		a, err := serve(metadata.Pairs("x-api-key", secret))
		require.NoError(t, err)
		require.NotNil(t, a)
		a, err = serve(nil)
		assert.Nil(t, a, "the handler is not reached")
		assert.Equal(t, codes.Unauthenticated, status.Code(err))
	}
}

type stream struct {
	grpc.ServerStream
	ctx context.Context //nolint:containedctx // grpc.ServerStream hands its context out
}

func (s stream) Context() context.Context { return s.ctx }

// seen keeps the client.Info that reached the end of a pipeline.
type seen struct{ info client.Info }

func (*seen) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (s *seen) ConsumeTraces(ctx context.Context, _ ptrace.Traces) error {
	s.info = client.FromContext(ctx)
	return nil
}

func TestTheCredentialDoesNotReachThePipeline(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		for _, s := range senders {
			for _, header := range []string{"authorization", "x-api-key", "api_key"} {
				t.Run(d.String()+"/"+s.name+"/"+header, func(t *testing.T) {
					end := &seen{}
					f := newFixture(t, fixtureOptions{doors: d, receiver: map[string]any{"include_metadata": true}, end: end})
					id, secret := f.keyRecord(t)
					value := secret
					if header == "authorization" {
						value = "Bearer " + secret
					}
					for range 2 { // from the store, then from memory
						a := s.send(t, f, telemetryOf(identity.Traces), map[string]string{
							header: value, "tenant": "a", "apikey.key_id": "spoofed", "apikey.owner_id": "spoofed", "apikey.id": "spoofed",
						})
						require.Equal(t, codes.OK, a.code, a.message)
						f.awaitCached(t, secret)
						assert.Equal(t, []string{"a"}, end.info.Metadata.Get("tenant"), "the rest of the metadata stays")
						for key := range end.info.Metadata.Keys() {
							assert.NotContains(t, strings.Join(end.info.Metadata.Get(key), " "), secret, key)
						}
						assert.Equal(t, id, end.info.Auth.GetAttribute("key_id"))
						assert.Equal(t, []string{id}, end.info.Metadata.Get("apikey.key_id"), "batching can keep keys apart")
						assert.Nil(t, end.info.Metadata.Get("apikey.owner_id"), "a system key has no owner")
						assert.Nil(t, end.info.Metadata.Get("apikey.id"), "nothing in the namespace is the sender's")
						for _, name := range end.info.Auth.GetAttributeNames() {
							assert.NotEqual(t, secret, end.info.Auth.GetAttribute(name))
						}
					}
				})
			}
		}
	}
}

func TestAnotherGatesWordDoesNotCount(t *testing.T) {
	f, other := newFixture(t, fixtureOptions{doors: both}), newFixture(t, fixtureOptions{doors: both})
	secret := other.key(t)
	headers := map[string][]string{"authorization": {"Bearer " + secret}}
	ctx, err := other.extension.Authenticate(t.Context(), headers)
	require.NoError(t, err)
	_, err = f.extension.Authenticate(ctx, headers)
	assert.Equal(t, codes.Unauthenticated, status.Code(err))
	a := client.FromContext(ctx).Auth.(*identity.Admission)
	assert.False(t, f.extension.Issued(a))
	assert.True(t, other.extension.Issued(a))
}

func TestReceiversThatCannotSayItAnswerWhatThePipelineDecided(t *testing.T) {
	refusal := identity.RefuseScope(identity.Traces)
	retry := identity.NewRetryableRefusal(identity.KeyUnresolvable, "later", 1500*time.Millisecond)
	for name, tt := range map[string]struct {
		refusal *identity.Refusal
		handler http.HandlerFunc
		status  int
		body    string
		retry   string
	}{
		"no verdict": {nil, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "mine", http.StatusTeapot) }, http.StatusTeapot, "mine\n", ""},
		"refused":    {refusal, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "mine", http.StatusInternalServerError) }, 403, "", ""},
		"refused, encoded": {refusal, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Content-Length", "4711")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte("mine"))
		}, 403, "", ""},
		"refused for now":   {retry, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "mine", http.StatusInternalServerError) }, 503, "", "2"},
		"refused, accepted": {refusal, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }, 202, "", ""},
		"implicit status":   {nil, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("mine")) }, 200, "mine", ""},
		"flushed":           {nil, func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() }, 200, "", ""},
		"early hints": {nil, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusCreated)
			w.WriteHeader(http.StatusInternalServerError)
		}, 201, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := identity.NewAdmission(&identity.Identity{}, nil)
			if tt.refusal != nil {
				a.Refuse(tt.refusal)
			}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				tt.handler(&httpAnswer{ResponseWriter: w, request: r, admission: a}, r)
			}))
			defer server.Close()
			status, body := get(t, server.URL, nil)
			assert.Equal(t, tt.status, status)
			if tt.refusal == nil || tt.status < 400 {
				assert.Equal(t, tt.body, body)
			} else {
				assert.Contains(t, body, tt.refusal.Message)
				assert.NotContains(t, body, "mine")
			}
		})
	}
}

func TestAVerdictIsDeferredOnlyToAMiddlewareThatWasSeenAndNeverForABadCredential(t *testing.T) {
	f, _, _, ctx := bareFixture(t)
	authenticate := func(secret string) (deferred, err error) {
		after, err := f.extension.Authenticate(ctx, bearerOf(secret))
		if refusal := f.extension.deferredFrom(after); refusal != nil {
			deferred = refusal
		}
		assert.Nil(t, admissionFrom(after, f.extension.gate))
		return deferred, err
	}
	for _, seen := range []bool{false, true} {
		if seen {
			f.extension.guarded.add(ctx.Value(http.ServerContextKey).(*http.Server))
		}
		deferred, err := authenticate(f.mint())
		require.NoError(t, deferred)
		assert.Equal(t, codes.Unauthenticated, status.Code(err), "before anything is decompressed")
	}
	require.NoError(t, f.extension.store.Close())
	deferred, err := authenticate(f.mint())
	require.NoError(t, err)
	assert.Equal(t, codes.Unavailable, status.Code(deferred))
}

func bearerOf(secret string) map[string][]string {
	return map[string][]string{"Authorization": {"Bearer " + secret}}
}

func TestOnlyAnAcceptedAnswerBecomesAPartialSuccess(t *testing.T) {
	for given, rewritten := range map[int]bool{200: true, 202: false, 400: false, 503: false} {
		a := identity.NewAdmission(&identity.Identity{}, nil)
		a.Reject(identity.Traces, 2, "theirs")
		r := httptest.NewRequest(http.MethodPost, "/v1/traces", nil)
		w := httptest.NewRecorder()
		answer := &httpAnswer{ResponseWriter: w, request: r, admission: a, signal: identity.Traces}
		answer.WriteHeader(given)
		_, err := answer.Write([]byte("mine"))
		require.NoError(t, err)
		assert.Equal(t, given, w.Code)
		assert.Equal(t, rewritten, strings.Contains(w.Body.String(), "theirs"), given)
		assert.NotEqual(t, rewritten, w.Body.String() == "mine", given)
	}
}

func TestTheSignalIsKnownByPathAndMethod(t *testing.T) {
	for path, want := range map[string]identity.Signal{
		"/v1/traces": identity.Traces, "/some/prefix/v1/logs": identity.Logs, "/v1development/profiles": identity.Profiles,
		"/v1/metrics/x": identity.SignalUnknown, "/v1/traces/": identity.SignalUnknown, "/api/v2/spans": identity.SignalUnknown, "": identity.SignalUnknown,
	} {
		assert.Equal(t, want, signalOfPath(path), path)
	}
	for method, want := range map[string]identity.Signal{
		exportTraces: identity.Traces, exportTraces[1:]: identity.Traces,
		"/x" + exportTraces: identity.SignalUnknown, "/grpc.health.v1.Health/Check": identity.SignalUnknown, "": identity.SignalUnknown,
	} {
		assert.Equal(t, want, signalOfMethod(method), method)
	}
}

func TestServersAreRememberedWithoutBeingKeptAlive(t *testing.T) {
	var g guardedServers
	assert.False(t, g.has(nil))
	g.add(nil)
	kept := &http.Server{}
	assert.False(t, g.has(kept))
	g.add(kept)
	g.add(kept)
	assert.True(t, g.has(kept))
	func() { g.add(&http.Server{}) }()
	assert.Eventually(t, func() bool {
		runtime.GC()
		n := 0
		g.seen.Range(func(any, any) bool { n++; return true })
		return n == 1
	}, 5*time.Second, time.Millisecond)
	assert.True(t, g.has(kept))
}

func TestRequestsAreCountedOnceByWhatBecameOfThem(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		t.Run(d.String(), func(t *testing.T) {
			f := newFixture(t, fixtureOptions{doors: d})
			good := f.key(t)
			reader := f.key(t, func(k *store.Key) { k.Scopes = []identity.Scope{identity.TracesRead} })
			for _, s := range senders[:2] {
				for _, secret := range []string{good, good, reader, f.mint()} {
					s.send(t, f, telemetryOf(identity.Traces), bearer(secret))
				}
				s.send(t, f, telemetryOf(identity.Traces), nil)
			}
			f.extension.unrecorded.wait(time.Minute)
			var want []metricdata.DataPoint[int64]
			for _, transport := range []string{"grpc", "http"} {
				want = append(want,
					point(2, "accepted", "none", transport),
					point(1, "refused", "missing_scope", transport),
					point(1, "refused", "unknown_key", transport),
					point(1, "refused", "no_credential", transport))
			}
			metadatatest.AssertEqualApikeyauthRequests(t, f.telemetry, want, metricdatatest.IgnoreTimestamp())
		})
	}
}

func point(value int64, outcome, reason, transport string) metricdata.DataPoint[int64] {
	return metricdata.DataPoint[int64]{Value: value, Attributes: attribute.NewSet(
		attribute.String("outcome", outcome), attribute.String("reason", reason), attribute.String("transport", transport))}
}

func TestAnErrorOfThePipelineIsPassedOn(t *testing.T) {
	for _, s := range senders {
		f := newFixture(t, fixtureOptions{doors: both, end: failing{}})
		a := s.send(t, f, telemetryOf(identity.Traces), bearer(f.key(t)))
		assert.Equal(t, codes.Unavailable, a.code)
		assert.Contains(t, a.message, "backend is down")
	}
}

type failing struct{}

func (failing) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (failing) ConsumeTraces(context.Context, ptrace.Traces) error {
	return errors.New("backend is down")
}
