package e2e

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// metricName finds the gate's own metrics in expressions.
var metricName = regexp.MustCompile(`otelcol_apikey\w+`)

// declaredMetrics returns the metrics of a component's metadata.yaml, as
// Prometheus names them where the collector's telemetry is not configured.
func declaredMetrics(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", path))
	require.NoError(t, err)
	var metadata struct {
		Telemetry struct {
			Metrics map[string]map[string]any
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &metadata))
	names := map[string]string{}
	for name, metric := range metadata.Telemetry.Metrics {
		kind := "sum"
		for _, k := range []string{"gauge", "histogram"} {
			if metric[k] != nil {
				kind = k
			}
		}
		names["otelcol_"+name] = kind
	}
	return names
}

func ownMetrics(t *testing.T) map[string]string {
	t.Helper()
	known := declaredMetrics(t, "extension/apikeyauthextension/metadata.yaml")
	maps.Copy(known, declaredMetrics(t, "processor/apikeyprocessor/metadata.yaml"))
	require.NotEmpty(t, known)
	return known
}

func TestEveryMetricOfTheDashboardAndTheRulesExists(t *testing.T) {
	known := ownMetrics(t)
	used := map[string]bool{}
	for _, path := range []string{"docs/grafana/otlpgate.json", "docs/prometheus/otlpgate.rules.yaml"} {
		text, err := os.ReadFile(filepath.Join("..", "..", path))
		require.NoError(t, err)
		names := metricName.FindAllString(string(text), -1)
		require.NotEmpty(t, names, path)
		for _, name := range names {
			base := strings.TrimSuffix(name, "_bucket")
			assert.Contains(t, known, base, path)
			assert.Equal(t, known[base] == "histogram", base != name, "%s in %s is asked for as what it is", name, path)
			used[base] = true
		}
	}
	for name := range known {
		if !strings.HasPrefix(name, "otelcol_apikeyauth_key_") { // recorded only where asked for
			assert.True(t, used[name], "%s is shown nowhere", name)
		}
	}
}

func TestTheDashboardIsOneThatGrafanaTakes(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "grafana", "otlpgate.json"))
	require.NoError(t, err)
	var dashboard struct {
		Title, UID    string
		SchemaVersion int
		Panels        []struct {
			ID      int
			Type    string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr, RefID string }
		}
	}
	require.NoError(t, json.Unmarshal(text, &dashboard))
	assert.NotEmpty(t, dashboard.UID)
	var ids []int
	for _, p := range dashboard.Panels {
		ids = append(ids, p.ID)
		assert.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24)
		if p.Type != "row" {
			assert.NotEmpty(t, p.Targets)
		}
		for _, target := range p.Targets {
			assert.Equal(t, strings.Count(target.Expr, "("), strings.Count(target.Expr, ")"), target.Expr)
			assert.Contains(t, target.Expr, `instance=~"$instance"`)
		}
	}
	slices.Sort(ids)
	assert.Len(t, slices.Compact(ids), len(dashboard.Panels), "each panel has an id of its own")
}

func TestThePrometheusRulesAreValid(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "prometheus", "otlpgate.rules.yaml"))
	require.NoError(t, err)
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &file))
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			assert.True(t, strings.HasPrefix(r.Alert, "Otlpgate"), r.Alert)
			assert.NotEmpty(t, r.Expr, r.Alert)
			assert.NotEmpty(t, r.Labels["severity"], r.Alert)
			assert.NotEmpty(t, r.Annotations["summary"], r.Alert)
			assert.NotEmpty(t, r.Annotations["description"], r.Alert)
		}
	}
}
