// Sends one span with one of the JavaScript exporters and prints what became of
// it, as JSON. Where to and with which headers is told by the environment alone,
// OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_HEADERS, as for any SDK.
//
// Usage: node export.mjs grpc|proto|http [gzip|none]
import { BasicTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';

const [transport, compression = 'none'] = process.argv.slice(2);
const { OTLPTraceExporter } = await import(`@opentelemetry/exporter-trace-otlp-${transport}`);
const exporter = new OTLPTraceExporter({ compression });

let outcome = { code: null };
const observed = {
  export(spans, done) {
    exporter.export(spans, (result) => {
      outcome = { code: result.code, error: result.error?.message, status: result.error?.code };
      done({ code: 0 });
    });
  },
  forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  shutdown: () => exporter.shutdown(),
};

const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(observed)] });
provider.getTracer('e2e').startSpan('from JavaScript').end();
await provider.forceFlush();
await provider.shutdown();
console.log(JSON.stringify(outcome));
