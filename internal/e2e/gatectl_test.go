package e2e

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
)

// operator works with gatectl in the folder where otlpgate runs, as the README
// says.
type operator struct {
	vault  *vault
	folder string
	env    []string
}

func newOperator(v *vault, folder, adminURL string) operator {
	return operator{vault: v, folder: folder, env: []string{"OTLPGATE_ADMIN_URL=" + adminURL}}
}

func (o operator) run(t testing.TB, args ...string) string {
	t.Helper()
	text, err := o.vault.runProgram(t, o.folder, o.env, binary(t, "gatectl"), args...)
	require.NoError(t, err, text)
	return text
}

// withKey returns an operator who uses that key.
func (o operator) withKey(secret string) operator {
	o.env = append(slices.Clone(o.env), "OTLPGATE_API_KEY="+secret)
	return o
}

var (
	secretLine  = regexp.MustCompile(`(?m)^  (px_(?:live|test|sys)_[0-9A-Za-z]{36})$`)
	createdLine = regexp.MustCompile(`(?m)^created (key_[a-z2-7]{20}) `)
	exportLine  = regexp.MustCompile(`(?m)^export .*$`)
)

// createKey creates a key and returns it with the settings to paste.
func (o operator) createKey(t *testing.T, args ...string) (k key, settings string) {
	t.Helper()
	text := o.run(t, append([]string{"keys", "create"}, args...)...)
	secret, id := secretLine.FindStringSubmatch(text), createdLine.FindStringSubmatch(text)
	require.NotNil(t, secret, "no key is shown")
	require.NotNil(t, id, "no id is shown")
	return key{id[1], o.vault.keep(secret[1])}, strings.Join(exportLine.FindAllString(text, -1), "\n")
}

// shellEnvironment returns what a shell makes of the settings.
func (o operator) shellEnvironment(t *testing.T, settings string) map[string]string {
	t.Helper()
	text, err := o.vault.runProgram(t, o.folder, nil, "sh", "-c", settings+"\nenv")
	require.NoError(t, err, text)
	set := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok && strings.HasPrefix(name, "OTEL_") {
			set[name] = value
		}
	}
	return set
}

// startForOperator starts otlpgate with its storage where gatectl looks for it.
func startForOperator(t *testing.T) (*collector, operator) {
	t.Helper()
	folder := t.TempDir()
	c := start(t, options{storage: filepath.Join(folder, "otlpgate-data")})
	return c, newOperator(c.vault, folder, "http://"+c.admin.address)
}

func TestTheSettingsThatGatectlPrintsWorkAsTheyAre(t *testing.T) {
	c, o := startForOperator(t)
	k, settings := o.createKey(t, "--name", "demo", "--scope", "traces:write", "--project", "shop front", "--otlp-endpoint", "http://"+c.httpAddress)
	for name, value := range o.shellEnvironment(t, settings) {
		t.Setenv(name, value)
	}

	e, err := otlptracehttp.New(t.Context())
	require.NoError(t, exportSpans(t.Context(), e, err, []string{"shop front"}))
	require.Len(t, c.sink.spans(), 1)
	assert.Equal(t, map[string]any{"apikey.id": k.id, "apikey.name": "demo"}, c.sink.spans()[0].Attributes().AsRaw())

	o.run(t, "keys", "revoke", "--yes", k.id)
	e, err = otlptracehttp.New(t.Context())
	assert.ErrorContains(t, exportSpans(t.Context(), e, err, []string{"shop front"}), "revoked")
	for _, text := range []string{o.run(t, "keys", "list"), o.run(t, "keys", "get", k.id), o.run(t, "whoami")} {
		c.vault.saw("gatectl", text)
	}
}

func TestTheSettingsThatGatectlPrintsWorkForJavaScript(t *testing.T) {
	t.Parallel()
	program, scripts := node(t)
	c, o := startForOperator(t)
	k, settings := o.createKey(t, "--name", "demo", "--scope", "traces:write", "--otlp-endpoint", "http://"+c.httpAddress)
	script := settings + "\nexec " + program + " export.mjs proto"
	text, err := c.vault.runProgram(t, scripts, nil, "sh", "-c", script)
	require.NoError(t, err, text)
	require.Len(t, c.sink.spans(), 1, text)
	assert.Equal(t, k.id, c.sink.spans()[0].Attributes().AsRaw()["apikey.id"])
}

func TestTheCollectorSettingsThatGatectlPrintsWorkAsTheyAre(t *testing.T) {
	t.Parallel()
	behind, o := startForOperator(t)
	text := o.run(t, "keys", "create", "--name", "edge", "--scope", "traces:write", "--otlp-endpoint", "http://"+behind.httpAddress)
	behind.vault.keep(secretLine.FindStringSubmatch(text)[1])
	_, snippet, ok := strings.Cut(text, "# a collector that forwards over OTLP/HTTP")
	require.True(t, ok)
	_, snippet, _ = strings.Cut(snippet, "\n")
	snippet, _, _ = strings.Cut(snippet, "\n#")

	edge := start(t, options{vault: behind.vault, overlay: snippet + "\nservice: {pipelines: {traces: {exporters: [otlp_http]}}}"})
	got := sendProtobuf(t, edge, traces, traces.request(), edge.create(t).bearer())
	assert.Equal(t, 200, got.http, got.message)
	require.Eventually(t, func() bool { return len(behind.sink.spans()) == 1 }, patience, tick)
	assert.Equal(t, "edge", behind.sink.spans()[0].Attributes().AsRaw()["apikey.name"])
}
