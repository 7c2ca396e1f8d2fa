package apikeyprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otlpgate/otlpgate/internal/identity"
)

// everyLevel makes telemetry with one of each thing that has attributes, which
// fill provides. Its levels are those that walk visits.
func everyLevel(signal identity.Signal, fill func(pcommon.Map)) any {
	switch signal {
	case identity.Traces:
		td := ptrace.NewTraces()
		rs := td.ResourceSpans().AppendEmpty()
		fill(rs.Resource().Attributes())
		ss := rs.ScopeSpans().AppendEmpty()
		fill(ss.Scope().Attributes())
		span := ss.Spans().AppendEmpty()
		span.SetName("GET /")
		fill(span.Attributes())
		fill(span.Events().AppendEmpty().Attributes())
		fill(span.Links().AppendEmpty().Attributes())
		return td
	case identity.Metrics:
		return everyLevelOfMetrics(fill)
	case identity.Logs:
		ld := plog.NewLogs()
		rl := ld.ResourceLogs().AppendEmpty()
		fill(rl.Resource().Attributes())
		sl := rl.ScopeLogs().AppendEmpty()
		fill(sl.Scope().Attributes())
		record := sl.LogRecords().AppendEmpty()
		record.Body().SetStr("hello")
		fill(record.Attributes())
		return ld
	default:
		return everyLevelOfProfiles(fill)
	}
}

func everyLevelOfMetrics(fill func(pcommon.Map)) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	fill(rm.Resource().Attributes())
	sm := rm.ScopeMetrics().AppendEmpty()
	fill(sm.Scope().Attributes())
	next := func() pmetric.Metric {
		m := sm.Metrics().AppendEmpty()
		m.SetName("a.metric")
		fill(m.Metadata())
		return m
	}
	point := func(attributes pcommon.Map, exemplars pmetric.ExemplarSlice) {
		fill(attributes)
		fill(exemplars.AppendEmpty().FilteredAttributes())
	}
	gauge := next().SetEmptyGauge().DataPoints().AppendEmpty()
	point(gauge.Attributes(), gauge.Exemplars())
	sum := next().SetEmptySum().DataPoints().AppendEmpty()
	point(sum.Attributes(), sum.Exemplars())
	histogram := next().SetEmptyHistogram().DataPoints().AppendEmpty()
	point(histogram.Attributes(), histogram.Exemplars())
	exponential := next().SetEmptyExponentialHistogram().DataPoints().AppendEmpty()
	point(exponential.Attributes(), exponential.Exemplars())
	fill(next().SetEmptySummary().DataPoints().AppendEmpty().Attributes())
	next()
	return md
}

func everyLevelOfProfiles(fill func(pcommon.Map)) pprofile.Profiles {
	pd := pprofile.NewProfiles()
	dic := pd.Dictionary()
	dic.StringTable().Append("")
	dic.AttributeTable().AppendEmpty()
	refer := func(indices pcommon.Int32Slice) {
		attributes := pcommon.NewMap()
		fill(attributes)
		for key, value := range attributes.All() {
			entry := dic.AttributeTable().AppendEmpty()
			dic.StringTable().Append(key)
			entry.SetKeyStrindex(int32(dic.StringTable().Len() - 1))
			value.CopyTo(entry.Value())
			indices.Append(int32(dic.AttributeTable().Len() - 1))
		}
	}
	dic.LocationTable().AppendEmpty()
	refer(dic.LocationTable().AppendEmpty().AttributeIndices())
	dic.MappingTable().AppendEmpty()
	refer(dic.MappingTable().AppendEmpty().AttributeIndices())
	rp := pd.ResourceProfiles().AppendEmpty()
	fill(rp.Resource().Attributes())
	sp := rp.ScopeProfiles().AppendEmpty()
	fill(sp.Scope().Attributes())
	profile := sp.Profiles().AppendEmpty()
	refer(profile.AttributeIndices())
	refer(profile.Samples().AppendEmpty().AttributeIndices())
	return pd
}

// walk visits the attributes of everything that can have some.
func walk(data any, visit func(level string, attrs []attr)) {
	switch data := data.(type) {
	case ptrace.Traces:
		for _, rs := range data.ResourceSpans().All() {
			visit("resource", attrsOf(rs.Resource().Attributes()))
			for _, ss := range rs.ScopeSpans().All() {
				visit("scope", attrsOf(ss.Scope().Attributes()))
				for _, span := range ss.Spans().All() {
					visit("span", attrsOf(span.Attributes()))
					for _, event := range span.Events().All() {
						visit("event", attrsOf(event.Attributes()))
					}
					for _, link := range span.Links().All() {
						visit("link", attrsOf(link.Attributes()))
					}
				}
			}
		}
	case pmetric.Metrics:
		walkMetrics(data, visit)
	case plog.Logs:
		for _, rl := range data.ResourceLogs().All() {
			visit("resource", attrsOf(rl.Resource().Attributes()))
			for _, sl := range rl.ScopeLogs().All() {
				visit("scope", attrsOf(sl.Scope().Attributes()))
				for _, record := range sl.LogRecords().All() {
					visit("record", attrsOf(record.Attributes()))
				}
			}
		}
	case pprofile.Profiles:
		walkProfiles(data, visit)
	}
}

func walkMetrics(md pmetric.Metrics, visit func(level string, attrs []attr)) {
	exemplars := func(all pmetric.ExemplarSlice) {
		for _, e := range all.All() {
			visit("exemplar", attrsOf(e.FilteredAttributes()))
		}
	}
	numbers := func(all pmetric.NumberDataPointSlice) {
		for _, p := range all.All() {
			visit("point", attrsOf(p.Attributes()))
			exemplars(p.Exemplars())
		}
	}
	for _, rm := range md.ResourceMetrics().All() {
		visit("resource", attrsOf(rm.Resource().Attributes()))
		for _, sm := range rm.ScopeMetrics().All() {
			visit("scope", attrsOf(sm.Scope().Attributes()))
			for _, m := range sm.Metrics().All() {
				visit("metadata", attrsOf(m.Metadata()))
				switch m.Type() {
				case pmetric.MetricTypeGauge:
					numbers(m.Gauge().DataPoints())
				case pmetric.MetricTypeSum:
					numbers(m.Sum().DataPoints())
				case pmetric.MetricTypeHistogram:
					for _, p := range m.Histogram().DataPoints().All() {
						visit("point", attrsOf(p.Attributes()))
						exemplars(p.Exemplars())
					}
				case pmetric.MetricTypeExponentialHistogram:
					for _, p := range m.ExponentialHistogram().DataPoints().All() {
						visit("point", attrsOf(p.Attributes()))
						exemplars(p.Exemplars())
					}
				case pmetric.MetricTypeSummary:
					for _, p := range m.Summary().DataPoints().All() {
						visit("point", attrsOf(p.Attributes()))
					}
				case pmetric.MetricTypeEmpty:
				}
			}
		}
	}
}

func walkProfiles(pd pprofile.Profiles, visit func(level string, attrs []attr)) {
	dic := pd.Dictionary()
	for _, l := range dic.LocationTable().All() {
		visit("location", referredBy(dic, l.AttributeIndices()))
	}
	for _, m := range dic.MappingTable().All() {
		visit("mapping", referredBy(dic, m.AttributeIndices()))
	}
	for _, rp := range pd.ResourceProfiles().All() {
		visit("resource", attrsOf(rp.Resource().Attributes()))
		for _, sp := range rp.ScopeProfiles().All() {
			visit("scope", attrsOf(sp.Scope().Attributes()))
			for _, profile := range sp.Profiles().All() {
				visit("profile", referredBy(dic, profile.AttributeIndices()))
				for _, sample := range profile.Samples().All() {
					visit("sample", referredBy(dic, sample.AttributeIndices()))
				}
			}
		}
	}
}

func attrsOf(m pcommon.Map) []attr {
	attrs := make([]attr, 0, m.Len())
	for key, value := range m.All() {
		attrs = append(attrs, attr{key, value})
	}
	return attrs
}

func referredBy(dic pprofile.ProfilesDictionary, indices pcommon.Int32Slice) []attr {
	attrs := make([]attr, 0, indices.Len())
	for _, i := range indices.All() {
		attrs = append(attrs, entryOf(dic, int(i)))
	}
	return attrs
}

// entryOf returns an entry of the attribute table, without a name where the
// name's index leads nowhere.
func entryOf(dic pprofile.ProfilesDictionary, i int) attr {
	entry := dic.AttributeTable().At(i)
	if k := int(entry.KeyStrindex()); k >= 0 && k < dic.StringTable().Len() {
		return attr{dic.StringTable().At(k), entry.Value()}
	}
	return attr{"", entry.Value()}
}

// projects makes telemetry with a resource of one item for each project.
func projects(signal identity.Signal, names ...string) any {
	return resources(signal, len(names), func(i int, m pcommon.Map) int {
		m.PutStr("openinference.project.name", names[i])
		return 1
	})
}

// resources makes telemetry with n resources; fill sets their attributes, and
// tells how many items each has.
func resources(signal identity.Signal, n int, fill func(int, pcommon.Map) int) any {
	td, md, ld, pd := ptrace.NewTraces(), pmetric.NewMetrics(), plog.NewLogs(), pprofile.NewProfiles()
	for i := range n {
		rs, rm := td.ResourceSpans().AppendEmpty(), md.ResourceMetrics().AppendEmpty()
		rl, rp := ld.ResourceLogs().AppendEmpty(), pd.ResourceProfiles().AppendEmpty()
		ss, gauge := rs.ScopeSpans().AppendEmpty(), rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge()
		sl, sp := rl.ScopeLogs().AppendEmpty(), rp.ScopeProfiles().AppendEmpty()
		items := fill(i, rs.Resource().Attributes())
		rs.Resource().Attributes().CopyTo(rm.Resource().Attributes())
		rs.Resource().Attributes().CopyTo(rl.Resource().Attributes())
		rs.Resource().Attributes().CopyTo(rp.Resource().Attributes())
		for range items {
			ss.Spans().AppendEmpty()
			gauge.DataPoints().AppendEmpty()
			sl.LogRecords().AppendEmpty()
			sp.Profiles().AppendEmpty()
		}
	}
	return map[identity.Signal]any{
		identity.Traces: td, identity.Metrics: md, identity.Logs: ld, identity.Profiles: pd,
	}[signal]
}

// everyMap visits the maps that hold attributes of resources and records.
func everyMap(data any, visit func(pcommon.Map)) {
	switch data := data.(type) {
	case ptrace.Traces:
		for _, rs := range data.ResourceSpans().All() {
			visit(rs.Resource().Attributes())
			for _, ss := range rs.ScopeSpans().All() {
				for _, span := range ss.Spans().All() {
					visit(span.Attributes())
				}
			}
		}
	case pmetric.Metrics:
		for _, rm := range data.ResourceMetrics().All() {
			visit(rm.Resource().Attributes())
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					eachPoint(m, func(attributes pcommon.Map, _ pmetric.ExemplarSlice) { visit(attributes) })
				}
			}
		}
	case plog.Logs:
		for _, rl := range data.ResourceLogs().All() {
			visit(rl.Resource().Attributes())
			for _, sl := range rl.ScopeLogs().All() {
				for _, record := range sl.LogRecords().All() {
					visit(record.Attributes())
				}
			}
		}
	case pprofile.Profiles:
		for _, rp := range data.ResourceProfiles().All() {
			visit(rp.Resource().Attributes())
		}
	}
}
