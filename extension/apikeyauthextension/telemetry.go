package apikeyauthextension

import (
	"cmp"
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/extension/apikeyauthextension/internal/metadata"
	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/alert"
	"github.com/otlpgate/otlpgate/internal/limit"
)

// telemetry records the extension's own metrics. The options of a hot path are
// made once, as slices: making them, or a variadic call, allocates.
type telemetry struct {
	builder  *metadata.TelemetryBuilder
	logger   *zap.Logger
	accepted map[access.Transport][]metric.AddOption
	positive []metric.AddOption
	negative []metric.AddOption
	lookup   metric.MeasurementOption
	counts   metric.MeasurementOption
	verdicts map[limit.Verdict][]metric.AddOption
	perKey   bool // metrics have the key's id too
}

func newTelemetry(b *metadata.TelemetryBuilder, logger *zap.Logger) *telemetry {
	return &telemetry{
		builder: b,
		logger:  logger,
		accepted: map[access.Transport][]metric.AddOption{
			access.GRPC: {requestAttributes(access.Accepted, "none", access.GRPC)},
			access.HTTP: {requestAttributes(access.Accepted, "none", access.HTTP)},
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

func requestAttributes(outcome access.Outcome, reason string, t access.Transport) metric.MeasurementOption {
	return attributes(attribute.String("outcome", string(outcome)), attribute.String("reason", reason), attribute.String("transport", string(t)))
}

// countRequest counts an ingest request when it has ended.
func (t *telemetry) countRequest(ctx context.Context, r *access.Request) {
	options := t.accepted[r.Transport]
	if r.Outcome != access.Accepted {
		options = []metric.AddOption{requestAttributes(r.Outcome, r.Reason, r.Transport)}
	}
	t.builder.ApikeyauthRequests.Add(ctx, max(r.Requests, 1), options...)
	if t.perKey && r.KeyID != "" {
		key := metric.WithAttributeSet(attribute.NewSet(attribute.String("key_id", r.KeyID), attribute.String("outcome", string(r.Outcome))))
		t.builder.ApikeyauthKeyRequests.Add(ctx, max(r.Requests, 1), key)
		if r.Outcome == access.Accepted {
			t.builder.ApikeyauthKeyItems.Add(ctx, r.Items, metric.WithAttributeSet(attribute.NewSet(attribute.String("key_id", r.KeyID))))
		}
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

// countCall counts a call of the admin API.
func (t *telemetry) countCall(ctx context.Context, r *access.Request) {
	reason := cmp.Or(r.Reason, "none")
	t.builder.ApikeyauthAPICalls.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(
		attribute.String("outcome", string(r.Outcome)), attribute.String("reason", reason))))
}

// countDelivery counts an attempt to tell somebody of alerts.
func (t *telemetry) countDelivery(receiver string, r alert.Result) {
	t.builder.ApikeyauthAlertDeliveries.Add(context.Background(), 1, metric.WithAttributeSet(attribute.NewSet(
		attribute.String("receiver", receiver), attribute.String("result", string(r)))))
}

// countFlush counts a flush of usage and access logs.
func (t *telemetry) countFlush(took time.Duration, err error) {
	ctx := context.Background()
	t.builder.ApikeyauthInsightFlushDuration.Record(ctx, took.Seconds())
	if err != nil {
		t.builder.ApikeyauthInsightFlushErrors.Add(ctx, 1)
	}
}

// watch reports what is there whenever metrics are collected.
func (t *telemetry) watch(e *gateExtension) error {
	return errors.Join(
		t.builder.RegisterApikeyauthLimitKeysCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(e.limits.counter.Len()))
			return nil
		}),
		t.builder.RegisterApikeyauthAccessLogDroppedLinesCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(e.books.Dropped())
			return nil
		}),
		t.builder.RegisterApikeyauthAlertsFiringCallback(func(_ context.Context, o metric.Int64Observer) error {
			for kind, n := range e.alerts.Firing() {
				o.Observe(int64(n), metric.WithAttributeSet(attribute.NewSet(attribute.String("kind", string(kind)))))
			}
			return nil
		}),
	)
}

func (t *telemetry) shutdown() { t.builder.Shutdown() }
