package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// plainExporters are set up with nothing but where to send to.
var plainExporters = map[string]func(ctx context.Context, c *collector, h headers) (*otlptrace.Exporter, error){
	"otlptracegrpc": func(ctx context.Context, c *collector, h headers) (*otlptrace.Exporter, error) {
		return otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(c.grpcAddress), otlptracegrpc.WithInsecure(), otlptracegrpc.WithHeaders(h))
	},
	"otlptracehttp": func(ctx context.Context, c *collector, h headers) (*otlptrace.Exporter, error) {
		return otlptracehttp.New(ctx, otlptracehttp.WithEndpoint(c.httpAddress), otlptracehttp.WithInsecure(), otlptracehttp.WithHeaders(h))
	},
}

// An application sends batches one after the other, and these more at a time
// than its key may. Nothing that an SDK does by default may lose any of them.
func TestExportersOfTheGoSDKLoseNothingToBurstsOverALimit(t *testing.T) {
	t.Parallel()
	var exporting sync.WaitGroup
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		for name, open := range plainExporters {
			c := start(t, options{doors: d})
			k := c.create(t, limitedTo("5 requests in 2s on ingest"))
			e, err := open(t.Context(), c, k.bearer())
			require.NoError(t, err)
			exporting.Go(func() { exportBatches(t, c, e, d.name()+"/"+name) }) // they wait for most of the time
		}
	}
	exporting.Wait()
}

func exportBatches(t *testing.T, c *collector, e *otlptrace.Exporter, name string) {
	t.Helper()
	const batches = 10
	want, got := map[string]int{}, map[string]int{}
	for i := range batches {
		span := tracetest.SpanStub{Name: fmt.Sprintf("batch %d", i), Resource: resourceOf("")}
		want[span.Name] = 1
		assert.NoError(t, e.ExportSpans(t.Context(), tracetest.SpanStubs{span}.Snapshots()), "%s: %s", name, span.Name)
	}
	assert.NoError(t, e.Shutdown(t.Context()), name)
	for _, span := range c.sink.spans() {
		got[span.Name()]++
	}
	assert.Equal(t, want, got, "%s: each exactly once", name)
	assert.Positive(t, c.overLimit(t), "%s: some were over the limit", name)
}

// overLimit returns how often a limit stood in the way.
func (c *collector) overLimit(t *testing.T) float64 {
	t.Helper()
	const decisions = "otelcol_apikeyauth_limit_decisions"
	return c.scrape(t, decisions)[decisions+`{verdict="over_limit"}`]
}

// A collector that forwards to another retries, too.
func TestTheExporterOfACollectorLosesNothingToBurstsOverALimit(t *testing.T) {
	t.Parallel()
	const batches = 12
	behind := start(t, options{})
	k := behind.create(t, limitedTo("5 requests in 2s on ingest"))
	edge := start(t, options{vault: behind.vault, overlay: fmt.Sprintf(`
exporters:
  otlp_grpc: {endpoint: '%s', headers: {x-api-key: '%s'}, sending_queue: {enabled: true}, retry_on_failure: {enabled: true, initial_interval: 10ms}}
`, behind.grpcAddress, k.secret)})
	open := edge.create(t)
	for range batches {
		accepted(t, sendGRPC(t, edge, traces, traces.request(), open.bearer()))
	}
	require.Eventually(t, func() bool { return behind.sink.traces.SpanCount() >= batches }, patience, 100*time.Millisecond)
	assert.Equal(t, batches, behind.sink.traces.SpanCount())
	assert.Equal(t, batches, received(t, behind.sink).count(k.id))
	assert.Positive(t, behind.overLimit(t))
}
