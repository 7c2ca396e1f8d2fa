package e2e

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/credential"
)

// sdkExporter is an exporter of the Go SDK, as applications use them. It retries
// quickly what it thinks worth it, so that a needless retry shows.
type sdkExporter struct {
	name   string
	signal signal
	// export sends one item for each project.
	export func(ctx context.Context, c *collector, h headers, gzip bool, projects ...string) error
}

const (
	firstRetry = 10 * time.Millisecond
	lastRetry  = 300 * time.Millisecond
)

var sdkExporters = []sdkExporter{
	{"otlptracegrpc", traces, exportTracesGRPC},
	{"otlptracehttp", traces, exportTracesHTTP},
	{"otlpmetricgrpc", metrics, exportMetricsGRPC},
	{"otlpmetrichttp", metrics, exportMetricsHTTP},
	{"otlploggrpc", logs, exportLogsGRPC},
	{"otlploghttp", logs, exportLogsHTTP},
}

func exportTracesGRPC(ctx context.Context, c *collector, h headers, gzip bool, projects ...string) error {
	o := []otlptracegrpc.Option{
		otlptracegrpc.WithEndpoint(c.grpcAddress), otlptracegrpc.WithInsecure(), otlptracegrpc.WithHeaders(h),
		otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{Enabled: true, InitialInterval: firstRetry, MaxInterval: firstRetry, MaxElapsedTime: lastRetry}),
	}
	if gzip {
		o = append(o, otlptracegrpc.WithCompressor("gzip"))
	}
	e, err := otlptracegrpc.New(ctx, o...)
	return exportSpans(ctx, e, err, projects)
}

func exportTracesHTTP(ctx context.Context, c *collector, h headers, gzip bool, projects ...string) error {
	o := []otlptracehttp.Option{
		otlptracehttp.WithEndpoint(c.httpAddress), otlptracehttp.WithInsecure(), otlptracehttp.WithHeaders(h),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: firstRetry, MaxInterval: firstRetry, MaxElapsedTime: lastRetry}),
	}
	if gzip {
		o = append(o, otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
	}
	e, err := otlptracehttp.New(ctx, o...)
	return exportSpans(ctx, e, err, projects)
}

func exportSpans(ctx context.Context, e *otlptrace.Exporter, err error, projects []string) error {
	if err != nil {
		return err
	}
	defer func() { _ = e.Shutdown(ctx) }()
	var stubs tracetest.SpanStubs
	for _, project := range orDefault(projects) {
		stubs = append(stubs, tracetest.SpanStub{Name: "work", Resource: resourceOf(project)})
	}
	return e.ExportSpans(ctx, stubs.Snapshots())
}

func resourceOf(project string) *resource.Resource {
	if project == "" {
		return resource.Empty()
	}
	return resource.NewSchemaless(attribute.String(projectAttribute, project))
}

func exportMetricsGRPC(ctx context.Context, c *collector, h headers, gzip bool, projects ...string) error {
	o := []otlpmetricgrpc.Option{
		otlpmetricgrpc.WithEndpoint(c.grpcAddress), otlpmetricgrpc.WithInsecure(), otlpmetricgrpc.WithHeaders(h),
		otlpmetricgrpc.WithRetry(otlpmetricgrpc.RetryConfig{Enabled: true, InitialInterval: firstRetry, MaxInterval: firstRetry, MaxElapsedTime: lastRetry}),
	}
	if gzip {
		o = append(o, otlpmetricgrpc.WithCompressor("gzip"))
	}
	e, err := otlpmetricgrpc.New(ctx, o...)
	if err != nil {
		return err
	}
	return exportMetrics(ctx, e, projects)
}

func exportMetricsHTTP(ctx context.Context, c *collector, h headers, gzip bool, projects ...string) error {
	o := []otlpmetrichttp.Option{
		otlpmetrichttp.WithEndpoint(c.httpAddress), otlpmetrichttp.WithInsecure(), otlpmetrichttp.WithHeaders(h),
		otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{Enabled: true, InitialInterval: firstRetry, MaxInterval: firstRetry, MaxElapsedTime: lastRetry}),
	}
	if gzip {
		o = append(o, otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression))
	}
	e, err := otlpmetrichttp.New(ctx, o...)
	if err != nil {
		return err
	}
	return exportMetrics(ctx, e, projects)
}

// exportMetrics sends a request for each project: an SDK has one resource.
func exportMetrics(ctx context.Context, e metric.Exporter, projects []string) error {
	defer func() { _ = e.Shutdown(ctx) }()
	for _, project := range orDefault(projects) {
		points := metricdata.Gauge[int64]{DataPoints: []metricdata.DataPoint[int64]{{Value: 1}}}
		err := e.Export(ctx, &metricdata.ResourceMetrics{
			Resource:     resourceOf(project),
			ScopeMetrics: []metricdata.ScopeMetrics{{Metrics: []metricdata.Metrics{{Name: "work", Data: points}}}},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func exportLogsGRPC(ctx context.Context, c *collector, h headers, gzip bool, projects ...string) error {
	o := []otlploggrpc.Option{
		otlploggrpc.WithEndpoint(c.grpcAddress), otlploggrpc.WithInsecure(), otlploggrpc.WithHeaders(h),
		otlploggrpc.WithRetry(otlploggrpc.RetryConfig{Enabled: true, InitialInterval: firstRetry, MaxInterval: firstRetry, MaxElapsedTime: lastRetry}),
	}
	if gzip {
		o = append(o, otlploggrpc.WithCompressor("gzip"))
	}
	e, err := otlploggrpc.New(ctx, o...)
	if err != nil {
		return err
	}
	return exportLogs(ctx, e, projects)
}

func exportLogsHTTP(ctx context.Context, c *collector, h headers, gzip bool, projects ...string) error {
	o := []otlploghttp.Option{
		otlploghttp.WithEndpoint(c.httpAddress), otlploghttp.WithInsecure(), otlploghttp.WithHeaders(h),
		otlploghttp.WithRetry(otlploghttp.RetryConfig{Enabled: true, InitialInterval: firstRetry, MaxInterval: firstRetry, MaxElapsedTime: lastRetry}),
	}
	if gzip {
		o = append(o, otlploghttp.WithCompression(otlploghttp.GzipCompression))
	}
	e, err := otlploghttp.New(ctx, o...)
	if err != nil {
		return err
	}
	return exportLogs(ctx, e, projects)
}

// failures notes what an exporter says, which a logger provider keeps from the
// application.
type failures struct {
	sdklog.Exporter
	err error
}

func (f *failures) Export(ctx context.Context, records []sdklog.Record) error {
	f.err = f.Exporter.Export(ctx, records)
	return nil
}

// exportLogs goes through a provider: nothing else makes records.
func exportLogs(ctx context.Context, e sdklog.Exporter, projects []string) error {
	defer func() { _ = e.Shutdown(ctx) }()
	for _, project := range orDefault(projects) {
		noted := &failures{Exporter: e}
		provider := sdklog.NewLoggerProvider(sdklog.WithResource(resourceOf(project)), sdklog.WithProcessor(sdklog.NewSimpleProcessor(noted)))
		var record log.Record
		record.SetBody(attribute.StringValue("work"))
		provider.Logger("e2e").Emit(ctx, record)
		if noted.err != nil {
			return noted.err
		}
	}
	return nil
}

func TestExportersOfTheGoSDKPassAndAreTagged(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	k := c.create(t)
	sent := 0
	for _, e := range sdkExporters {
		for _, gzip := range []bool{false, true} {
			require.NoError(t, e.export(t.Context(), c, k.bearer(), gzip), "%s, gzip %t", e.name, gzip)
			sent++
		}
	}
	assert.Equal(t, sent, c.sink.items())
	assert.Equal(t, sent, received(t, c.sink).count(k.id))
	assert.Equal(t, sent, c.requests(t))
}

func TestExportersOfTheGoSDKDoNotRetryRefusals(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	revoked := c.create(t)
	c.revoke(t, revoked.id)
	blind := c.create(t, scopes("traces:read"))
	for name, h := range map[string]headers{
		"no key":      nil,
		"malformed":   bearer(c.vault.keep("px_live_far-too-short")),
		"unknown":     bearer(c.vault.mint(credential.Live)),
		"revoked":     revoked.bearer(),
		"wrong scope": blind.bearer(),
	} {
		for _, e := range sdkExporters {
			for _, gzip := range []bool{false, true} {
				before := c.requests(t)
				err := e.export(t.Context(), c, h, gzip)
				require.Error(t, err, "%s with %s", e.name, name)
				c.vault.saw("an error of "+e.name, err.Error())
				assert.Equal(t, 1, c.requests(t)-before, "%s with %s: requests", e.name, name)
				assert.Regexp(t, "API key", err, "it repeats what the gate says")
			}
		}
	}
	assert.Zero(t, c.sink.items())
}

func TestExportersOfTheGoSDKLearnOfPartialSuccess(t *testing.T) {
	c := start(t, options{})
	k := c.create(t, projects("mine"))
	said := handleErrors(t)
	for _, e := range sdkExporters[:2] { // those that can send to two projects at once
		err := e.export(t.Context(), c, k.bearer(), false, "mine", "theirs")
		if err != nil {
			said.Handle(err)
		}
		assert.Regexp(t, `(?s)theirs.*1 spans rejected`, said.take(), e.name)
	}
	assert.Equal(t, 2, c.sink.traces.SpanCount())
}

// errorHandler is what an application registers with OpenTelemetry.
type errorHandler struct {
	mu   sync.Mutex
	text string
}

func handleErrors(t *testing.T) *errorHandler {
	t.Helper()
	h, before := &errorHandler{}, otel.GetErrorHandler()
	otel.SetErrorHandler(h)
	t.Cleanup(func() { otel.SetErrorHandler(before) })
	return h
}

func (h *errorHandler) Handle(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text += err.Error() + "\n"
}

func (h *errorHandler) take() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	text := h.text
	h.text = ""
	return text
}

func TestExportersOfTheGoSDKNeedTheScopeOfTheirSignal(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	for _, granted := range []signal{traces, metrics, logs} {
		k := c.create(t, scopes(client.Scope(granted.scope())))
		for _, e := range sdkExporters {
			err := e.export(t.Context(), c, k.bearer(), true)
			if e.signal.name == granted.name {
				assert.NoError(t, err, e.name)
				continue
			}
			assert.ErrorContains(t, err, e.signal.scope(), e.name)
		}
	}
}
