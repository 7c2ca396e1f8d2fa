package apikeyauthextension

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/otlpgate/otlpgate/extension/apikeyauthextension/internal/metadatatest"
	"github.com/otlpgate/otlpgate/internal/gate"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// limited puts keys that name no plan on one with these limits.
func limited(plan limit.Plan) func(*Config) {
	return func(c *Config) { c.Plans, c.DefaultPlan = map[string]limit.Plan{"tight": plan}, "tight" }
}

func onDefaultPlan(k *store.Key) { k.Plan = "" }

func requests(on limit.Traffic, n int64) limit.Plan {
	return limit.Plan{Limits: []limit.Limit{{On: on, Unit: limit.Requests, Max: n, Window: limit.Window(time.Minute)}}}
}

func perMinute(on limit.Traffic, unit limit.Unit, n int64) limit.Plan {
	return limit.Plan{Limits: []limit.Limit{{On: on, Unit: unit, Max: n, Window: limit.Window(time.Minute)}}}
}

// manyOf is n items of a signal in one resource.
func manyOf(signal identity.Signal, n int) any {
	switch data := telemetryOf(signal).(type) {
	case pmetric.Metrics:
		points := data.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints()
		for range n - 1 {
			points.AppendEmpty().SetIntValue(1)
		}
		return data
	case plog.Logs:
		records := data.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
		for range n - 1 {
			records.AppendEmpty().Body().SetStr("hello")
		}
		return data
	case pprofile.Profiles: // one profile with many samples
		samples := data.ResourceProfiles().At(0).ScopeProfiles().At(0).Profiles().At(0).Samples()
		for range n - 1 {
			samples.AppendEmpty()
		}
		return data
	case ptrace.Traces:
		spans := data.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
		for range n - 1 {
			spans.AppendEmpty().SetName("work")
		}
		return data
	}
	panic("no such signal")
}

// eachDoor runs a test at every set-up that lets keys in, over every transport.
func eachDoor(t *testing.T, test func(t *testing.T, d doors, s sender)) {
	t.Helper()
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		for _, s := range senders {
			t.Run(d.String()+"/"+s.name, func(t *testing.T) { test(t, d, s) })
		}
	}
}

func assertOverLimit(t *testing.T, a answer) {
	t.Helper()
	assert.Equal(t, codes.ResourceExhausted, a.code, a.message)
	assert.Equal(t, string(identity.RateLimited), a.reason)
	assert.GreaterOrEqual(t, a.retry, time.Second)
	assert.LessOrEqual(t, a.retry, 61*time.Second)
	assert.Zero(t, a.retry%time.Second, "exporters see whole seconds")
	if a.http != 0 {
		assert.Equal(t, http.StatusTooManyRequests, a.http)
		assert.Equal(t, strconv.Itoa(int(a.retry/time.Second)), a.header.Get("Retry-After"))
	}
}

func TestRequestsAreLimitedAtEveryDoorAndCountedOnce(t *testing.T) {
	for _, on := range []limit.Traffic{limit.Ingest, limit.Traces} {
		eachDoor(t, func(t *testing.T, d doors, s sender) {
			f := newFixture(t, fixtureOptions{doors: d, extension: limited(requests(on, 3))})
			key := bearer(f.key(t, onDefaultPlan))
			for range 3 {
				assert.Equal(t, codes.OK, s.send(t, f, telemetryOf(identity.Traces), key).code)
			}
			for range 3 {
				assertOverLimit(t, s.send(t, f, telemetryOf(identity.Traces), key))
			}
			assert.Equal(t, 3, f.received())
			if on == limit.Traces {
				assert.Equal(t, codes.OK, s.send(t, f, telemetryOf(identity.Logs), key).code, "another signal")
			}
			assert.Equal(t, codes.OK, s.send(t, f, telemetryOf(identity.Traces), bearer(f.key(t, onDefaultPlan))).code, "another key")
		})
	}
}

func TestItemsAreLimitedExactlyForEverySignal(t *testing.T) {
	eachDoor(t, func(t *testing.T, d doors, s sender) {
		f := newFixture(t, fixtureOptions{doors: d, extension: limited(limit.Plan{Limits: []limit.Limit{
			{On: limit.Ingest, Unit: limit.Items, Max: 1000, Window: limit.Window(time.Hour)},
			{On: limit.Traces, Unit: limit.Items, Max: 10, Window: limit.Window(time.Minute)},
			{On: limit.Metrics, Unit: limit.Items, Max: 10, Window: limit.Window(time.Minute)},
			{On: limit.Logs, Unit: limit.Items, Max: 10, Window: limit.Window(time.Minute)},
			{On: limit.Profiles, Unit: limit.Items, Max: 10, Window: limit.Window(time.Minute)},
		}})})
		key := bearer(f.key(t, onDefaultPlan))
		for _, signal := range identity.Signals() {
			send := func(n int) answer { return s.send(t, f, manyOf(signal, n), key) }
			assert.Equal(t, codes.OK, send(8).code, signal)
			assertOverLimit(t, send(3))
			tooLarge := send(11)
			assert.Equal(t, codes.InvalidArgument, tooLarge.code)
			assert.Equal(t, string(identity.LargerThanLimit), tooLarge.reason)
			assert.Zero(t, tooLarge.retry, "it can never pass")
			assert.Equal(t, codes.OK, send(2).code, "what was refused cost nothing")
			assertOverLimit(t, send(1))
		}
	})
}

func TestBytesAreThoseOfTheTelemetryDecoded(t *testing.T) {
	data := telemetryOf(identity.Traces).(ptrace.Traces)
	size := int64(new(ptrace.ProtoMarshaler).TracesSize(data))
	eachDoor(t, func(t *testing.T, d doors, s sender) {
		f := newFixture(t, fixtureOptions{doors: d, extension: limited(perMinute(limit.Ingest, limit.Bytes, 2*size))})
		key := bearer(f.key(t, onDefaultPlan))
		for range 2 {
			assert.Equal(t, codes.OK, s.send(t, f, telemetryOf(identity.Traces), key).code)
		}
		assertOverLimit(t, s.send(t, f, telemetryOf(identity.Traces), key))
	})
}

func TestRefusedAndFailedRequestsCostNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		end    consumer.Traces
		signal identity.Signal
		edit   func(*store.Key)
		want   codes.Code
	}{
		"the pipeline fails":        {failing{}, identity.Traces, onDefaultPlan, codes.Unavailable},
		"the scope is missing":      {nil, identity.Logs, func(k *store.Key) { k.Plan, k.Scopes = "", []identity.Scope{identity.TracesWrite} }, codes.PermissionDenied},
		"every project is refused":  {nil, identity.Traces, func(k *store.Key) { k.Plan, k.Projects = "", []string{"other"} }, codes.PermissionDenied},
		"the telemetry is too much": {nil, identity.Metrics, onDefaultPlan, codes.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			eachDoor(t, func(t *testing.T, d doors, s sender) {
				plan := requests(limit.Ingest, 2)
				plan.Limits = append(plan.Limits, perMinute(limit.Metrics, limit.Items, 1).Limits...)
				f := newFixture(t, fixtureOptions{doors: d, end: tt.end, extension: limited(plan)})
				id, secret := f.keyRecord(t, tt.edit)
				for range 5 {
					assert.Equal(t, tt.want, s.send(t, f, manyOf(tt.signal, 2), bearer(secret)).code)
				}
				assert.Zero(t, f.used(t, id))
			})
		})
	}
}

// resolve brings a key into memory, without a request.
func (f *fixture) resolve(t testing.TB, secret string) {
	t.Helper()
	_, refusal := f.extension.gate.Authenticate(t.Context(), gate.Request{Headers: bearerOf(secret)})
	require.Nil(t, refusal)
	f.awaitCached(t, secret)
}

// used returns the use of the first limit of the default plan.
func (f *fixture) used(t *testing.T, id string) int64 {
	t.Helper()
	l := f.extension.limits
	s, err := l.counter.State(t.Context(), l.clock(), id, f.extension.plans.Policy("", nil))
	require.NoError(t, err)
	return s.Quotas[0].Used
}

func TestWhatCannotBeReadCostsARequest(t *testing.T) {
	t.Run("grpc", func(t *testing.T) {
		f := newFixture(t, fixtureOptions{doors: both, extension: limited(requests(limit.Ingest, 2))})
		id, secret := f.keyRecord(t, onDefaultPlan)
		f.resolve(t, secret)
		ctx := metadata.NewOutgoingContext(t.Context(), metadata.New(bearer(secret)))
		for _, used := range []int64{1, 2, 2} {
			assert.Error(t, f.grpc.Invoke(ctx, exportTraces, &struct{}{}, &struct{}{}, grpc.ForceCodec(garbage{})))
			assert.Equal(t, used, f.used(t, id))
		}
	})
	t.Run("http", func(t *testing.T) {
		f := newFixture(t, fixtureOptions{doors: both, extension: limited(requests(limit.Ingest, 2))})
		id, secret := f.keyRecord(t, onDefaultPlan)
		for _, want := range []int{http.StatusBadRequest, http.StatusBadRequest, http.StatusTooManyRequests} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+f.httpAddress+"/v1/traces", strings.NewReader("{"))
			require.NoError(t, err)
			r.Header.Set("Content-Type", contentTypeJSON)
			r.Header.Set("Authorization", "Bearer "+secret)
			resp, err := http.DefaultClient.Do(r)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, want, resp.StatusCode)
		}
		assert.EqualValues(t, 2, f.used(t, id))
	})
}

// gated is the end of a pipeline where requests wait.
type gated struct {
	arrived chan struct{}
	open    chan struct{}
}

func newGated() *gated { return &gated{arrived: make(chan struct{}, 100), open: make(chan struct{})} }

func (*gated) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (g *gated) ConsumeTraces(context.Context, ptrace.Traces) error {
	g.arrived <- struct{}{}
	<-g.open
	return nil
}

func TestConcurrencyIsBoundedAndFreedAtEveryDoor(t *testing.T) {
	eachDoor(t, func(t *testing.T, d doors, s sender) {
		end := newGated()
		f := newFixture(t, fixtureOptions{doors: d, end: end, extension: limited(limit.Plan{Concurrency: 2})})
		key := bearer(f.key(t, onDefaultPlan))
		var sent sync.WaitGroup
		for range 2 {
			sent.Go(func() { assert.Equal(t, codes.OK, s.send(t, f, telemetryOf(identity.Traces), key).code) })
			<-end.arrived
		}
		a := s.send(t, f, telemetryOf(identity.Logs), key)
		assert.Equal(t, codes.ResourceExhausted, a.code)
		assert.Equal(t, string(identity.ConcurrencyExceeded), a.reason)
		assert.Equal(t, time.Second, a.retry)
		close(end.open)
		sent.Wait()
		for range 20 { // one after the other never are two at once
			require.Equal(t, codes.OK, s.send(t, f, telemetryOf(identity.Logs), key).code)
		}
	})
}

func TestARequestWhoseClientHasGoneKeepsItsSlotUntilItsHandlerEnds(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		t.Run(d.String(), func(t *testing.T) {
			end := newGated()
			f := newFixture(t, fixtureOptions{doors: d, end: end, extension: limited(limit.Plan{Concurrency: 1})})
			id, secret := f.keyRecord(t, onDefaultPlan)
			ctx, leave := context.WithCancel(metadata.NewOutgoingContext(t.Context(), metadata.New(bearer(secret))))
			gone, body := make(chan error), tracesRequest(t)
			go func() {
				gone <- f.grpc.Invoke(ctx, exportTraces, body, new(rawAnswer), grpc.ForceCodec(rawCodec{}))
			}()
			<-end.arrived
			leave()
			require.Equal(t, codes.Canceled, status.Code(<-gone))
			for range 3 {
				assert.Equal(t, string(identity.ConcurrencyExceeded), sendGRPC(t, f, telemetryOf(identity.Logs), bearer(secret)).reason)
			}
			close(end.open)
			require.Eventually(t, func() bool { return f.underWay(t, id) == 0 }, time.Minute, time.Millisecond)
			assert.Equal(t, codes.OK, sendGRPC(t, f, telemetryOf(identity.Logs), bearer(secret)).code)
		})
	}
}

func (f *fixture) underWay(t *testing.T, id string) int {
	t.Helper()
	l := f.extension.limits
	return l.counter.StateAtHand(l.clock(), id, f.extension.plans.Policy("", nil), nil).UnderWay
}

type rawAnswer []byte

// rawCodec sends what is encoded already.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error) { return v.([]byte), nil }
func (rawCodec) Unmarshal(data []byte, v any) error {
	*v.(*rawAnswer) = append([]byte(nil), data...)
	return nil
}
func (rawCodec) Name() string { return "proto" }

func tracesRequest(t *testing.T) []byte {
	t.Helper()
	_, m := requestOf(telemetryOf(identity.Traces))
	body, err := m.MarshalProto()
	require.NoError(t, err)
	return body
}

func TestRequestsThatNeverReachTheirHandlerGiveTheirSlotBack(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		t.Run(d.String(), func(t *testing.T) {
			f := newFixture(t, fixtureOptions{doors: d, extension: limited(limit.Plan{Concurrency: 1})})
			id, secret := f.keyRecord(t, onDefaultPlan)
			f.resolve(t, secret)
			ctx := metadata.NewOutgoingContext(t.Context(), metadata.New(bearer(secret)))
			for range 10 {
				err := f.grpc.Invoke(ctx, exportTraces, &struct{}{}, &struct{}{}, grpc.ForceCodec(garbage{}))
				assert.Error(t, err)
				require.Eventually(t, func() bool { return f.underWay(t, id) == 0 }, time.Minute, time.Millisecond)
			}
		})
	}
}

// panicking is a pipeline with a defect.
type panicking struct{}

func (panicking) Capabilities() consumer.Capabilities                { return consumer.Capabilities{} }
func (panicking) ConsumeTraces(context.Context, ptrace.Traces) error { panic(http.ErrAbortHandler) }

func TestAPanicInTheHandlerFreesTheSlotAndCostsNothing(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		for _, noProcessor := range []bool{false, true} {
			t.Run(fmt.Sprint(d, noProcessor), func(t *testing.T) {
				if d == authOnly && noProcessor {
					t.Skip("nobody is there to see it")
				}
				plan := requests(limit.Ingest, 2)
				plan.Concurrency = 1
				f := newFixture(t, fixtureOptions{doors: d, end: panicking{}, noProcessor: noProcessor, extension: limited(plan)})
				id, secret := f.keyRecord(t, onDefaultPlan)
				for range 3 {
					r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+f.httpAddress+"/v1/traces", strings.NewReader(string(tracesRequest(t))))
					require.NoError(t, err)
					r.Header.Set("Content-Type", contentTypeProtobuf)
					r.Header.Set("Authorization", "Bearer "+secret)
					_, err = http.DefaultClient.Do(r) //nolint:bodyclose // there is none
					require.Error(t, err)
					require.Eventually(t, func() bool { return f.underWay(t, id) == 0 && f.used(t, id) == 0 }, time.Minute, time.Millisecond)
				}
			})
		}
	}
}

func TestARequestThatFeedsSeveralPipelinesIsChargedOnce(t *testing.T) {
	eachDoor(t, func(t *testing.T, d doors, s sender) {
		plan := requests(limit.Ingest, 10)
		plan.Limits = append(plan.Limits, perMinute(limit.Traces, limit.Items, 10).Limits...)
		f := newFixture(t, fixtureOptions{doors: d, pipelines: 3, extension: limited(plan)})
		id, secret := f.keyRecord(t, onDefaultPlan)
		for range 2 {
			require.Equal(t, codes.OK, s.send(t, f, manyOf(identity.Traces, 5), bearer(secret)).code)
		}
		assert.Equal(t, 3*2*5, f.received())
		assert.EqualValues(t, 2, f.used(t, id))
		assertOverLimit(t, s.send(t, f, manyOf(identity.Traces, 1), bearer(secret)))
		assert.Equal(t, 3*2*5, f.received(), "one refuses, all refuse")
	})
}

func TestOverLimitStatusOfHTTPIsConfigurable(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		for _, s := range senders {
			for name, plan := range map[string]limit.Plan{"door": requests(limit.Ingest, 1), "processor": perMinute(limit.Ingest, limit.Items, 1)} {
				t.Run(d.String()+"/"+s.name+"/"+name, func(t *testing.T) {
					f := newFixture(t, fixtureOptions{doors: d, extension: func(c *Config) {
						limited(plan)(c)
						c.Limits.OverLimitStatus = http.StatusServiceUnavailable
					}})
					key := bearer(f.key(t, onDefaultPlan))
					assert.Equal(t, codes.OK, s.send(t, f, telemetryOf(identity.Traces), key).code)
					a := s.send(t, f, telemetryOf(identity.Traces), key)
					if a.http == 0 {
						assertOverLimit(t, a)
						return
					}
					assert.Equal(t, http.StatusServiceUnavailable, a.http)
					assert.Equal(t, string(identity.RateLimited), a.reason)
					assert.NotEmpty(t, a.header.Get("Retry-After"))
				})
			}
		}
	}
}

func TestAnswersSayHowMuchIsLeft(t *testing.T) {
	for _, d := range []doors{both, middlewaresOnly, authOnly} {
		for _, s := range senders {
			t.Run(d.String()+"/"+s.name, func(t *testing.T) {
				if d == authOnly && s.name != "grpc" {
					t.Skip("an authenticator cannot set headers over HTTP")
				}
				plan := requests(limit.Ingest, 3)
				plan.Limits = append(plan.Limits, perMinute(limit.Logs, limit.Items, 1000).Limits...)
				f := newFixture(t, fixtureOptions{doors: d, extension: limited(plan)})
				key := bearer(f.key(t, onDefaultPlan))
				for _, left := range []string{"2", "1", "0", "0"} {
					a := s.send(t, f, telemetryOf(identity.Traces), key)
					assert.Equal(t, "3", a.header.Get("X-RateLimit-Limit"))
					assert.Equal(t, left, a.header.Get("X-RateLimit-Remaining"))
					reset, err := strconv.ParseInt(a.header.Get("X-RateLimit-Reset"), 10, 64)
					require.NoError(t, err)
					assert.InDelta(t, time.Now().Unix()+61, reset, 3)
					assert.Equal(t, `"ingest-requests-1m";q=3;w=60`, a.header.Get("RateLimit-Policy"))
					assert.Regexp(t, `^"ingest-requests-1m";r=`+left+`;t=(59|60|61)$`, a.header.Get("RateLimit"))
				}
				a := s.send(t, f, telemetryOf(identity.Logs), key)
				assertOverLimit(t, a)
				assert.Equal(t, `"ingest-requests-1m";q=3;w=60, "logs-items-1m";q=1000;qu="items";w=60`, a.header.Get("RateLimit-Policy"))
				a = s.send(t, f, telemetryOf(identity.Logs), bearer(f.key(t)))
				for _, name := range []string{"X-RateLimit-Limit", "RateLimit-Policy", "RateLimit"} {
					assert.Empty(t, a.header.Get(name), "of a key without limits")
				}
			})
		}
	}
}

func TestAnswersAreTrueOfWhatThePipelineGaveBack(t *testing.T) {
	for _, s := range senders {
		f := newFixture(t, fixtureOptions{doors: both, end: failing{}, extension: limited(requests(limit.Ingest, 3))})
		a := s.send(t, f, telemetryOf(identity.Traces), bearer(f.key(t, onDefaultPlan)))
		assert.Equal(t, codes.Unavailable, a.code)
		assert.Equal(t, "3", a.header.Get("X-RateLimit-Remaining"), s.name)
	}
}

func TestAFloodOverALimitIsRefusedBeforeItIsDecoded(t *testing.T) {
	f := newFixture(t, fixtureOptions{doors: both, extension: limited(requests(limit.Ingest, 1))})
	secret := f.key(t, onDefaultPlan)
	f.resolve(t, secret)
	require.Equal(t, codes.OK, sendGRPC(t, f, telemetryOf(identity.Traces), bearer(secret)).code)
	full, early := 0, 0
	for range 4 * fullRefusals {
		a := sendGRPC(t, f, telemetryOf(identity.Traces), bearer(secret))
		assertOverLimit(t, a)
		assert.Equal(t, "0", a.numbers["x-ratelimit-remaining"])
		assert.Equal(t, "1", a.numbers["x-ratelimit-limit"])
		if a.header.Get("X-RateLimit-Limit") == "" {
			early++
		} else {
			full++
		}
	}
	assert.Positive(t, full, "header metadata for who exceeds a limit now and then")
	ctx := metadata.NewOutgoingContext(t.Context(), metadata.New(bearer(secret)))
	undecodable := 0
	for range 4 * fullRefusals {
		err := f.grpc.Invoke(ctx, exportTraces, &struct{}{}, &struct{}{}, grpc.ForceCodec(garbage{}))
		if status.Code(err) == codes.ResourceExhausted { // it would be Internal
			undecodable++
		}
	}
	assert.Positive(t, early+undecodable)
	assert.Positive(t, undecodable)
}

// late is the end of a pipeline that has passed telemetry on when its sender
// gives up, and reports that.
type late struct{ arrived chan struct{} }

func (late) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (l late) ConsumeTraces(ctx context.Context, _ ptrace.Traces) error {
	l.arrived <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

func TestGivingUpIsNoWayAroundLimits(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		for _, noProcessor := range []bool{false, true} {
			t.Run(fmt.Sprint(d, noProcessor), func(t *testing.T) {
				end := late{make(chan struct{})}
				f := newFixture(t, fixtureOptions{doors: d, end: end, noProcessor: noProcessor, extension: limited(requests(limit.Ingest, 2))})
				id, secret := f.keyRecord(t, onDefaultPlan)
				f.resolve(t, secret)
				body := tracesRequest(t)
				for used := range int64(2) {
					ctx, giveUp := context.WithCancel(metadata.NewOutgoingContext(t.Context(), metadata.New(bearer(secret))))
					gone := make(chan error)
					go func() { gone <- f.grpc.Invoke(ctx, exportTraces, body, new(rawAnswer), grpc.ForceCodec(rawCodec{})) }()
					<-end.arrived
					giveUp()
					require.Equal(t, codes.Canceled, status.Code(<-gone))
					assert.Equal(t, used+1, f.used(t, id))
				}
				assertOverLimit(t, sendGRPC(t, f, telemetryOf(identity.Traces), bearer(secret)))
			})
		}
	}
}

// foreign is an authenticator that puts its own data in the place of ours.
func foreign(ctx context.Context) context.Context {
	return client.NewContext(ctx, client.Info{Auth: nil})
}

func TestAnotherExtensionsAuthDoesNotHideTheTapsAdmission(t *testing.T) {
	plan := requests(limit.Ingest, 10)
	plan.Concurrency = 1
	f := newFixture(t, fixtureOptions{doors: neither, extension: limited(plan)})
	id, secret := f.keyRecord(t, onDefaultPlan)
	f.resolve(t, secret)
	ctx, end := context.WithCancel(metadata.NewIncomingContext(t.Context(), metadata.Pairs("x-api-key", secret)))
	defer end()
	tapped, err := f.extension.tap(ctx, &tap.Info{FullMethodName: exportTraces, Header: metadata.Pairs("x-api-key", secret)})
	require.NoError(t, err)
	require.EqualValues(t, 1, f.used(t, id))
	_, err = f.extension.interceptUnary(foreign(tapped), nil, &grpc.UnaryServerInfo{FullMethod: exportTraces},
		func(ctx context.Context, _ any) (any, error) {
			assert.NotNil(t, admissionFrom(ctx, f.extension.gate))
			return nil, nil
		})
	require.NoError(t, err)
	assert.EqualValues(t, 1, f.used(t, id))
	assert.Zero(t, f.underWay(t, id))
}

// A timer of grpc-go outlives what the tap handle refuses.
func TestNoRequestWithALongDeadlineIsRefusedEarly(t *testing.T) {
	f := newFixture(t, fixtureOptions{doors: both, extension: limited(requests(limit.Ingest, 1))})
	over := f.key(t, onDefaultPlan)
	f.resolve(t, over)
	require.Equal(t, codes.OK, sendGRPC(t, f, telemetryOf(identity.Traces), bearer(over)).code)
	for range fullRefusals { // use the courtesy up
		f.extension.courtesy.take(time.Now())
	}
	for name, header := range map[string]metadata.MD{"no key": nil, "over the limit": metadata.Pairs("x-api-key", over)} {
		for deadline, early := range map[time.Duration]bool{time.Second: true, 24 * time.Hour: false} {
			ctx, end := context.WithTimeout(t.Context(), deadline)
			f.extension.courtesy.given.Store(fullRefusals)
			_, err := f.extension.tap(ctx, &tap.Info{FullMethodName: exportTraces, Header: header})
			end()
			assert.Equal(t, early, err != nil, "%s, deadline in %s", name, deadline)
		}
		out := metadata.NewOutgoingContext(t.Context(), header)
		ctx, end := context.WithTimeout(out, 24*time.Hour)
		err := f.grpc.Invoke(ctx, exportTraces, tracesRequest(t), new(rawAnswer), grpc.ForceCodec(rawCodec{}))
		end()
		assert.Error(t, err, name)
	}
}

func TestAloneAndWithoutProcessorSequentialSendersAreNotRefused(t *testing.T) {
	f := newFixture(t, fixtureOptions{doors: authOnly, noProcessor: true, extension: limited(limit.Plan{Concurrency: 1})})
	key := bearer(f.key(t, onDefaultPlan))
	for range 500 {
		require.Equal(t, http.StatusOK, sendHTTP(t, f, contentTypeProtobuf, telemetryOf(identity.Traces), key).http)
	}
}

func TestTheFirstRequestOfAServerIsAnsweredTrulyOverALimit(t *testing.T) {
	f := newFixture(t, fixtureOptions{doors: both, noProcessor: true, extension: limited(requests(limit.Ingest, 1))})
	secret := f.key(t, onDefaultPlan)
	require.Equal(t, codes.OK, sendGRPC(t, f, telemetryOf(identity.Traces), bearer(secret)).code)
	for range 3 {
		assertOverLimit(t, sendHTTP(t, f, contentTypeProtobuf, telemetryOf(identity.Traces), bearer(secret)))
	}
	assert.Equal(t, 1, f.received())
}

func TestAnotherRequestAtTheNextDoorIsNoDecision(t *testing.T) {
	f := newFixture(t, fixtureOptions{doors: both, extension: limited(requests(limit.Ingest, 10))})
	secret := f.key(t, onDefaultPlan)
	f.resolve(t, secret)
	require.Equal(t, codes.OK, sendGRPC(t, f, telemetryOf(identity.Traces), bearer(secret)).code)
	metadatatest.AssertEqualApikeyauthLimitDecisions(t, f.telemetry, []metricdata.DataPoint[int64]{
		{Attributes: attribute.NewSet(attribute.String("verdict", "admitted")), Value: 2}, // door and processor
	}, metricdatatest.IgnoreTimestamp())
}

func TestEachMessageOfAStreamIsARequest(t *testing.T) {
	f := newFixture(t, fixtureOptions{doors: both, extension: limited(limit.Plan{Limits: requests(limit.Ingest, 3).Limits, Concurrency: 1})})
	id, secret := f.keyRecord(t, onDefaultPlan)
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("x-api-key", secret))
	serve := func(messages int) error {
		return f.extension.interceptStream(nil, endless{stream{ctx: ctx}}, &grpc.StreamServerInfo{FullMethod: "/a.b/C"},
			func(_ any, s grpc.ServerStream) error {
				assert.Equal(t, 1, f.underWay(t, id))
				for range messages {
					if err := s.RecvMsg(nil); err != nil {
						return err
					}
				}
				return nil
			})
	}
	require.NoError(t, serve(2))
	assert.EqualValues(t, 2, f.used(t, id))
	var refusal *identity.Refusal
	require.ErrorAs(t, serve(2), &refusal)
	assert.Equal(t, identity.RateLimited, refusal.Reason)
	assert.EqualValues(t, 3, f.used(t, id), "what a stream has sent before its end stays spent")
	assert.Zero(t, f.underWay(t, id))
}

type endless struct{ stream }

func (endless) RecvMsg(any) error { return nil }

func TestCountsThatCannotBeReadAreNotForgiven(t *testing.T) {
	plan := limit.Plan{Limits: []limit.Limit{{On: limit.Ingest, Unit: limit.Requests, Max: 3, Window: limit.LongWindow}}}
	for _, s := range senders {
		f := newFixture(t, fixtureOptions{doors: both, extension: limited(plan)})
		secret := f.key(t, onDefaultPlan)
		f.resolve(t, secret)
		broken := limit.NewMemory(limit.MemoryOptions{Keeper: brokenKeeper{}})
		f.extension.limits.counter, f.extension.gate = broken, nil
		f.extension.gate = f.extension.newGate(f.extension.headers)
		a := s.send(t, f, telemetryOf(identity.Traces), bearer(secret))
		assert.Equal(t, codes.Unavailable, a.code)
		assert.Equal(t, string(identity.LimitsUnavailable), a.reason)
		assert.Equal(t, 5*time.Second, a.retry)
		assert.Zero(t, f.received())
	}
}

type brokenKeeper struct{}

func (brokenKeeper) Counts(context.Context, string) ([]byte, error) { return nil, errors.New("broken") }

func (brokenKeeper) KeepCounts(context.Context, []limit.Counts) error {
	return errors.New("broken")
}
