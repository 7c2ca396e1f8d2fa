package e2e

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc/codes"
)

// spoof claims to be somebody else, in the ways that there are.
func spoof(attributes pcommon.Map) {
	attributes.PutStr("apikey.id", "forged")
	attributes.PutStr("apikey.name", "forged")
	attributes.PutStr("apikey.owner", "forged")
	nested := attributes.PutEmptyMap("apikey")
	nested.PutStr("id", "forged")
	attributes.PutStr("kept", "as sent")
}

func spoofedTraces() message {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	spoof(rs.Resource().Attributes())
	ss := rs.ScopeSpans().AppendEmpty()
	spoof(ss.Scope().Attributes())
	span := ss.Spans().AppendEmpty()
	spoof(span.Attributes())
	spoof(span.Events().AppendEmpty().Attributes())
	spoof(span.Links().AppendEmpty().Attributes())
	return ptraceotlp.NewExportRequestFromTraces(td)
}

func spoofedMetrics() message {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	spoof(rm.Resource().Attributes())
	sm := rm.ScopeMetrics().AppendEmpty()
	spoof(sm.Scope().Attributes())
	gauge := sm.Metrics().AppendEmpty()
	spoof(gauge.Metadata())
	spoof(gauge.SetEmptyGauge().DataPoints().AppendEmpty().Attributes())
	sum := sm.Metrics().AppendEmpty().SetEmptySum().DataPoints().AppendEmpty()
	spoof(sum.Attributes())
	spoof(sum.Exemplars().AppendEmpty().FilteredAttributes())
	spoof(sm.Metrics().AppendEmpty().SetEmptyHistogram().DataPoints().AppendEmpty().Attributes())
	spoof(sm.Metrics().AppendEmpty().SetEmptyExponentialHistogram().DataPoints().AppendEmpty().Attributes())
	spoof(sm.Metrics().AppendEmpty().SetEmptySummary().DataPoints().AppendEmpty().Attributes())
	return pmetricotlp.NewExportRequestFromMetrics(md)
}

func spoofedLogs() message {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	spoof(rl.Resource().Attributes())
	sl := rl.ScopeLogs().AppendEmpty()
	spoof(sl.Scope().Attributes())
	spoof(sl.LogRecords().AppendEmpty().Attributes())
	return plogotlp.NewExportRequestFromLogs(ld)
}

func TestAttributesOfTheKeyCannotBeForged(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	k := c.create(t, named("true"))
	for _, s := range senders {
		for sig, spoofed := range map[string]message{"traces": spoofedTraces(), "metrics": spoofedMetrics(), "logs": spoofedLogs()} {
			for _, candidate := range signals {
				if candidate.name == sig {
					require.Equal(t, codes.OK, s.send(t, c, candidate, spoofed, k.bearer()).code)
				}
			}
		}
	}
	records := len(senders) * (1 + 5 + 1) // spans, data points and log records
	kept := len(senders) * (5 + 9 + 3)    // wherever something was forged
	everything := received(t, c.sink)
	assert.NotContains(t, everything.text, "forged")
	assert.Equal(t, records, everything.count(k.id), "each record has the true id, and nothing else has")
	assert.Equal(t, records, everything.count("true"))
	assert.Equal(t, kept, everything.count("as sent"), "the rest is as it was sent")
}

// allReceived is all that a sink holds, as OTLP's JSON.
type allReceived struct{ text string }

func received(t *testing.T, s *sink) allReceived {
	t.Helper()
	var all []json.RawMessage
	add := func(text []byte, err error) {
		require.NoError(t, err)
		all = append(all, text)
	}
	for _, td := range s.traces.AllTraces() {
		add((&ptrace.JSONMarshaler{}).MarshalTraces(td))
	}
	for _, md := range s.metrics.AllMetrics() {
		add((&pmetric.JSONMarshaler{}).MarshalMetrics(md))
	}
	for _, ld := range s.logs.AllLogs() {
		add((&plog.JSONMarshaler{}).MarshalLogs(ld))
	}
	text, err := json.Marshal(all)
	require.NoError(t, err)
	return allReceived{string(text)}
}

// count tells how many attributes have the value.
func (a allReceived) count(value string) int {
	var parsed any
	if json.Unmarshal([]byte(a.text), &parsed) != nil {
		return -1
	}
	return countValues(parsed, value)
}

func countValues(v any, value string) (n int) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			n += countValues(item, value)
		}
	case map[string]any:
		for name, item := range v {
			if name == "stringValue" && item == value {
				n++
			}
			n += countValues(item, value)
		}
	}
	return n
}
