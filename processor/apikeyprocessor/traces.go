package apikeyprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otlpgate/otlpgate/internal/identity"
)

func (p *apiKeyProcessor) processTraces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	n := td.SpanCount()
	g, err := p.enter(ctx, identity.Traces, n, n)
	if err != nil {
		return td, err
	}
	td.ResourceSpans().RemoveIf(func(rs ptrace.ResourceSpans) bool { return g.refuses(rs.Resource()) })
	n = td.SpanCount()
	if err := g.checkProjects(n, n); err != nil {
		return td, err
	}
	if err := g.spend(func() int { return new(ptrace.ProtoMarshaler).TracesSize(td) }); err != nil {
		return td, err
	}
	for _, rs := range td.ResourceSpans().All() {
		g.cleanResource(rs.Resource().Attributes())
		for _, ss := range rs.ScopeSpans().All() {
			g.clean(ss.Scope().Attributes())
			for _, span := range ss.Spans().All() {
				g.cleanSpan(span)
			}
		}
	}
	g.leave()
	return td, nil
}

func (g *passage) cleanSpan(span ptrace.Span) {
	g.cleanRecord(span.Attributes())
	for _, event := range span.Events().All() {
		g.clean(event.Attributes())
	}
	for _, link := range span.Links().All() {
		g.clean(link.Attributes())
	}
}
