package e2e

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// runProgram runs another program to its end, with only those settings of
// OpenTelemetry in its environment, and returns what it prints.
func (v *vault) runProgram(t testing.TB, dir string, env []string, program string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "OTEL_") && !strings.HasPrefix(setting, "OTLPGATE_") {
			cmd.Env = append(cmd.Env, setting)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// javaScriptExporter sends a span with the exporter of that name.
type javaScriptExporter string

var javaScriptExporters = []javaScriptExporter{"grpc", "proto", "http"}

// outcome is what export.mjs prints.
type outcome struct {
	Code  *int   `json:"code"` // 0 where the exporter says that all is well
	Error string `json:"error"`
}

func (e javaScriptExporter) endpoint(c *collector) string {
	if e == "grpc" {
		return "http://" + c.grpcAddress
	}
	return "http://" + c.httpAddress
}

func (e javaScriptExporter) export(t *testing.T, c *collector, env ...string) outcome {
	t.Helper()
	program, scripts := node(t)
	text, err := c.vault.runProgram(t, scripts, env, program, "export.mjs", string(e), "gzip")
	require.NoError(t, err, text)
	c.vault.saw("the JavaScript exporter "+string(e), text)
	var got outcome
	require.NoError(t, json.Unmarshal([]byte(text), &got), text)
	require.NotNil(t, got.Code, text)
	return got
}

// environment is what any SDK is set up with.
func environment(endpoint string, h headers) []string {
	var pairs []string
	for name, value := range h {
		pairs = append(pairs, name+"="+url.PathEscape(value))
	}
	return []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + endpoint, "OTEL_EXPORTER_OTLP_HEADERS=" + strings.Join(pairs, ",")}
}

func TestExportersOfTheJavaScriptSDKPassAndDoNotRetryRefusals(t *testing.T) {
	t.Parallel()
	node(t)
	for _, e := range javaScriptExporters {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			c := start(t, options{})
			k, revoked := c.create(t), c.create(t)
			c.revoke(t, revoked.id)
			got := e.export(t, c, environment(e.endpoint(c), k.bearer())...)
			assert.Zero(t, *got.Code, got.Error)
			require.Len(t, c.sink.spans(), 1)
			assert.Equal(t, map[string]any{"apikey.id": k.id, "apikey.name": "test key"}, c.sink.spans()[0].Attributes().AsRaw())
			for name, h := range map[string]headers{
				"no key":      nil,
				"revoked":     revoked.bearer(),
				"wrong scope": c.create(t, scopes("metrics:write")).bearer(),
			} {
				before := c.requests(t)
				got := e.export(t, c, environment(e.endpoint(c), h)...)
				assert.NotZero(t, *got.Code, name)
				assert.NotEmpty(t, got.Error, name)
				assert.Equal(t, 1, c.requests(t)-before, "%s: requests", name)
			}
			assert.Len(t, c.sink.spans(), 1)
		})
	}
}

func TestTelemetrygenPassesAndStopsWhenRefused(t *testing.T) {
	t.Parallel()
	program := binary(t, "telemetrygen")
	c := start(t, options{})
	k, revoked := c.create(t), c.create(t)
	c.revoke(t, revoked.id)
	generate := func(t *testing.T, sig signal, overHTTP bool, secret string) (string, error) {
		t.Helper()
		// Unthrottled: at its default of one a second, a span's end and its
		// batch's timer fall together, and one trace may take two requests.
		args := []string{sig.name, "--" + sig.name, "1", "--rate", "0", "--otlp-insecure", "--otlp-header", `authorization="Bearer ` + secret + `"`}
		if overHTTP {
			args = append(args, "--otlp-http", "--otlp-endpoint", c.httpAddress)
		} else {
			args = append(args, "--otlp-endpoint", c.grpcAddress)
		}
		text, err := c.vault.runProgram(t, t.TempDir(), nil, program, args...)
		for line := range strings.Lines(text) {
			if strings.Contains(line, "revoked") { // others repeat its own settings
				c.vault.saw("telemetrygen", line)
			}
		}
		return text, err
	}
	for _, sig := range []signal{traces, metrics, logs} {
		for transport, overHTTP := range map[string]bool{"grpc": false, "http": true} {
			t.Run(sig.name+"/"+transport, func(t *testing.T) {
				before := c.sink.items()
				text, err := generate(t, sig, overHTTP, k.secret)
				require.NoError(t, err, text)
				assert.Greater(t, c.sink.items(), before, text)
				passed := c.sink.items()
				assert.Equal(t, passed, received(t, c.sink).count(k.id), "all is tagged")

				counted := c.requests(t)
				text, _ = generate(t, sig, overHTTP, revoked.secret)
				assert.Contains(t, text, "revoked")
				assert.Equal(t, passed, c.sink.items())
				assert.Equal(t, 1, c.requests(t)-counted, "requests")
			})
		}
	}
}
