package cli

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/otlpgate/otlpgate/internal/identity"
)

const someKey = "px_live_abcdefghijABCDEFGHIJ0123456789abcdef"

func settings(t *testing.T, endpoint string, scopes ...identity.Scope) exporterSettings {
	t.Helper()
	e, err := parseOTLPEndpoint(endpoint)
	require.NoError(t, err)
	return exporterSettings{endpoint: e, key: someKey, scopes: identity.NewScopeSet(scopes...)}
}

func TestHeadersArePercentEncodedAndDecodeToTheHeader(t *testing.T) {
	t.Parallel()
	environment := shellEnvironment(t, settings(t, defaultOTLPEndpoint, identity.Admin))
	name, value, ok := strings.Cut(environment["OTEL_EXPORTER_OTLP_HEADERS"], "=")
	require.True(t, ok)
	assert.Equal(t, "authorization", name)
	assert.Equal(t, "Bearer%20"+someKey, value)
	decoded, err := url.PathUnescape(value)
	require.NoError(t, err)
	assert.Equal(t, "Bearer "+someKey, decoded)
	assert.Equal(t, "http://localhost:4318", environment["OTEL_EXPORTER_OTLP_ENDPOINT"])
	assert.Equal(t, "http/protobuf", environment["OTEL_EXPORTER_OTLP_PROTOCOL"])
}

func TestProjectThatHasToBeNamedIsNamed(t *testing.T) {
	t.Parallel()
	s := settings(t, defaultOTLPEndpoint, identity.TracesWrite)
	s.projects = []string{"a b,c=d'ü", "other"}
	attribute := shellEnvironment(t, s)["OTEL_RESOURCE_ATTRIBUTES"]
	assert.Equal(t, "openinference.project.name=a%20b%2Cc%3Dd%27%C3%BC", attribute)
	assert.Contains(t, s.all(), `# the resource must have the attribute openinference.project.name = "a b,c=d'ü"`)

	s.projects = []string{"other", "default"}
	assert.NotContains(t, s.all(), projectAttribute)
}

func TestSignalsThatTheKeyMayNotSendAreTurnedOff(t *testing.T) {
	t.Parallel()
	environment := shellEnvironment(t, settings(t, defaultOTLPEndpoint, identity.LogsWrite))
	assert.Equal(t, "none", environment["OTEL_TRACES_EXPORTER"])
	assert.Equal(t, "none", environment["OTEL_METRICS_EXPORTER"])
	assert.NotContains(t, environment, "OTEL_LOGS_EXPORTER")

	logs := settings(t, defaultOTLPEndpoint, identity.LogsWrite).all()
	assert.Contains(t, logs, "_log_exporter import OTLPLogExporter")
	assert.Contains(t, logs, "http://localhost:4318/v1/logs")
	assert.NotContains(t, logs, "v1/traces")

	profiles := settings(t, defaultOTLPEndpoint, identity.ProfilesWrite).all()
	assert.Contains(t, profiles, "otlp_http:")
	assert.NotContains(t, profiles, "Python", "no SDK exports profiles")
}

// shellEnvironment returns the variables as a shell sets them.
func shellEnvironment(t *testing.T, s exporterSettings) map[string]string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "sh", "-euc", s.environment()+"env")
	command.Env = []string{"PATH=" + os.Getenv("PATH")}
	output, err := command.Output()
	require.NoError(t, err)
	variables := map[string]string{}
	for line := range strings.Lines(string(output)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		variables[name] = value
	}
	return variables
}

func TestCollectorSnippetsAreYAML(t *testing.T) {
	t.Parallel()
	type exporter struct {
		Endpoint string            `yaml:"endpoint"`
		TLS      map[string]bool   `yaml:"tls"`
		Headers  map[string]string `yaml:"headers"`
	}
	read := func(text string) map[string]exporter {
		var config struct {
			Exporters map[string]exporter `yaml:"exporters"`
		}
		require.NoError(t, yaml.Unmarshal([]byte(text), &config))
		return config.Exporters
	}
	headers := map[string]string{"authorization": "Bearer " + someKey}
	insecure := settings(t, "http://[::1]:4318", identity.Admin)
	assert.Equal(t, map[string]exporter{"otlp_http": {Endpoint: "http://[::1]:4318", Headers: headers}}, read(insecure.collectorHTTP()))
	assert.Equal(t, map[string]exporter{"otlp_grpc": {Endpoint: "[::1]:4317", TLS: map[string]bool{"insecure": true}, Headers: headers}},
		read(insecure.collectorGRPC()))

	secure := settings(t, "https://otel.example.com:4318/", identity.Admin)
	assert.Equal(t, map[string]exporter{"otlp_grpc": {Endpoint: "otel.example.com:4317", Headers: headers}}, read(secure.collectorGRPC()))
}

// The exporters themselves are driven by the end-to-end tests; here each
// language's own parser looks at what users paste.
func TestCodeSnippetsParse(t *testing.T) {
	t.Parallel()
	s := settings(t, defaultOTLPEndpoint, identity.Admin)
	s.projects = []string{"a \"b\"\n"}
	for _, signal := range sdkSignals {
		t.Run("python "+signal.name, func(t *testing.T) {
			t.Parallel()
			check(t, s.python(signal), "snippet.py", "python3", "-c", "import ast, sys; ast.parse(open(sys.argv[1]).read())")
		})
		t.Run("node "+signal.name, func(t *testing.T) {
			t.Parallel()
			check(t, s.node(signal), "snippet.mjs", "node", "--check")
		})
	}
}

func check(t *testing.T, code, name, program string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s is not installed: its snippet is not checked", program)
	}
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(code), 0o600))
	output, err := exec.CommandContext(t.Context(), program, append(args, path)...).CombinedOutput()
	assert.NoError(t, err, "%s\n%s", output, code)
}

func TestParseOTLPEndpoint(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]otlpEndpoint{
		"http://localhost:4318":          {http: "http://localhost:4318", grpc: "localhost:4317"},
		"https://otel.example.com":       {http: "https://otel.example.com", tls: true},
		"https://otel.example.com/otlp/": {http: "https://otel.example.com/otlp", tls: true},
	} {
		got, err := parseOTLPEndpoint(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "localhost:4318", "grpc://localhost:4317", "http://", "http://u:p@h", "http://h?a", "http://h#a", "http://h:4317", "http://h\n"} {
		_, err := parseOTLPEndpoint(text)
		assert.Error(t, err, text)
	}
}

func TestShellQuote(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"plain", "a b", "it's", `"$HOME"`, "`id`", "[::1]", "", "a\nb", "ü"} {
		output, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+shellQuote(word)).Output()
		require.NoError(t, err, word)
		assert.Equal(t, word, string(output))
	}
	assert.Regexp(t, `^[^']+$`, shellQuote("authorization=Bearer%20"+someKey), "env files know no quotes")
}
