package apikeyauthextension

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/extension/apikeyauthextension/internal/metadata"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
)

type transport string

const (
	transportGRPC transport = "grpc"
	transportHTTP transport = "http"
)

// telemetry records the extension's own metrics. The options of a hot path are
// made once, as slices: making them, or a variadic call, allocates.
type telemetry struct {
	builder  *metadata.TelemetryBuilder
	logger   *zap.Logger
	accepted map[transport][]metric.AddOption
	positive []metric.AddOption
	negative []metric.AddOption
	lookup   metric.MeasurementOption
	counts   metric.MeasurementOption
	verdicts map[limit.Verdict][]metric.AddOption
}

func newTelemetry(b *metadata.TelemetryBuilder, logger *zap.Logger) *telemetry {
	return &telemetry{
		builder: b,
		logger:  logger,
		accepted: map[transport][]metric.AddOption{
			transportGRPC: {requestAttributes("accepted", "none", transportGRPC)},
			transportHTTP: {requestAttributes("accepted", "none", transportHTTP)},
		},
		positive: []metric.AddOption{attributes(attribute.String("cache", "positive"))},
		negative: []metric.AddOption{attributes(attribute.String("cache", "negative"))},
		lookup:   attributes(attribute.String("operation", "lookup")),
		counts:   attributes(attribute.String("operation", "counts")),
		verdicts: map[limit.Verdict][]metric.AddOption{
			limit.Admitted:  {attributes(attribute.String("verdict", "admitted"))},
			limit.OverLimit: {attributes(attribute.String("verdict", "over_limit"))},
			limit.TooLarge:  {attributes(attribute.String("verdict", "too_large"))},
		},
	}
}

func attributes(kvs ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(kvs...))
}

func requestAttributes(outcome, reason string, t transport) metric.MeasurementOption {
	return attributes(attribute.String("outcome", outcome), attribute.String("reason", reason), attribute.String("transport", string(t)))
}

// countAcceptance counts a request that a door lets in, once.
func (e *gateExtension) countAcceptance(ctx context.Context, a *identity.Admission, t transport) {
	if a.Settle() {
		e.telemetry.builder.ApikeyauthRequests.Add(ctx, 1, e.telemetry.accepted[t]...)
	}
}

// countRefusal counts a request that a door refuses, once. The admission is
// nil where no key was recognized.
func (e *gateExtension) countRefusal(ctx context.Context, a *identity.Admission, r *identity.Refusal, t transport) {
	if a == nil || a.Settle() {
		e.telemetry.builder.ApikeyauthRequests.Add(ctx, 1, requestAttributes("refused", string(r.Reason), t))
	}
}

// CacheRead implements keyring.Observer.
func (t *telemetry) CacheRead(hit, negative bool) {
	ctx := context.Background()
	switch {
	case negative:
		t.builder.ApikeyauthCacheHits.Add(ctx, 1, t.negative...)
	case hit:
		t.builder.ApikeyauthCacheHits.Add(ctx, 1, t.positive...)
	default:
		t.builder.ApikeyauthCacheMisses.Add(ctx, 1)
	}
}

// StoreRead implements keyring.Observer.
func (t *telemetry) StoreRead(took time.Duration, err error) {
	ctx := context.Background()
	t.builder.ApikeyauthStoreDuration.Record(ctx, took.Seconds(), t.lookup)
	if err != nil {
		t.logger.Error("cannot check a key: callers are asked to retry", zap.Error(err))
		t.builder.ApikeyauthStoreErrors.Add(ctx, 1, t.lookup)
	}
}

// countDecision counts what a limiter decided. That it could not decide from
// memory is no decision.
func (t *telemetry) countDecision(v limit.Verdict) {
	if options, ok := t.verdicts[v]; ok {
		t.builder.ApikeyauthLimitDecisions.Add(context.Background(), 1, options...)
	}
}

// countFlushError counts that counts of limits could not be kept.
func (t *telemetry) countFlushError(ctx context.Context) {
	t.builder.ApikeyauthLimitFlushErrors.Add(ctx, 1)
}

// countPrepareError counts that the counts of a key could not be read.
func (t *telemetry) countPrepareError(ctx context.Context, err error) {
	t.logger.Error("cannot check the limits of a key: callers are asked to retry", zap.Error(err))
	t.builder.ApikeyauthStoreErrors.Add(ctx, 1, t.counts)
}

// watch reports how many keys are counted in memory.
func (t *telemetry) watch(l *limits) error {
	return t.builder.RegisterApikeyauthLimitKeysCallback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(int64(l.counter.Len()))
		return nil
	})
}

func (t *telemetry) shutdown() { t.builder.Shutdown() }
