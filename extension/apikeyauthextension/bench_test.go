package apikeyauthextension

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component/componenttest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"

	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// bareFixture is the extension alone, with a key that is held in memory and
// the contexts that the collector's servers would give.
func bareFixture(t testing.TB) (f *fixture, secret string, grpcCtx, httpCtx context.Context) {
	t.Helper()
	f = &fixture{telemetry: componenttest.NewTelemetry()}
	f.startExtension(t, fixtureOptions{})
	secret = f.key(t)
	info := client.Info{Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4711}}
	grpcCtx = grpc.NewContextWithServerTransportStream(client.NewContext(context.Background(), info),
		transportStream("/opentelemetry.proto.collector.trace.v1.TraceService/Export"))
	httpCtx = context.WithValue(client.NewContext(context.Background(), info), http.ServerContextKey, &http.Server{})
	_, err := f.extension.Authenticate(grpcCtx, map[string][]string{"authorization": {"Bearer " + secret}})
	require.NoError(t, err)
	f.awaitCached(t, secret)
	return f, secret, grpcCtx, httpCtx
}

// transportStream is what tells the method of a gRPC call.
type transportStream string

func (s transportStream) Method() string { return string(s) }

func (transportStream) SetHeader(metadata.MD) error  { return nil }
func (transportStream) SendHeader(metadata.MD) error { return nil }
func (transportStream) SetTrailer(metadata.MD) error { return nil }

func BenchmarkAuthenticate(b *testing.B) {
	f, secret, grpcCtx, httpCtx := bareFixture(b)
	broken := "Bearer " + secret[:len(secret)-6] + "000000"
	for _, bm := range []struct {
		name    string
		ctx     context.Context
		headers map[string][]string
	}{
		{"grpc/cached", grpcCtx, map[string][]string{"authorization": {"Bearer " + secret}}},
		{"http/cached", httpCtx, map[string][]string{"Authorization": {"Bearer " + secret}}},
		{"grpc/checksum", grpcCtx, map[string][]string{"authorization": {broken}}},
		{"grpc/none", grpcCtx, nil},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = f.extension.Authenticate(bm.ctx, bm.headers)
			}
		})
	}
	for name, secret := range map[string]string{"grpc/tap": secret, "grpc/tap/limited": f.limitedKey(b, 1<<50), "grpc/tap/over the limit": f.limitedKey(b, 1)} {
		b.Run(name, func(b *testing.B) {
			info := &tap.Info{
				FullMethodName: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
				Header:         map[string][]string{"authorization": {"Bearer " + secret}},
			}
			b.ReportAllocs()
			for b.Loop() {
				// The end of the context closes the tab, as that of a request does.
				ctx, end := context.WithCancel(peer.NewContext(context.Background(), &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4711}}))
				_, _ = f.extension.tap(ctx, info)
				end()
			}
		})
	}
}

// limitedKey is a key, held in memory, that has a limit of its own.
func (f *fixture) limitedKey(t testing.TB, most int64) string {
	t.Helper()
	secret := f.key(t, func(k *store.Key) {
		k.Limits = []limit.Limit{{On: limit.Ingest, Unit: limit.Requests, Max: most, Window: limit.Window(time.Minute)}}
	})
	f.resolve(t, secret)
	return secret
}

// Two of the six are for the end of a request that no door of ours may see, which
// is so where a receiver has `auth:` alone.
func TestAuthenticatingACachedKeyAllocatesAtMostSixTimes(t *testing.T) {
	f, secret, grpcCtx, httpCtx := bareFixture(t)
	for name, tt := range map[string]struct {
		ctx     context.Context
		headers map[string][]string
	}{
		"grpc": {grpcCtx, map[string][]string{"authorization": {"Bearer " + secret}}},
		"http": {httpCtx, map[string][]string{"Authorization": {"Bearer " + secret}}},
	} {
		t.Run(name, func(t *testing.T) {
			allocations := testing.AllocsPerRun(1000, func() {
				_, err := f.extension.Authenticate(tt.ctx, tt.headers)
				require.NoError(t, err)
			})
			if !raceEnabled {
				require.LessOrEqual(t, allocations, 6.0)
			}
		})
	}
}
