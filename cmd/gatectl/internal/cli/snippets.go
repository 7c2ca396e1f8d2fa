package cli

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/identity"
)

const (
	defaultOTLPEndpoint = "http://localhost:4318"
	otlpHTTPPort        = "4318"
	otlpGRPCPort        = "4317"
	// projectAttribute is the resource attribute by which the processor knows
	// the project of telemetry, unless it is configured otherwise; without it
	// the project is defaultProject.
	projectAttribute = "openinference.project.name"
	defaultProject   = "default"
)

// sdkSignal is what the exporters of SDKs are called for a signal.
type sdkSignal struct {
	scope                     identity.Scope
	name                      string // as in the paths and variables of OTLP
	pythonModule, pythonClass string
	nodePackage, nodeClass    string
}

// sdkSignals are those that SDKs can export, the most usual first.
var sdkSignals = []sdkSignal{
	{identity.TracesWrite, "traces", "trace_exporter", "OTLPSpanExporter", "exporter-trace-otlp-proto", "OTLPTraceExporter"},
	{identity.MetricsWrite, "metrics", "metric_exporter", "OTLPMetricExporter", "exporter-metrics-otlp-proto", "OTLPMetricExporter"},
	{identity.LogsWrite, "logs", "_log_exporter", "OTLPLogExporter", "exporter-logs-otlp-proto", "OTLPLogExporter"},
}

// otlpEndpoint is where telemetry is sent.
type otlpEndpoint struct {
	http string // base URL, without a slash at its end
	grpc string // host and port; empty where it cannot be told
	tls  bool
}

// parseOTLPEndpoint takes the base URL of OTLP/HTTP. The address of OTLP/gRPC
// follows from it where the port is the usual one.
func parseOTLPEndpoint(text string) (otlpEndpoint, error) {
	const hint = "give the base URL of OTLP/HTTP, as in " + defaultOTLPEndpoint
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return otlpEndpoint{}, misuse(hint, "--otlp-endpoint %q: must begin with http:// or https:// and name a host", text)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return otlpEndpoint{}, misuse(hint, "--otlp-endpoint of host %s: must hold no user, query or fragment", u.Host)
	case u.Port() == otlpGRPCPort:
		return otlpEndpoint{}, misuse(hint, "--otlp-endpoint %q: port %s is that of OTLP/gRPC", text, otlpGRPCPort)
	}
	e := otlpEndpoint{http: strings.TrimSuffix(u.String(), "/"), tls: u.Scheme == "https"}
	if u.Port() == otlpHTTPPort {
		e.grpc = net.JoinHostPort(u.Hostname(), otlpGRPCPort)
	}
	return e, nil
}

// exporterSettings writes what an exporter needs to send with a new key.
type exporterSettings struct {
	endpoint otlpEndpoint
	key      string
	scopes   identity.ScopeSet
	projects []string
}

// settingsFor returns the settings for a key that was just created; ok is
// false where it may send nothing.
func settingsFor(key *client.Key, endpoint otlpEndpoint) (settings exporterSettings, ok bool) {
	s := exporterSettings{endpoint: endpoint, key: *key.Key, scopes: scopeSet(key.Scopes), projects: key.Projects}
	return s, s.scopes.CanIngest(identity.SignalUnknown)
}

// all returns every snippet; each can be pasted as it is, comments included.
func (s exporterSettings) all() string {
	parts := []string{s.environment(), s.collectorHTTP()}
	if s.endpoint.grpc != "" {
		parts = append(parts, s.collectorGRPC())
	}
	if signal, ok := s.signal(); ok {
		parts = append(parts, s.python(signal), s.node(signal))
	}
	return strings.Join(parts, "\n")
}

// signal returns the most usual signal that the key may send from an SDK.
func (s exporterSettings) signal() (sdkSignal, bool) {
	i := slices.IndexFunc(sdkSignals, func(k sdkSignal) bool { return s.scopes.Has(k.scope) })
	if i < 0 {
		return sdkSignal{}, false
	}
	return sdkSignals[i], true
}

// environment sets up any SDK. Values of the headers and attributes are
// percent-encoded, as the OpenTelemetry specification demands.
func (s exporterSettings) environment() string {
	var b strings.Builder
	b.WriteString("# any OpenTelemetry SDK, by its environment\n")
	export(&b, "OTEL_EXPORTER_OTLP_ENDPOINT", s.endpoint.http)
	export(&b, "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
	export(&b, "OTEL_EXPORTER_OTLP_HEADERS", "authorization="+percentEncode("Bearer "+s.key))
	if project, ok := s.project(); ok {
		export(&b, "OTEL_RESOURCE_ATTRIBUTES", projectAttribute+"="+percentEncode(project))
	}
	for _, signal := range sdkSignals {
		if !s.scopes.Has(signal.scope) {
			// SDKs that start by themselves send all signals, and would log
			// a refusal for each that the key may not send.
			export(&b, "OTEL_"+strings.ToUpper(signal.name)+"_EXPORTER", "none")
		}
	}
	return b.String()
}

func export(b *strings.Builder, name, value string) {
	b.WriteString("export " + name + "=" + shellQuote(value) + "\n")
}

// project returns the project that has to be named, since the key may not send
// to the default one.
func (s exporterSettings) project() (string, bool) {
	if len(s.projects) == 0 || slices.Contains(s.projects, defaultProject) {
		return "", false
	}
	return s.projects[0], true
}

func (s exporterSettings) collectorHTTP() string {
	return fmt.Sprintf(`# a collector that forwards over OTLP/HTTP; name the exporter in its pipelines
exporters:
  otlp_http:
    endpoint: %s
    headers:
      authorization: %s
`, strconv.Quote(s.endpoint.http), strconv.Quote("Bearer "+s.key))
}

func (s exporterSettings) collectorGRPC() string {
	insecure := "\n    tls:\n      insecure: true"
	if s.endpoint.tls {
		insecure = ""
	}
	return fmt.Sprintf(`# or over OTLP/gRPC
exporters:
  otlp_grpc:
    endpoint: %s%s
    headers:
      authorization: %s
`, strconv.Quote(s.endpoint.grpc), insecure, strconv.Quote("Bearer "+s.key))
}

func (s exporterSettings) python(signal sdkSignal) string {
	return fmt.Sprintf(`# Python, in code: pip install opentelemetry-exporter-otlp-proto-http
%sfrom opentelemetry.exporter.otlp.proto.http.%s import %s

exporter = %s(
    endpoint=%s,
    headers={"authorization": %s},
)
`, s.projectComment("#"), signal.pythonModule, signal.pythonClass, signal.pythonClass,
		strconv.Quote(s.url(signal)), strconv.Quote("Bearer "+s.key))
}

func (s exporterSettings) node(signal sdkSignal) string {
	return fmt.Sprintf(`// Node.js, in code: npm install @opentelemetry/%s
%simport { %s } from '@opentelemetry/%s';

const exporter = new %s({
  url: '%s',
  headers: { authorization: 'Bearer %s' },
});
`, signal.nodePackage, s.projectComment("//"), signal.nodeClass, signal.nodePackage, signal.nodeClass, s.url(signal), s.key)
}

func (s exporterSettings) projectComment(mark string) string {
	project, ok := s.project()
	if !ok {
		return ""
	}
	return mark + " the resource must have the attribute " + projectAttribute + " = " + strconv.QuoteToGraphic(project) + "\n"
}

func (s exporterSettings) url(signal sdkSignal) string { return s.endpoint.http + "/v1/" + signal.name }

// percentEncode leaves only unreserved characters (RFC 3986) as they are.
func percentEncode(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

var shellSafe = regexp.MustCompile(`^[0-9A-Za-z_./:=%@,+-]+$`)

// shellQuote returns a word that a POSIX shell reads as s.
func shellQuote(s string) string {
	if shellSafe.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
