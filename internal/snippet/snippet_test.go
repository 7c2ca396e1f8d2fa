package snippet

import (
	"go/parser"
	"go/token"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"

	"github.com/otlpgate/otlpgate/internal/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const someKey = "px_live_abcdefghijABCDEFGHIJ0123456789abcdef"

func settings(t *testing.T, endpoint string, scopes ...identity.Scope) Settings {
	t.Helper()
	e, err := ParseEndpoint(endpoint)
	require.NoError(t, err)
	return Settings{Endpoint: e, Key: someKey, Scopes: identity.NewScopeSet(scopes...)}
}

func TestHeadersArePercentEncodedAndDecodeToTheHeader(t *testing.T) {
	t.Parallel()
	environment := shellEnvironment(t, settings(t, DefaultEndpoint, identity.Admin))
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
	s := settings(t, DefaultEndpoint, identity.TracesWrite)
	s.Projects = []string{"a b,c=d'ü", "other"}
	attribute := shellEnvironment(t, s)["OTEL_RESOURCE_ATTRIBUTES"]
	assert.Equal(t, "openinference.project.name=a%20b%2Cc%3Dd%27%C3%BC", attribute)
	assert.Contains(t, all(s), `# the resource must have the attribute openinference.project.name = "a b,c=d'ü"`)

	s.Projects = []string{"other", "default"}
	assert.NotContains(t, all(s), projectAttribute)
}

func TestSignalsThatTheKeyMayNotSendAreTurnedOff(t *testing.T) {
	t.Parallel()
	environment := shellEnvironment(t, settings(t, DefaultEndpoint, identity.LogsWrite))
	assert.Equal(t, "none", environment["OTEL_TRACES_EXPORTER"])
	assert.Equal(t, "none", environment["OTEL_METRICS_EXPORTER"])
	assert.NotContains(t, environment, "OTEL_LOGS_EXPORTER")

	logs := all(settings(t, DefaultEndpoint, identity.LogsWrite))
	assert.Contains(t, logs, "_log_exporter import OTLPLogExporter")
	assert.Contains(t, logs, "http://localhost:4318/v1/logs")
	assert.NotContains(t, logs, "v1/traces")

	profiles := all(settings(t, DefaultEndpoint, identity.ProfilesWrite))
	assert.Contains(t, profiles, "otlp_http:")
	assert.NotContains(t, profiles, "Python", "no SDK exports profiles")
}

// all returns the texts of every snippet.
func all(s Settings) string {
	var texts []string
	for _, snippet := range s.Snippets() {
		texts = append(texts, snippet.Text)
	}
	return strings.Join(texts, "\n")
}

// shellEnvironment returns the variables as a shell sets them.
func shellEnvironment(t *testing.T, s Settings) map[string]string {
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
	s := settings(t, DefaultEndpoint, identity.Admin)
	s.Projects = []string{"a \"b\"\n"}
	for _, signal := range sdkSignals {
		t.Run("python "+signal.name, func(t *testing.T) {
			t.Parallel()
			check(t, s.python(signal), "snippet.py", "python3", "-c", "import ast, sys; ast.parse(open(sys.argv[1]).read())")
		})
		t.Run("node "+signal.name, func(t *testing.T) {
			t.Parallel()
			check(t, s.node(signal), "snippet.mjs", "node", "--check")
		})
		t.Run("go "+signal.name, func(t *testing.T) {
			t.Parallel()
			code := "package main\n" + strings.Replace(s.golang(signal), "exporter, err :=", "var exporter, err =", 1)
			_, err := parser.ParseFile(token.NewFileSet(), "snippet.go", code, parser.AllErrors)
			assert.NoError(t, err, code)
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

func TestParseEndpoint(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Endpoint{
		"http://localhost:4318":          {http: "http://localhost:4318", grpc: "localhost:4317"},
		"https://otel.example.com":       {http: "https://otel.example.com", tls: true},
		"https://otel.example.com/otlp/": {http: "https://otel.example.com/otlp", tls: true},
	} {
		got, err := ParseEndpoint(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "localhost:4318", "grpc://localhost:4317", "http://", "http://u:p@h", "http://h?a", "http://h#a", "http://h:4317", "http://h\n"} {
		_, err := ParseEndpoint(text)
		assert.Error(t, err, text)
	}
}

func TestShellQuote(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"plain", "a b", "it's", `"$HOME"`, "`id`", "[::1]", "", "a\nb", "ü"} {
		output, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+ShellQuote(word)).Output()
		require.NoError(t, err, word)
		assert.Equal(t, word, string(output))
	}
	assert.Regexp(t, `^[^']+$`, ShellQuote("authorization=Bearer%20"+someKey), "env files know no quotes")
}
