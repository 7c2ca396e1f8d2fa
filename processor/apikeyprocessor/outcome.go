package apikeyprocessor

import (
	"context"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/xconsumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otlpgate/otlpgate/internal/identity"
)

// The consumers of this file stand between the processor and the next one. A
// request that fails from there on is given back what it was charged, and keeps
// its place among those under way until the next consumer has returned. One that
// its sender has given up is spent: it may have been delivered all the same, and
// giving up must not be a way around limits.

func watchTraces(next consumer.Traces) (consumer.Traces, error) {
	return consumer.NewTraces(func(ctx context.Context, td ptrace.Traces) error {
		return watch(ctx, func() error { return next.ConsumeTraces(ctx, td) })
	}, consumer.WithCapabilities(next.Capabilities()))
}

func watchMetrics(next consumer.Metrics) (consumer.Metrics, error) {
	return consumer.NewMetrics(func(ctx context.Context, md pmetric.Metrics) error {
		return watch(ctx, func() error { return next.ConsumeMetrics(ctx, md) })
	}, consumer.WithCapabilities(next.Capabilities()))
}

func watchLogs(next consumer.Logs) (consumer.Logs, error) {
	return consumer.NewLogs(func(ctx context.Context, ld plog.Logs) error {
		return watch(ctx, func() error { return next.ConsumeLogs(ctx, ld) })
	}, consumer.WithCapabilities(next.Capabilities()))
}

func watchProfiles(next xconsumer.Profiles) (xconsumer.Profiles, error) {
	return xconsumer.NewProfiles(func(ctx context.Context, pd pprofile.Profiles) error {
		return watch(ctx, func() error { return next.ConsumeProfiles(ctx, pd) })
	}, consumer.WithCapabilities(next.Capabilities()))
}

// watch passes a request on. The processor has seen its admission.
func watch(ctx context.Context, pass func() error) error {
	a, ok := client.FromContext(ctx).Auth.(*identity.Admission)
	if !ok {
		return pass()
	}
	if !a.Tab.Hold() { // its place was given to another when the client went away
		return context.Canceled
	}
	passed := false
	defer func() { // deferred for the sake of panics
		if !passed {
			a.Fail()
		}
		if !passed && ctx.Err() == nil {
			a.Tab.Fail()
		}
		a.Tab.Unhold()
	}()
	err := pass()
	passed = err == nil
	return err
}
