// Package snippet writes what senders need to send with a new key: settings that
// can be pasted as they are.
package snippet

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/otlpgate/otlpgate/internal/identity"
)

// DefaultEndpoint is where a collector on the same machine listens.
const DefaultEndpoint = "http://localhost:4318"

const (
	httpPort = "4318"
	grpcPort = "4317"
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
	goPackage                 string
}

// sdkSignals are those that SDKs can export, the most usual first.
var sdkSignals = []sdkSignal{
	{identity.TracesWrite, "traces", "trace_exporter", "OTLPSpanExporter", "exporter-trace-otlp-proto", "OTLPTraceExporter", "otlptrace/otlptracehttp"},
	{identity.MetricsWrite, "metrics", "metric_exporter", "OTLPMetricExporter", "exporter-metrics-otlp-proto", "OTLPMetricExporter", "otlpmetric/otlpmetrichttp"},
	{identity.LogsWrite, "logs", "_log_exporter", "OTLPLogExporter", "exporter-logs-otlp-proto", "OTLPLogExporter", "otlplog/otlploghttp"},
}

// Endpoint is where telemetry is sent.
type Endpoint struct {
	http string // base URL, without a slash at its end
	grpc string // host and port; empty where it cannot be told
	tls  bool
}

// ParseEndpoint takes the base URL of OTLP/HTTP. The address of OTLP/gRPC
// follows from it where the port is the usual one. Its errors name the rule.
func ParseEndpoint(text string) (Endpoint, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return Endpoint{}, fmt.Errorf("%q: must begin with http:// or https:// and name a host", text)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return Endpoint{}, fmt.Errorf("of host %s: must hold no user, query or fragment", u.Host)
	case u.Port() == grpcPort:
		return Endpoint{}, fmt.Errorf("%q: port %s is that of OTLP/gRPC", text, grpcPort)
	}
	e := Endpoint{http: strings.TrimSuffix(u.String(), "/"), tls: u.Scheme == "https"}
	if u.Port() == httpPort {
		e.grpc = net.JoinHostPort(u.Hostname(), grpcPort)
	}
	return e, nil
}

// Settings are of one key.
type Settings struct {
	Endpoint Endpoint
	Key      string
	Scopes   identity.ScopeSet
	Projects []string // the key is limited to; empty: every project
}

// Snippet is one way to set up a sender. Its text can be pasted as it is,
// comments included.
type Snippet struct {
	ID    string // of a letter and digits
	Title string
	Text  string
}

// Sends reports whether the key may send anything at all; there are no snippets
// where it may not.
func (s Settings) Sends() bool { return s.Scopes.CanIngest(identity.SignalUnknown) }

// Snippets returns all that there are for the key.
func (s Settings) Snippets() []Snippet {
	if !s.Sends() {
		return nil
	}
	all := []Snippet{{"env", "Environment", s.environment()}, {"collector", "Collector", s.collectorHTTP()}}
	if s.Endpoint.grpc != "" {
		all = append(all, Snippet{"grpc", "Collector, gRPC", s.collectorGRPC()})
	}
	if signal, ok := s.signal(); ok {
		all = append(all, Snippet{"python", "Python", s.python(signal)}, Snippet{"node", "Node.js", s.node(signal)}, Snippet{"go", "Go", s.golang(signal)})
	}
	return all
}

// signal returns the most usual signal that the key may send from an SDK.
func (s Settings) signal() (sdkSignal, bool) {
	i := slices.IndexFunc(sdkSignals, func(k sdkSignal) bool { return s.Scopes.Has(k.scope) })
	if i < 0 {
		return sdkSignal{}, false
	}
	return sdkSignals[i], true
}

// environment sets up any SDK. Values of the headers and attributes are
// percent-encoded, as the OpenTelemetry specification demands.
func (s Settings) environment() string {
	var b strings.Builder
	b.WriteString("# any OpenTelemetry SDK, by its environment\n")
	export(&b, "OTEL_EXPORTER_OTLP_ENDPOINT", s.Endpoint.http)
	export(&b, "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
	export(&b, "OTEL_EXPORTER_OTLP_HEADERS", "authorization="+percentEncode("Bearer "+s.Key))
	if project, ok := s.project(); ok {
		export(&b, "OTEL_RESOURCE_ATTRIBUTES", projectAttribute+"="+percentEncode(project))
	}
	for _, signal := range sdkSignals {
		if !s.Scopes.Has(signal.scope) {
			// SDKs that start by themselves send all signals, and would log
			// a refusal for each that the key may not send.
			export(&b, "OTEL_"+strings.ToUpper(signal.name)+"_EXPORTER", "none")
		}
	}
	return b.String()
}

func export(b *strings.Builder, name, value string) {
	b.WriteString("export " + name + "=" + ShellQuote(value) + "\n")
}

// project returns the project that has to be named, since the key may not send
// to the default one.
func (s Settings) project() (string, bool) {
	if len(s.Projects) == 0 || slices.Contains(s.Projects, defaultProject) {
		return "", false
	}
	return s.Projects[0], true
}

func (s Settings) collectorHTTP() string {
	return fmt.Sprintf(`# a collector that forwards over OTLP/HTTP; name the exporter in its pipelines
exporters:
  otlp_http:
    endpoint: %s
    headers:
      authorization: %s
`, strconv.Quote(s.Endpoint.http), strconv.Quote("Bearer "+s.Key))
}

func (s Settings) collectorGRPC() string {
	insecure := "\n    tls:\n      insecure: true"
	if s.Endpoint.tls {
		insecure = ""
	}
	return fmt.Sprintf(`# a collector that forwards over OTLP/gRPC; name the exporter in its pipelines
exporters:
  otlp_grpc:
    endpoint: %s%s
    headers:
      authorization: %s
`, strconv.Quote(s.Endpoint.grpc), insecure, strconv.Quote("Bearer "+s.Key))
}

func (s Settings) python(signal sdkSignal) string {
	return fmt.Sprintf(`# Python, in code: pip install opentelemetry-exporter-otlp-proto-http
%sfrom opentelemetry.exporter.otlp.proto.http.%s import %s

exporter = %s(
    endpoint=%s,
    headers={"authorization": %s},
)
`, s.projectComment("#"), signal.pythonModule, signal.pythonClass, signal.pythonClass,
		strconv.Quote(s.url(signal)), strconv.Quote("Bearer "+s.Key))
}

func (s Settings) node(signal sdkSignal) string {
	return fmt.Sprintf(`// Node.js, in code: npm install @opentelemetry/%s
%simport { %s } from '@opentelemetry/%s';

const exporter = new %s({
  url: '%s',
  headers: { authorization: 'Bearer %s' },
});
`, signal.nodePackage, s.projectComment("//"), signal.nodeClass, signal.nodePackage, signal.nodeClass, s.url(signal), s.Key)
}

func (s Settings) golang(signal sdkSignal) string {
	pkg := signal.goPackage[strings.IndexByte(signal.goPackage, '/')+1:]
	return fmt.Sprintf(`// Go, in code: go get go.opentelemetry.io/otel/exporters/otlp/%s
%simport "go.opentelemetry.io/otel/exporters/otlp/%s"

exporter, err := %s.New(ctx,
	%s.WithEndpointURL(%s),
	%s.WithHeaders(map[string]string{"authorization": %s}),
)
`, signal.goPackage, s.projectComment("//"), signal.goPackage, pkg,
		pkg, strconv.Quote(s.url(signal)), pkg, strconv.Quote("Bearer "+s.Key))
}

func (s Settings) projectComment(mark string) string {
	project, ok := s.project()
	if !ok {
		return ""
	}
	return mark + " the resource must have the attribute " + projectAttribute + " = " + strconv.QuoteToGraphic(project) + "\n"
}

func (s Settings) url(signal sdkSignal) string { return s.Endpoint.http + "/v1/" + signal.name }

// percentEncode leaves only unreserved characters (RFC 3986) as they are.
func percentEncode(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

var shellSafe = regexp.MustCompile(`^[0-9A-Za-z_./:=%@,+-]+$`)

// ShellQuote returns a word that a POSIX shell reads as s.
func ShellQuote(s string) string {
	if shellSafe.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
