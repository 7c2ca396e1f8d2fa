package apikeyauthextension

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/gate"
	"github.com/otlpgate/otlpgate/internal/identity"
)

// received is what is known of a gRPC call besides its admission.
type received struct {
	bytes  atomic.Int64 // of its messages, decompressed
	seen   atomic.Bool  // by a door that records it
	signal identity.Signal
}

// receivedKey is one of each extension: several may follow the same server.
type receivedKey struct{ extension *gateExtension }

// receivedIn returns what is known of the call, nil where the middleware is not
// there.
func (e *gateExtension) receivedIn(ctx context.Context) *received {
	r, _ := ctx.Value(receivedKey{e}).(*received)
	return r
}

// size returns the bytes of the call so far.
func (r *received) size() int64 {
	if r == nil {
		return 0
	}
	return r.bytes.Load()
}

// see says that a door records the call.
func (r *received) see() {
	if r != nil {
		r.seen.Store(true)
	}
}

// callStats follows the calls of a gRPC server: grpc-go tells how large messages
// are, which to measure anew would cost more than all else that the gate does.
type callStats struct{ extension *gateExtension }

var _ stats.Handler = callStats{}

// TagRPC implements stats.Handler.
func (c callStats) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, receivedKey(c), &received{signal: signalOfMethod(info.FullMethodName)})
}

// HandleRPC implements stats.Handler. A message that cannot be decoded never
// comes to the interceptors: that is recorded here.
func (c callStats) HandleRPC(ctx context.Context, s stats.RPCStats) {
	r := c.extension.receivedIn(ctx)
	if r == nil {
		return
	}
	switch s := s.(type) {
	case *stats.InPayload:
		r.bytes.Add(int64(s.Length))
	case *stats.End:
		if s.Error != nil && !r.seen.Load() {
			c.extension.recordUndecoded(ctx, r, s.Error)
		}
	}
}

// recordUndecoded records a call that has ended before any door of ours, but the
// tap handle, has seen it.
func (e *gateExtension) recordUndecoded(ctx context.Context, r *received, err error) {
	end := endingOf(ctx, err)
	end.bytes = r.size()
	switch status.Code(err) {
	case codes.Internal, codes.ResourceExhausted: // grpc-go could not decode it, or it was too large
		end.reason = access.InvalidRequest
	case codes.Canceled, codes.DeadlineExceeded:
	default: // another authenticator has refused it
		return
	}
	at := grpcVisit(ctx, r.signal)
	a := admissionFrom(ctx, e.gate)
	if a == nil {
		md, _ := metadata.FromIncomingContext(ctx)
		var denial *identity.Denial
		a, denial = e.gate.Authenticate(context.WithoutCancel(ctx), gate.Request{Headers: md, Peer: peerOfCall(ctx)})
		if denial != nil {
			denied := describeDenied(denial, at)
			denied.Outcome, denied.Reason, denied.Status, denied.Bytes = access.Failed, end.reason, end.status, end.bytes
			e.record(ctx, &denied)
			return
		}
	}
	a.Measured = true
	e.recordEnd(ctx, a, at, end)
}

// TagConn implements stats.Handler.
func (callStats) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (callStats) HandleConn(context.Context, stats.ConnStats) {}
