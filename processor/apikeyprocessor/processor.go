package apikeyprocessor

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/processor/apikeyprocessor/internal/metadata"
)

// apiKeyProcessor checks what the request's key may send and tags it. It is
// safe for concurrent use once started.
type apiKeyProcessor struct {
	config        *Config
	names         []attributeName
	reserved      reservedNames
	telemetry     *metadata.TelemetryBuilder
	authenticator authenticator
}

func newProcessor(set processor.Settings, cfg *Config) (*apiKeyProcessor, error) {
	builder, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("create metrics: %w", err)
	}
	names := cfg.Attributes.named()
	return &apiKeyProcessor{config: cfg, names: names, reserved: newReservedNames(names), telemetry: builder}, nil
}

func (p *apiKeyProcessor) start(_ context.Context, host component.Host) error {
	a, err := findAuthenticator(host.GetExtensions(), p.config.Authenticator)
	if err != nil {
		return err
	}
	a.RegisterProcessor()
	p.authenticator = a
	return nil
}

func (p *apiKeyProcessor) shutdown(context.Context) error {
	p.telemetry.Shutdown()
	return nil
}

var refuseNoIdentity = identity.NewRefusal(identity.NoIdentity,
	"no API key was checked for this request: the receiver needs `auth: {authenticator: apikeyauth}`, and the apikey processor must come before batch and anything else asynchronous")

// passage is one request on its way through the processor.
type passage struct {
	*apiKeyProcessor
	ctx       context.Context //nolint:containedctx // lives as long as the call
	signal    identity.Signal
	items     int // what is left to pass, as OTLP counts it
	units     int // the same as limits count it
	admission *identity.Admission
	refused   refusedProjects
	dropped   int // units of refused projects
	removed   int // spoofed attributes
}

// enter starts the passage of a request with that many items, or refuses it.
// Units are the items as limits count them: of profiles their samples.
func (p *apiKeyProcessor) enter(ctx context.Context, signal identity.Signal, items, units int) (*passage, error) {
	g := &passage{apiKeyProcessor: p, ctx: ctx, signal: signal, items: items, units: units}
	a, ok := client.FromContext(ctx).Auth.(*identity.Admission)
	if !ok || !p.authenticator.Issued(a) {
		return nil, g.refuse(refuseNoIdentity)
	}
	g.admission = a
	if refusal := a.Refused(); refusal != nil {
		return nil, g.refuse(refusal)
	}
	if !a.Scopes.CanIngest(signal) {
		return nil, g.refuse(identity.RefuseScope(signal))
	}
	return g, nil
}

// refuse turns the whole request down.
func (g *passage) refuse(r *identity.Refusal) error {
	if g.admission != nil {
		g.admission.Refuse(r)
		g.admission.Drop(g.signal, int64(g.dropped+g.units))
		g.admission.Tab.Fail()
	}
	g.countRefused(g.items, r.Reason)
	return r
}

// checkProjects refuses the request if nothing of it may pass, and otherwise
// records what was dropped: all but the remaining items and units.
func (g *passage) checkProjects(remaining, units int) error {
	if len(g.refused) == 0 {
		return nil
	}
	if remaining == 0 {
		return g.refuse(identity.NewRefusal(identity.ProjectNotAllowed, g.refused.message()))
	}
	dropped := g.items - remaining
	g.admission.Reject(g.signal, int64(dropped), g.refused.message())
	g.countRefused(dropped, identity.ProjectNotAllowed)
	g.dropped = g.units - units
	g.items, g.units = remaining, units
	g.admission.Drop(g.signal, int64(g.dropped))
	return nil
}

// spend charges what passes, and notes it. Size returns its bytes, and is called
// only where a limit is on them, or no door has counted those of the request:
// measuring walks through all of the telemetry.
func (g *passage) spend(size func() int) error {
	a, on, bytes := g.admission, g.signal.Traffic(), 0
	if !a.Measured || a.Tab.Counts(on, limit.Bytes) {
		bytes = size()
	}
	if refusal := a.Spend(g.ctx, g.apiKeyProcessor, on, int64(g.units), int64(bytes)); refusal != nil {
		return g.refuse(refusal)
	}
	a.Pass(g.apiKeyProcessor, g.signal, int64(g.units), int64(bytes))
	return nil
}

// labels are the options of the metrics that have the signal as their only
// attribute, by signal. Every request needs them, and making them allocates.
var labels = func() map[identity.Signal][]metric.AddOption {
	labels := map[identity.Signal][]metric.AddOption{}
	for _, s := range identity.Signals() {
		labels[s] = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(attribute.String("signal", s.String())))}
	}
	return labels
}()

// leave counts what passes.
func (g *passage) leave() {
	g.telemetry.ApikeyAcceptedItems.Add(g.ctx, int64(g.items), labels[g.signal]...)
	if g.removed > 0 {
		g.telemetry.ApikeySpoofedAttributes.Add(g.ctx, int64(g.removed), labels[g.signal]...)
	}
}

func (g *passage) countRefused(items int, reason identity.Reason) {
	g.telemetry.ApikeyRefusedItems.Add(g.ctx, int64(items), metric.WithAttributeSet(attribute.NewSet(
		attribute.String("reason", string(reason)), attribute.String("signal", g.signal.String()))))
}
