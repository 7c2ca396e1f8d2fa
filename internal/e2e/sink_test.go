package e2e

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/pprofile/pprofileotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// sink is the backend behind a collector: an OTLP/gRPC server in this process
// that keeps what arrives.
type sink struct {
	address  string
	requests atomic.Int64
	hold     atomic.Pointer[chan struct{}] // requests wait until it is closed, or each for a value
	fail     atomic.Uint32                 // requests are answered with that codes.Code unless it is OK

	traces   consumertest.TracesSink
	metrics  consumertest.MetricsSink
	logs     consumertest.LogsSink
	profiles consumertest.ProfilesSink
}

func newSink(t testing.TB) *sink {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &sink{address: listener.Addr().String()}
	server := grpc.NewServer(grpc.UnaryInterceptor(s.count))
	ptraceotlp.RegisterGRPCServer(server, &traceSink{s: s})
	pmetricotlp.RegisterGRPCServer(server, &metricSink{s: s})
	plogotlp.RegisterGRPCServer(server, &logSink{s: s})
	pprofileotlp.RegisterGRPCServer(server, &profileSink{s: s})
	go func() { _ = server.Serve(listener) }() // until Stop
	t.Cleanup(server.Stop)
	return s
}

func (s *sink) count(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	s.requests.Add(1)
	if hold := s.hold.Load(); hold != nil {
		<-*hold
	}
	if code := codes.Code(s.fail.Load()); code != codes.OK {
		return nil, status.Error(code, "the backend fails")
	}
	return handle(ctx, req)
}

// items counts all that has arrived.
func (s *sink) items() int {
	return s.traces.SpanCount() + s.metrics.DataPointCount() + s.logs.LogRecordCount() + s.profileCount()
}

func (s *sink) profileCount() int {
	n := 0
	for _, p := range s.profiles.AllProfiles() {
		n += p.ProfileCount()
	}
	return n
}

// spans lists all spans that have arrived.
func (s *sink) spans() (spans []ptrace.Span) {
	for _, td := range s.traces.AllTraces() {
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, span := range ss.Spans().All() {
					spans = append(spans, span)
				}
			}
		}
	}
	return spans
}

type traceSink struct {
	ptraceotlp.UnimplementedGRPCServer
	s *sink
}

func (t *traceSink) Export(ctx context.Context, r ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	return ptraceotlp.NewExportResponse(), t.s.traces.ConsumeTraces(ctx, r.Traces())
}

type metricSink struct {
	pmetricotlp.UnimplementedGRPCServer
	s *sink
}

func (m *metricSink) Export(ctx context.Context, r pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	return pmetricotlp.NewExportResponse(), m.s.metrics.ConsumeMetrics(ctx, r.Metrics())
}

type logSink struct {
	plogotlp.UnimplementedGRPCServer
	s *sink
}

func (l *logSink) Export(ctx context.Context, r plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	return plogotlp.NewExportResponse(), l.s.logs.ConsumeLogs(ctx, r.Logs())
}

type profileSink struct {
	pprofileotlp.UnimplementedGRPCServer
	s *sink
}

func (p *profileSink) Export(ctx context.Context, r pprofileotlp.ExportRequest) (pprofileotlp.ExportResponse, error) {
	return pprofileotlp.NewExportResponse(), p.s.profiles.ConsumeProfiles(ctx, r.Profiles())
}
