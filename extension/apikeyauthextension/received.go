package apikeyauthextension

import (
	"context"
	"io"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/otlpgate/otlpgate/internal/access"
)

// received counts the bytes of a gRPC call, decompressed.
type received struct{ bytes atomic.Int64 }

type receivedKey struct{}

// receivedIn returns the bytes of the call so far.
func receivedIn(ctx context.Context) int64 {
	if r, ok := ctx.Value(receivedKey{}).(*received); ok {
		return r.bytes.Load()
	}
	return 0
}

// callStats follows the calls of a gRPC server: grpc-go tells how large messages
// are, which to measure anew would cost more than all else that the gate does.
type callStats struct{ extension *gateExtension }

var _ stats.Handler = callStats{}

// TagRPC implements stats.Handler.
func (callStats) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, receivedKey{}, &received{})
}

// HandleRPC implements stats.Handler. A message that cannot be decoded never
// comes to the interceptors: that is recorded here.
func (c callStats) HandleRPC(ctx context.Context, s stats.RPCStats) {
	switch s := s.(type) {
	case *stats.InPayload:
		if r, ok := ctx.Value(receivedKey{}).(*received); ok {
			r.bytes.Add(int64(s.Length))
		}
	case *stats.End:
		if t, ok := ctx.Value(tappedKey{}).(*tapped); ok && s.Error != nil && t.admission.IssuedBy(c.extension.gate) {
			end := endingOf(ctx, s.Error)
			if code := status.Code(s.Error); code == codes.Internal || code == codes.ResourceExhausted {
				end.reason = access.InvalidRequest // grpc-go could not decode it, or it was too large
			}
			end.bytes = receivedIn(ctx)
			c.extension.recordEnd(ctx, t.admission, grpcVisit(ctx, t.signal), end)
		}
	}
}

// TagConn implements stats.Handler.
func (callStats) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (callStats) HandleConn(context.Context, stats.ConnStats) {}

// countedBody counts what is read of an HTTP request's body, decompressed.
type countedBody struct {
	io.ReadCloser
	bytes int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.bytes += int64(n)
	return n, err
}
