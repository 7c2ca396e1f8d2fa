package apikeyauthextension

import (
	"strings"

	"github.com/otlpgate/otlpgate/internal/identity"
)

// otlpPaths are the paths of OTLP/HTTP. Receivers can be configured to put
// something before them.
var otlpPaths = map[identity.Signal]string{
	identity.Traces:   "/v1/traces",
	identity.Metrics:  "/v1/metrics",
	identity.Logs:     "/v1/logs",
	identity.Profiles: "/v1development/profiles",
}

// signalOfPath returns what a request to that path sends.
func signalOfPath(path string) identity.Signal {
	for signal, suffix := range otlpPaths {
		if strings.HasSuffix(path, suffix) {
			return signal
		}
	}
	return identity.SignalUnknown
}

// otlpServices are the gRPC services of OTLP.
var otlpServices = map[string]identity.Signal{
	"opentelemetry.proto.collector.trace.v1.TraceService":                  identity.Traces,
	"opentelemetry.proto.collector.metrics.v1.MetricsService":              identity.Metrics,
	"opentelemetry.proto.collector.logs.v1.LogsService":                    identity.Logs,
	"opentelemetry.proto.collector.profiles.v1development.ProfilesService": identity.Profiles,
}

// signalOfMethod returns what a call of that full gRPC method sends.
func signalOfMethod(method string) identity.Signal {
	service, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	return otlpServices[service]
}
