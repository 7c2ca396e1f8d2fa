package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/otlpgate/otlpgate/internal/credential"
)

// tickLength is the unit in which Linux tells programs of processor time.
const tickLength = 10 * time.Millisecond

// cpu returns the processor time that the process has taken.
func (p *process) cpu(b *testing.B) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		b.Skipf("processor time is read from /proc: %v", err)
	}
	_, rest, _ := strings.Cut(string(text), ") ") // behind the name
	fields := strings.Fields(rest)
	ticks := 0
	for _, field := range fields[11:13] { // utime and stime
		n, err := strconv.Atoi(field)
		require.NoError(b, err)
		ticks += n
	}
	return time.Duration(ticks) * tickLength
}

// load is a kind of request, and what it has cost until now.
type load struct {
	name     string
	secrets  []string // taken at random
	want     codes.Code
	requests int64
	cpu      time.Duration
}

func (l *load) perRequest() time.Duration { return l.cpu / time.Duration(l.requests) }

// run sends requests until they have taken so much of the collector's time.
func (l *load) run(b *testing.B, c *collector, conns []*grpc.ClientConn, body []byte, budget time.Duration) {
	b.Helper()
	var sent, wrong atomic.Int64
	var done atomic.Bool
	var sending sync.WaitGroup
	began := c.cpu(b)
	for _, conn := range conns {
		sending.Go(func() {
			for !done.Load() {
				var resp []byte
				ctx := metadata.NewOutgoingContext(b.Context(), metadata.New(bearer(l.secrets[rand.IntN(len(l.secrets))])))
				if err := conn.Invoke(ctx, traces.method, body, &resp); status.Code(err) != l.want {
					wrong.Add(1)
				}
				sent.Add(1)
			}
		})
	}
	for c.cpu(b)-began < budget && wrong.Load() == 0 {
		time.Sleep(tick)
	}
	done.Store(true)
	sending.Wait()
	l.cpu += c.cpu(b) - began
	l.requests += sent.Load()
	require.Zero(b, wrong.Load(), "%s: answers other than %s", l.name, l.want)
}

// spans is a request as applications send it.
func spans(count, attributes int) message {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "checkout")
	all := rs.ScopeSpans().AppendEmpty().Spans()
	for i := range count {
		span := all.AppendEmpty()
		span.SetName("GET /cart/{id}")
		span.SetTraceID([16]byte{1, byte(i)})
		span.SetSpanID([8]byte{1, byte(i)})
		for n := range attributes {
			span.Attributes().PutStr(fmt.Sprintf("http.attribute.%d", n), "value of some length")
		}
	}
	return ptraceotlp.NewExportRequestFromTraces(td)
}

// BenchmarkRefusedRequests tells what a request of 100 spans over gRPC costs the
// collector if it is refused, as part of what it costs if it is accepted and
// thrown away behind the gate. Both are measured in turns, so that whatever
// else the machine does meets both.
//
// Each client waits for its answer, as the exporters of SDKs do. That is the
// worse case: all of the work of a connection, such as its system calls, is for
// one request, of which requests at once share much.
func BenchmarkRefusedRequests(b *testing.B) {
	c, conns := startBench(b)
	over := c.create(b, limitedTo("1 requests in 30m on ingest"))
	spend(b, conns[0], over)
	compare(b, c, conns,
		&load{name: "accepted", secrets: []string{c.create(b, generous).secret}},
		&load{name: "refused", secrets: []string{over.secret}, want: codes.ResourceExhausted},
		&load{name: "unknown", secrets: []string{c.vault.mint(credential.Live)}, want: codes.Unauthenticated})
}

// generous limits count and never refuse.
var generous = limitedTo("1000000000 requests in 30m on ingest")

// startBench starts a collector that throws away what it accepts.
func startBench(b *testing.B) (*collector, []*grpc.ClientConn) {
	b.Helper()
	c := start(b, options{overlay: "service: {pipelines: {traces: {exporters: [nop]}}}"})
	conns := make([]*grpc.ClientConn, 8)
	for i := range conns {
		conns[i] = dialBare(b, c.grpcAddress)
	}
	return c, conns
}

// BenchmarkManyKeys tells what a request costs where it comes from any of many
// keys, as part of what it costs where all come from one.
func BenchmarkManyKeys(b *testing.B) {
	c, conns := startBench(b)
	secrets := make([]string, manyKeys)
	for i, r := range flood(manyKeys, 64, func() created { return createInUse(b.Context(), c, conns[0]) }) {
		require.NoError(b, r.err)
		secrets[i] = r.secret
	}
	compare(b, c, conns,
		&load{name: "one", secrets: secrets[:1]},
		&load{name: "many", secrets: secrets})
}

const manyKeys = 20_000

type created struct {
	secret string
	err    error
}

// createInUse creates a key and brings it into the collector's memory.
func createInUse(ctx context.Context, c *collector, conn *grpc.ClientConn) created {
	k, err := c.tryCreate(ctx, generous)
	if err != nil {
		return created{err: err}
	}
	var resp []byte
	body, err := traces.request().MarshalProto()
	if err != nil {
		return created{err: err}
	}
	return created{k.secret, conn.Invoke(metadata.NewOutgoingContext(ctx, metadata.New(k.bearer())), traces.method, body, &resp)}
}

// compare reports what each load costs, and as part of the first one.
func compare(b *testing.B, c *collector, conns []*grpc.ClientConn, loads ...*load) {
	b.Helper()
	const rounds, budget = 6, 400 * time.Millisecond
	body := marshalProto(b, spans(100, 10))
	for _, l := range loads { // brings keys into memory, and buffers to their size
		l.run(b, c, conns, body, budget/2)
		l.cpu, l.requests = 0, 0
	}
	for b.Loop() {
		for range rounds {
			for _, l := range loads {
				l.run(b, c, conns, body, budget)
			}
		}
	}
	b.ReportMetric(0, "ns/op") // of a whole series of rounds
	for i, l := range loads {
		b.ReportMetric(float64(l.perRequest())/float64(time.Microsecond), "cpu-µs/"+l.name)
		if i > 0 {
			b.ReportMetric(float64(l.perRequest())/float64(loads[0].perRequest()), l.name+"/"+loads[0].name)
		}
	}
}

// dialBare connects as dialGRPC does, with nobody listening.
func dialBare(b testing.TB, address string) *grpc.ClientConn {
	b.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(raw{})))
	require.NoError(b, err)
	b.Cleanup(func() { conn.Close() })
	return conn
}

// spend uses up what a key may send.
func spend(b *testing.B, conn *grpc.ClientConn, k key) {
	b.Helper()
	ctx := metadata.NewOutgoingContext(b.Context(), metadata.New(k.bearer()))
	var resp []byte
	for code := codes.OK; code != codes.ResourceExhausted; {
		code = status.Code(conn.Invoke(ctx, traces.method, marshalProto(b, traces.request()), &resp))
	}
}
