package apikeyauthextension

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/identity"
)

// hundredSpans are a request as applications send it.
func hundredSpans() ptraceotlp.ExportRequest {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "checkout")
	spans := rs.ScopeSpans().AppendEmpty().Spans()
	for i := range 100 {
		span := spans.AppendEmpty()
		span.SetName("GET /cart/{id}")
		span.SetTraceID([16]byte{1, byte(i)})
		span.SetSpanID([8]byte{1, byte(i)})
		for n := range 10 {
			span.Attributes().PutStr(fmt.Sprintf("http.attribute.%d", n), "value of some length")
		}
	}
	return ptraceotlp.NewExportRequestFromTraces(td)
}

// processorTime is what this process has taken.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkAccount tells what it costs to keep account of an accepted request of
// 100 spans over gRPC, flushes included, as part of what the whole request costs,
// sending it included.
func BenchmarkAccount(b *testing.B) {
	// How many requests of each key come between two flushes: 200 a second of one
	// key, and 2 a second of each of a thousand, where a flush is every 10 s.
	for keys, perFlush := range map[int]int{1: 2000, 1000: 20} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			f := newFixture(b, fixtureOptions{doors: both, end: consumertest.NewNop()})
			ids := make([]*identity.Identity, keys)
			for i := range ids {
				ids[i] = &identity.Identity{KeyID: fmt.Sprintf("key_%020d", i), KeyType: identity.UserKey}
			}
			whole := f.perRequest(b)
			began := processorTime(b)
			n := 0
			for b.Loop() {
				f.account(ids[n/perFlush%keys])
				if n++; n%(perFlush*keys) == 0 {
					require.NoError(b, f.extension.books.Flush(b.Context()))
				}
			}
			account := (processorTime(b) - began) / time.Duration(n)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(account.Nanoseconds())/1000, "cpu-µs/account")
			b.ReportMetric(float64(whole.Nanoseconds())/1000, "cpu-µs/request")
			b.ReportMetric(100*float64(account)/float64(whole), "%/request")
		})
	}
}

// account does what is done for the account of an accepted request.
func (f *fixture) account(id *identity.Identity) {
	e, handler := f.extension, callStats{f.extension}
	ctx := handler.TagRPC(userAgentContext, &stats.RPCTagInfo{FullMethodName: exportTraces})
	handler.HandleRPC(ctx, &stats.InPayload{Length: 50_000})
	a := identity.NewAdmission(id, e.gate)
	a.Arrival.At = e.now()
	at := grpcVisit(ctx, identity.Traces)
	a.Pass(e, identity.Traces, 100, 0)
	e.recordEnd(ctx, a, at, ending{status: 200, bytes: e.receivedIn(ctx).size()})
	handler.HandleRPC(ctx, &stats.End{})
}

var userAgentContext = metadata.NewIncomingContext(context.Background(), metadata.Pairs("user-agent", "OTel-OTLP-Exporter-Go/1.46.0"))

// perRequest is what a request costs in all.
func (f *fixture) perRequest(b *testing.B) time.Duration {
	b.Helper()
	secret := f.key(b)
	client := ptraceotlp.NewGRPCClient(f.grpc)
	ctx := metadata.NewOutgoingContext(b.Context(), metadata.New(bearer(secret)))
	request := hundredSpans()
	send := func(n int) {
		for range n {
			_, err := client.Export(ctx, request)
			require.NoError(b, err)
		}
	}
	send(200)
	const requests = 3000
	began := processorTime(b)
	send(requests)
	return (processorTime(b) - began) / requests
}

// BenchmarkRequests sends requests of 100 spans over gRPC from many connections at
// once: to be run with -mutexprofile, to see which locks they share.
func BenchmarkRequests(b *testing.B) {
	f := newFixture(b, fixtureOptions{doors: both, end: consumertest.NewNop()})
	secret := f.key(b)
	request := hundredSpans()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		conn, err := grpc.NewClient(f.grpcAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		client := ptraceotlp.NewGRPCClient(conn)
		ctx := metadata.NewOutgoingContext(b.Context(), metadata.New(bearer(secret)))
		for pb.Next() {
			if _, err := client.Export(ctx, request); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkRecord is the part of it that requests at once may contend for.
func BenchmarkRecord(b *testing.B) {
	tally := access.NewTally(access.Denied)
	b.RunParallel(func(pb *testing.PB) {
		r := access.Request{Group: access.Group{KeyID: "key_a", Endpoint: "traces", Outcome: access.Accepted}, At: time.Now()}
		for pb.Next() {
			tally.Record(&r)
		}
	})
}
