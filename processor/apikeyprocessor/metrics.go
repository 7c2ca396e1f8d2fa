package apikeyprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otlpgate/otlpgate/internal/identity"
)

func (p *apiKeyProcessor) processMetrics(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	n := md.DataPointCount()
	g, err := p.enter(ctx, identity.Metrics, n, n)
	if err != nil {
		return md, err
	}
	md.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool { return g.refuses(rm.Resource()) })
	n = md.DataPointCount()
	if err := g.checkProjects(n, n); err != nil {
		return md, err
	}
	if err := g.spend(func() int { return new(pmetric.ProtoMarshaler).MetricsSize(md) }); err != nil {
		return md, err
	}
	for _, rm := range md.ResourceMetrics().All() {
		g.cleanResource(rm.Resource().Attributes())
		for _, sm := range rm.ScopeMetrics().All() {
			g.clean(sm.Scope().Attributes())
			for _, m := range sm.Metrics().All() {
				g.clean(m.Metadata())
				eachPoint(m, g.cleanPoint)
			}
		}
	}
	g.leave()
	return md, nil
}

func (g *passage) cleanPoint(attributes pcommon.Map, exemplars pmetric.ExemplarSlice) {
	g.cleanRecord(attributes)
	for _, exemplar := range exemplars.All() {
		g.clean(exemplar.FilteredAttributes())
	}
}

// eachPoint visits the data points of a metric of any type.
func eachPoint(m pmetric.Metric, visit func(pcommon.Map, pmetric.ExemplarSlice)) {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		for _, p := range m.Gauge().DataPoints().All() {
			visit(p.Attributes(), p.Exemplars())
		}
	case pmetric.MetricTypeSum:
		for _, p := range m.Sum().DataPoints().All() {
			visit(p.Attributes(), p.Exemplars())
		}
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			visit(p.Attributes(), p.Exemplars())
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			visit(p.Attributes(), p.Exemplars())
		}
	case pmetric.MetricTypeSummary:
		none := pmetric.NewExemplarSlice()
		for _, p := range m.Summary().DataPoints().All() {
			visit(p.Attributes(), none)
		}
	case pmetric.MetricTypeEmpty:
	}
}
