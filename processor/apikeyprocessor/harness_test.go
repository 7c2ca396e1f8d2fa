package apikeyprocessor

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/xconsumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/collector/processor/xprocessor"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/processor/apikeyprocessor/internal/metadata"
	"github.com/otlpgate/otlpgate/processor/apikeyprocessor/internal/metadatatest"
)

// fakeGate is an apikeyauth extension that lets nobody in by itself.
type fakeGate struct {
	component.StartFunc
	component.ShutdownFunc
	processors int
}

func (g *fakeGate) Issued(a *identity.Admission) bool { return a.IssuedBy(g) }
func (g *fakeGate) RegisterProcessor()                { g.processors++ }

type fakeHost map[component.ID]component.Component

func (h fakeHost) GetExtensions() map[component.ID]component.Component { return h }

// harness runs a processor of every signal behind one gate.
type harness struct {
	gate      *fakeGate
	telemetry *componenttest.Telemetry
	traces    consumer.Traces
	metrics   consumer.Metrics
	logs      consumer.Logs
	profiles  xconsumer.Profiles
	received  []any
}

func newHarness(tb testing.TB, configure ...func(*Config)) *harness {
	tb.Helper()
	h := &harness{gate: &fakeGate{}, telemetry: componenttest.NewTelemetry()}
	tb.Cleanup(func() { require.NoError(tb, h.telemetry.Shutdown(context.Background())) })
	factory, set := NewFactory().(xprocessor.Factory), metadatatest.NewSettings(h.telemetry)
	cfg := factory.CreateDefaultConfig().(*Config)
	for _, c := range configure {
		c(cfg)
	}
	require.NoError(tb, cfg.Validate())

	ctx := context.Background()
	traces, err := factory.CreateTraces(ctx, set, cfg, sink(h, consumer.NewTraces))
	require.NoError(tb, err)
	metrics, err := factory.CreateMetrics(ctx, set, cfg, sink(h, consumer.NewMetrics))
	require.NoError(tb, err)
	logs, err := factory.CreateLogs(ctx, set, cfg, sink(h, consumer.NewLogs))
	require.NoError(tb, err)
	profiles, err := factory.CreateProfiles(ctx, set, cfg, sink(h, xconsumer.NewProfiles))
	require.NoError(tb, err)
	h.traces, h.metrics, h.logs, h.profiles = traces, metrics, logs, profiles
	host := fakeHost{component.MustNewID("apikeyauth"): h.gate}
	for _, c := range []component.Component{traces, metrics, logs, profiles} {
		require.NoError(tb, c.Start(ctx, host))
		tb.Cleanup(func() { require.NoError(tb, c.Shutdown(ctx)) })
	}
	return h
}

// sink is the next consumer: it keeps what it gets.
func sink[F ~func(context.Context, T) error, T, C any](h *harness, create func(F, ...consumer.Option) (C, error)) C {
	next, err := create(func(_ context.Context, data T) error {
		h.received = append(h.received, data)
		return nil
	})
	if err != nil {
		panic(err)
	}
	return next
}

// consume hands data to the processor of its signal.
func (h *harness) consume(ctx context.Context, data any) error {
	switch data := data.(type) {
	case ptrace.Traces:
		return h.traces.ConsumeTraces(ctx, data)
	case pmetric.Metrics:
		return h.metrics.ConsumeMetrics(ctx, data)
	case plog.Logs:
		return h.logs.ConsumeLogs(ctx, data)
	default:
		return h.profiles.ConsumeProfiles(ctx, data.(pprofile.Profiles))
	}
}

// send sends data with a key, and returns what comes out.
func (h *harness) send(tb testing.TB, id *identity.Identity, data any) any {
	tb.Helper()
	h.received = nil
	require.NoError(tb, h.consume(h.admit(id).in(tb), data))
	require.Len(tb, h.received, 1)
	return h.received[0]
}

// sendRefused sends data with a key, and returns why nothing comes out.
func (h *harness) sendRefused(tb testing.TB, id *identity.Identity, data any) *identity.Refusal {
	tb.Helper()
	h.received = nil
	admitted := h.admit(id)
	err := h.consume(admitted.in(tb), data)
	var refusal *identity.Refusal
	require.ErrorAs(tb, err, &refusal)
	require.Empty(tb, h.received)
	require.Same(tb, refusal, admitted.Refused(), "the door must be able to answer")
	return refusal
}

// startedBehind returns a bare processor, without helpers and sinks around it.
func startedBehind(tb testing.TB, gate *fakeGate, configure ...func(*Config)) *apiKeyProcessor {
	tb.Helper()
	cfg := createDefaultConfig().(*Config)
	for _, c := range configure {
		c(cfg)
	}
	require.NoError(tb, cfg.Validate())
	p, err := newProcessor(processortest.NewNopSettings(metadata.Type), cfg)
	require.NoError(tb, err)
	require.NoError(tb, p.start(tb.Context(), fakeHost{component.MustNewID("apikeyauth"): gate}))
	tb.Cleanup(func() { require.NoError(tb, p.shutdown(context.Background())) })
	return p
}

// process changes data in place.
func process(ctx context.Context, p *apiKeyProcessor, data any) error {
	var err error
	switch data := data.(type) {
	case ptrace.Traces:
		_, err = p.processTraces(ctx, data)
	case pmetric.Metrics:
		_, err = p.processMetrics(ctx, data)
	case plog.Logs:
		_, err = p.processLogs(ctx, data)
	case pprofile.Profiles:
		_, err = p.processProfiles(ctx, data)
	}
	return err
}

type admitted struct{ *identity.Admission }

func (h *harness) admit(id *identity.Identity) admitted {
	return admitted{identity.NewAdmission(id, h.gate)}
}

// in returns the context of the admitted request.
func (a admitted) in(tb testing.TB) context.Context {
	tb.Helper()
	return client.NewContext(tb.Context(), client.Info{Auth: a.Admission})
}

// aKey is a user's key that may send everything.
func aKey(change ...func(*identity.Identity)) *identity.Identity {
	id := &identity.Identity{
		KeyID: "key_1", KeyName: "ingest", KeyType: identity.UserKey, Environment: identity.Live,
		OwnerID: "usr_1", Plan: "pro", Role: identity.Member, Scopes: identity.Member.Scopes(),
	}
	for _, c := range change {
		c(id)
	}
	return id
}

func ofProjects(projects ...string) func(*identity.Identity) {
	return func(id *identity.Identity) { id.Projects = projects }
}

func tagging(level TagLevel) func(*Config) { return func(c *Config) { c.Tag = level } }

// recordLevel is where each signal is tagged with tag: span.
var recordLevel = map[identity.Signal]string{
	identity.Traces: "span", identity.Metrics: "point", identity.Logs: "record", identity.Profiles: "profile",
}

// attr is an attribute of telemetry; its name may occur several times.
type attr struct {
	key   string
	value pcommon.Value
}

// raw returns attributes as a map of Go values, failing on repeated names.
func raw(tb testing.TB, attrs []attr) map[string]any {
	tb.Helper()
	m := map[string]any{}
	for _, a := range attrs {
		require.NotContains(tb, m, a.key)
		m[a.key] = a.value.AsRaw()
	}
	return m
}

// under returns the paths in attrs that lie in the namespace of one of the
// names, written anew so as not to repeat the mistakes of the code.
func under(attrs []attr, names ...string) []string {
	var found []string
	var visit func(path string, v pcommon.Value)
	visit = func(path string, v pcommon.Value) {
		for _, name := range names {
			if strings.HasPrefix(path+".", name+".") {
				found = append(found, path)
			}
		}
		if v.Type() == pcommon.ValueTypeMap {
			for key, nested := range v.Map().All() {
				visit(path+"."+key, nested)
			}
		}
	}
	for _, a := range attrs {
		visit(a.key, a.value)
	}
	return found
}

func signalOf(data any) identity.Signal {
	switch data.(type) {
	case ptrace.Traces:
		return identity.Traces
	case pmetric.Metrics:
		return identity.Metrics
	case plog.Logs:
		return identity.Logs
	default:
		return identity.Profiles
	}
}

func itemsOf(data any) int {
	switch data := data.(type) {
	case ptrace.Traces:
		return data.SpanCount()
	case pmetric.Metrics:
		return data.DataPointCount()
	case plog.Logs:
		return data.LogRecordCount()
	default:
		return data.(pprofile.Profiles).ProfileCount()
	}
}

func marshal(tb testing.TB, data any) []byte {
	tb.Helper()
	var b []byte
	var err error
	switch data := data.(type) {
	case ptrace.Traces:
		b, err = new(ptrace.ProtoMarshaler).MarshalTraces(data)
	case pmetric.Metrics:
		b, err = new(pmetric.ProtoMarshaler).MarshalMetrics(data)
	case plog.Logs:
		b, err = new(plog.ProtoMarshaler).MarshalLogs(data)
	case pprofile.Profiles: // marshaling rewrites what it is given
		c := pprofile.NewProfiles()
		data.CopyTo(c)
		b, err = new(pprofile.ProtoMarshaler).MarshalProfiles(c)
	}
	require.NoError(tb, err)
	return b
}

func unmarshal(signal identity.Signal, b []byte) (any, error) {
	switch signal {
	case identity.Traces:
		return new(ptrace.ProtoUnmarshaler).UnmarshalTraces(b)
	case identity.Metrics:
		return new(pmetric.ProtoUnmarshaler).UnmarshalMetrics(b)
	case identity.Logs:
		return new(plog.ProtoUnmarshaler).UnmarshalLogs(b)
	default:
		return new(pprofile.ProtoUnmarshaler).UnmarshalProfiles(b)
	}
}
