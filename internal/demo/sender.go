package demo

import (
	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/identity"
)

// sender is how a key is used.
type sender struct {
	agent  string
	rhythm rhythm
	// rate is how many requests come in a minute when most is going on.
	rate float64
	// growth is the part of it by which it was less when usage began.
	growth float64
	flows  []flow
	from   []origin
	// spread is over how many addresses one step goes at most.
	spread int
	// failing is the part of requests that come to nothing behind the gate.
	failing float64
	refused []refusal
	// spans are when it sent, in days ago; none: always.
	spans []span
	// insists is the part that goes on when the key is no longer valid.
	insists float64
	// laggard is the part that stays with an old secret to the end of its grace
	// period; the others change over in the first half.
	laggard float64
}

// span is a time, in days ago.
type span struct{ from, until float64 }

func (s *sender) sends(ago float64) bool {
	for _, span := range s.spans {
		if ago <= span.from && ago >= span.until {
			return true
		}
	}
	return len(s.spans) == 0
}

// flow is a part of what a sender sends.
type flow struct {
	endpoint  string
	transport access.Transport
	share     float64
	items     float64 // of a request
	size      float64 // of an item in bytes
	millis    float64 // that a request takes
}

func traces(t access.Transport, share, items float64) flow {
	return flow{identity.Traces.String(), t, share, items, 430, 3.5}
}

func metrics(share, items float64) flow {
	return flow{identity.Metrics.String(), access.GRPC, share, items, 165, 2.8}
}

func logs(t access.Transport, share, items float64) flow {
	return flow{identity.Logs.String(), t, share, items, 310, 3.1}
}

func profiles(share, items float64) flow {
	return flow{identity.Profiles.String(), access.GRPC, share, items, 96, 6}
}

// call is one of the admin API, by its pattern.
func call(pattern string, share float64) flow {
	return flow{pattern, access.HTTP, share, 0, 0, 1.6}
}

// refusal is a part of requests that are turned away.
type refusal struct {
	reason   identity.Reason
	endpoint string // empty: that of the first flow
	share    float64
	since    float64 // days ago; zero: always
}

// The user agents of the senders.
const (
	pythonSDK  = "OTel-OTLP-Exporter-Python/1.27.0"
	pythonOld  = "OTel-OTLP-Exporter-Python/1.21.0"
	goSDK      = "OTel OTLP Exporter Go/1.32.0 grpc-go/1.67.1"
	nodeSDK    = "OTel-OTLP-Exporter-JavaScript/0.57.0"
	javaSDK    = "OTel-OTLP-Exporter-Java/1.43.0"
	dotnetSDK  = "OTel-OTLP-Exporter-Dotnet/1.10.0"
	rubySDK    = "OTel-OTLP-Exporter-Ruby/0.29.1 Ruby/3.3.6 (x86_64-linux; ruby)"
	rustSDK    = "OTel-OTLP-Exporter-Rust/0.27.0"
	swiftSDK   = "OTel-OTLP-Exporter-Swift/1.11.0"
	telemetry  = "telemetrygen"
	collector  = "OpenTelemetry Collector Contrib/0.114.0 (linux/amd64) grpc-go/1.68.0"
	gatectl    = "gatectl/0.1.0-dev"
	nginxAgent = "nginx/1.27.3"
	browser    = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)
