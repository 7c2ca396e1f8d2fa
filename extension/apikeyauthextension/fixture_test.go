package apikeyauthextension

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/consumer/xconsumer"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/collector/processor/xprocessor"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/collector/receiver/xreceiver"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/keyring"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/processor/apikeyprocessor"
)

// doors are the lines of a receiver's configuration that name the extension.
type doors struct{ auth, middlewares bool }

var (
	both            = doors{auth: true, middlewares: true}
	authOnly        = doors{auth: true}
	middlewaresOnly = doors{middlewares: true}
	neither         = doors{}
)

func (d doors) String() string {
	return map[doors]string{both: "both", authOnly: "auth", middlewaresOnly: "middlewares", neither: "neither"}[d]
}

type fixtureOptions struct {
	doors       doors
	noProcessor bool
	extension   func(*Config)
	prepare     func(*gateExtension) // before it starts
	receiver    map[string]any       // added to each protocol
	processor   map[string]any
	end         consumer.Traces // in place of the sink
	host        host            // the other extensions
	pipelines   int             // of traces that the receiver feeds; 0 means one
}

// fixture is a collector in this process: the extension and a real OTLP
// receiver behind it that feeds sinks, through the processor unless told
// otherwise.
type fixture struct {
	extension *gateExtension
	telemetry *componenttest.Telemetry
	log       *observer.ObservedLogs
	keys      store.Store // as the admin API changes it

	traces   consumertest.TracesSink
	metrics  consumertest.MetricsSink
	logs     consumertest.LogsSink
	profiles consumertest.ProfilesSink

	grpcAddress, httpAddress string
	grpc                     *grpc.ClientConn
}

var extensionID = component.MustNewID("apikeyauth")

type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

func newFixture(t testing.TB, o fixtureOptions) *fixture {
	t.Helper()
	f := &fixture{telemetry: componenttest.NewTelemetry()}
	f.startExtension(t, o)
	f.startReceiver(t, o)
	return f
}

func (f *fixture) startExtension(t testing.TB, o fixtureOptions) {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.Storage.Directory = t.TempDir()
	cfg.Admin.NetAddr.Endpoint = "localhost:0"
	if o.extension != nil {
		o.extension(cfg)
	}
	set := extensiontest.NewNopSettings(NewFactory().Type())
	set.TelemetrySettings = f.telemetry.NewTelemetrySettings()
	core, log := observer.New(zap.ErrorLevel)
	set.Logger, f.log = zap.New(core), log
	created, err := NewFactory().Create(t.Context(), set, cfg)
	require.NoError(t, err)
	f.extension = created.(*gateExtension)
	if o.prepare != nil {
		o.prepare(f.extension)
	}
	require.NoError(t, created.Start(t.Context(), o.host))
	t.Cleanup(func() {
		require.NoError(t, created.Shutdown(context.Background()))
		require.NoError(t, f.telemetry.Shutdown(context.Background()))
	})
	f.keys = keyring.NewWriter(f.extension.store, f.extension.keyring)
}

func (f *fixture) startReceiver(t testing.TB, o fixtureOptions) {
	t.Helper()
	ctx, factory := t.Context(), otlpreceiver.NewFactory()
	cfg := factory.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(map[string]any{"protocols": map[string]any{
		"grpc": protocolConfig(o), "http": protocolConfig(o),
	}}).Unmarshal(cfg))
	set := receivertest.NewNopSettings(factory.Type())
	core, log := observer.New(zap.InfoLevel)
	set.Logger = zap.New(core)
	next := f.pipelines(t, o)

	var receivers [4]component.Component
	var err error
	receivers[0], err = factory.CreateTraces(ctx, set, cfg, next.traces)
	require.NoError(t, err)
	receivers[1], err = factory.CreateMetrics(ctx, set, cfg, next.metrics)
	require.NoError(t, err)
	receivers[2], err = factory.CreateLogs(ctx, set, cfg, next.logs)
	require.NoError(t, err)
	receivers[3], err = factory.(xreceiver.Factory).CreateProfiles(ctx, set, cfg, next.profiles)
	require.NoError(t, err)
	for _, r := range receivers {
		f.run(t, r)
	}
	f.grpcAddress, f.httpAddress = loggedAddress(t, log, "Starting GRPC server"), loggedAddress(t, log, "Starting HTTP server")
	f.grpc, err = grpc.NewClient(f.grpcAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.grpc.Close()) })
}

func (f *fixture) run(t testing.TB, c component.Component) {
	t.Helper()
	require.NoError(t, c.Start(t.Context(), host{extensionID: f.extension}))
	t.Cleanup(func() { require.NoError(t, c.Shutdown(context.Background())) })
}

// loggedAddress is where a server says that it listens. Its port is the kernel's
// choice: one chosen beforehand may be another process's by then.
func loggedAddress(t testing.TB, log *observer.ObservedLogs, message string) string {
	t.Helper()
	lines := log.FilterMessage(message).All()
	require.Len(t, lines, 1, message)
	return lines[0].ContextMap()["endpoint"].(string)
}

func protocolConfig(o fixtureOptions) map[string]any {
	p := map[string]any{"endpoint": "127.0.0.1:0"}
	if o.doors.auth {
		p["auth"] = map[string]any{"authenticator": extensionID.String()}
	}
	if o.doors.middlewares {
		p["middlewares"] = []any{map[string]any{"id": extensionID.String()}}
	}
	maps.Copy(p, o.receiver)
	return p
}

type pipelines struct {
	traces   consumer.Traces
	metrics  consumer.Metrics
	logs     consumer.Logs
	profiles xconsumer.Profiles
}

func (f *fixture) pipelines(t testing.TB, o fixtureOptions) pipelines {
	t.Helper()
	var end consumer.Traces = &f.traces
	if o.end != nil {
		end = o.end
	}
	if o.noProcessor {
		return pipelines{end, &f.metrics, &f.logs, &f.profiles}
	}
	ctx, factory := t.Context(), apikeyprocessor.NewFactory()
	cfg := factory.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(o.processor).Unmarshal(cfg))
	set := processortest.NewNopSettings(factory.Type())
	traces, err := f.fanOut(t, max(o.pipelines, 1), func() (processor.Traces, error) { return factory.CreateTraces(ctx, set, cfg, end) })
	require.NoError(t, err)
	metrics, err := factory.CreateMetrics(ctx, set, cfg, &f.metrics)
	require.NoError(t, err)
	logs, err := factory.CreateLogs(ctx, set, cfg, &f.logs)
	require.NoError(t, err)
	profiles, err := factory.(xprocessor.Factory).CreateProfiles(ctx, set, cfg, &f.profiles)
	require.NoError(t, err)
	for _, c := range []component.Component{metrics, logs, profiles} {
		f.run(t, c)
	}
	return pipelines{traces, metrics, logs, profiles}
}

// fanOut is what the collector puts before several pipelines of one receiver.
func (f *fixture) fanOut(t testing.TB, n int, create func() (processor.Traces, error)) (consumer.Traces, error) {
	t.Helper()
	var all []processor.Traces
	for range n {
		p, err := create()
		require.NoError(t, err)
		f.run(t, p)
		all = append(all, p)
	}
	return consumer.NewTraces(func(ctx context.Context, td ptrace.Traces) error {
		var errs []error
		for _, p := range all {
			clone := ptrace.NewTraces()
			td.CopyTo(clone)
			errs = append(errs, p.ConsumeTraces(ctx, clone))
		}
		return errors.Join(errs...)
	})
}

// key creates a key and returns its secret. By default it is a live system key
// that may send everything.
func (f *fixture) key(t testing.TB, edit ...func(*store.Key)) string {
	t.Helper()
	_, secret := f.keyRecord(t, edit...)
	return secret
}

func (f *fixture) keyRecord(t testing.TB, edit ...func(*store.Key)) (id, secret string) {
	t.Helper()
	minted := credential.Format{}.Mint(credential.Live)
	now := time.Now().UTC().Truncate(time.Microsecond)
	k := store.Key{
		ID: store.NewKeyID(), Name: "test key", Type: identity.SystemKey, Environment: identity.Live, Role: identity.AdminRole, Plan: "enterprise",
		Scopes:    []identity.Scope{identity.TracesWrite, identity.MetricsWrite, identity.LogsWrite, identity.ProfilesWrite},
		Secrets:   []store.Secret{{Digest: store.Digest(minted.Digest()), Hint: minted.Hint(), CreatedAt: now}},
		CreatedAt: now, UpdatedAt: now,
	}
	for _, e := range edit {
		e(&k)
	}
	_, err := f.keys.CreateKey(t.Context(), k, store.Audit{Time: now, Action: "key.create", Target: k.ID})
	require.NoError(t, err)
	return k.ID, minted.Reveal()
}

func (f *fixture) received() int {
	return f.traces.SpanCount() + f.metrics.DataPointCount() + f.logs.LogRecordCount() + profileCount(&f.profiles)
}

func profileCount(s *consumertest.ProfilesSink) int {
	n := 0
	for _, p := range s.AllProfiles() {
		n += p.ProfileCount()
	}
	return n
}
