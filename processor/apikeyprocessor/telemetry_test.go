package apikeyprocessor

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/processor/apikeyprocessor/internal/metadatatest"
)

// requireCount checks a counter by signal.
func requireCount(t *testing.T, h *harness, name string, want map[string]int64) {
	t.Helper()
	m, err := h.telemetry.GetMetric(name)
	require.NoError(t, err)
	got := map[string]int64{}
	for _, point := range m.Data.(metricdata.Sum[int64]).DataPoints {
		signal, _ := point.Attributes.Value("signal")
		got[signal.AsString()] += point.Value
	}
	require.Equal(t, want, got)
}

func TestItemsAndSpoofedAttributesAreCounted(t *testing.T) {
	h := newHarness(t)
	restricted := aKey(ofProjects("mine"))
	for _, signal := range identity.Signals() {
		// 3 accepted
		h.send(t, aKey(), projects(signal, "a", "b", "c"))
		// 2 accepted, 1 refused
		h.send(t, restricted, projects(signal, "mine", "theirs", "mine"))
		// 2 refused
		h.sendRefused(t, restricted, projects(signal, "theirs", "theirs"))
		// 1 refused
		h.sendRefused(t, aKey(func(id *identity.Identity) { id.Scopes = 0 }), projects(signal, "a"))
		// 2 refused
		require.Error(t, h.consume(t.Context(), projects(signal, "a", "b")))
		// 1 accepted with 2 spoofed attributes, 1 refused with one that nobody sees
		h.send(t, restricted, resources(signal, 2, func(i int, m pcommon.Map) int {
			m.PutStr(projectName, []string{"mine", "theirs"}[i])
			m.PutStr("apikey.id", "spoofed")
			m.PutStr("apikey.name", "spoofed")
			return 1
		}))
	}

	of := func(n int64, attributes ...attribute.KeyValue) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(attributes...)}
	}
	var accepted, refused, spoofed []metricdata.DataPoint[int64]
	for _, s := range identity.Signals() {
		signal := attribute.String("signal", s.String())
		accepted = append(accepted, of(6, signal))
		refused = append(refused,
			of(4, signal, attribute.String("reason", "project_not_allowed")),
			of(1, signal, attribute.String("reason", "missing_scope")),
			of(2, signal, attribute.String("reason", "no_identity")))
		spoofed = append(spoofed, of(2, signal))
	}
	ignore := metricdatatest.IgnoreTimestamp()
	metadatatest.AssertEqualApikeyAcceptedItems(t, h.telemetry, accepted, ignore)
	metadatatest.AssertEqualApikeyRefusedItems(t, h.telemetry, refused, ignore)
	metadatatest.AssertEqualApikeySpoofedAttributes(t, h.telemetry, spoofed, ignore)
}
