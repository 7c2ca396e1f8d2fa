package apikeyauthextension

import (
	"context"
	"net/netip"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/clientip"
	"github.com/otlpgate/otlpgate/internal/gate"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
)

// GetGRPCServerOptions implements extensionmiddleware.GRPCServer: the door that
// a receiver's `middlewares:` opens. The interceptors run after those of
// `auth:` and after the request has been decoded; the tap handle before either.
func (e *gateExtension) GetGRPCServerOptions(context.Context) ([]grpc.ServerOption, error) {
	e.intercepts.Store(true)
	options := []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(e.interceptUnary),
		grpc.ChainStreamInterceptor(e.interceptStream),
		grpc.StatsHandler(callStats{e}),
	}
	if e.config.EarlyRefusal {
		options = append(options, grpc.InTapHandle(e.tap))
	}
	return options, nil
}

// tap refuses before the request is decoded, where memory can decide, and
// leaves the rest to the interceptors. It runs in the connection's own
// goroutine and must not block.
func (e *gateExtension) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	a, denial, decided := e.gate.AuthenticateFromMemory(gate.Request{Headers: info.Header, Peer: peerOfCall(ctx)})
	if !decided {
		return ctx, nil
	}
	v := verdictOf(a, denial)
	at := visit{signalOfMethod(info.FullMethodName), access.GRPC, first(info.Header["user-agent"])}
	if v.refusal == nil {
		v.refusal = e.gate.Authorize(a, at.signal)
	}
	if v.refusal != nil {
		return ctx, e.refuseEarly(ctx, v, at)
	}
	v.refusal, decided = a.EnterAtHand(at.signal.Traffic())
	if !decided {
		return withTapped(ctx, a, at.signal), nil
	}
	if v.refusal == nil {
		a.Tab.CloseAfter(ctx)
		return withTapped(ctx, a, at.signal), nil
	}
	if e.courtesy.take(time.Now()) {
		return withTapped(ctx, a, at.signal), nil // not entered, so that the interceptors refuse it
	}
	return ctx, e.refuseEarly(ctx, v, at)
}

// peerOfCall returns the address at the other end of a call's connection.
func peerOfCall(ctx context.Context) netip.Addr {
	if p, ok := peer.FromContext(ctx); ok {
		return clientip.FromNetAddr(p.Addr)
	}
	return netip.Addr{}
}

// longDeadline is the longest deadline of a request that is refused early.
// grpc-go (1.85) stops the timer of a deadline with the stream, but for a stream
// that the tap handle refuses: that timer stays until it fires, which a sender
// may ask to be in a thousand years.
const longDeadline = 30 * time.Second

// refuseEarly records and returns the refusal, or nil where it is left to the
// interceptors.
func (e *gateExtension) refuseEarly(ctx context.Context, v verdict, at visit) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) > longDeadline {
		return nil
	}
	e.recordRefusal(ctx, v, at)
	return v.refusal
}

func (e *gateExtension) interceptUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	at := grpcVisit(ctx, signalOfMethod(info.FullMethod))
	a, err := e.admitGRPC(ctx, at)
	if err != nil {
		_ = grpc.SetHeader(ctx, limitMetadata(a, at.signal)) // fails only where an answer has begun
		return nil, err
	}
	end := ending{status: statusOfCode(codes.Internal), reason: access.PipelineFailed} // of a handler that panics
	defer func() {
		end.bytes = e.receivedIn(ctx).size()
		e.recordEnd(ctx, a, at, end)
		leave(ctx, a.Tab, end.reason == "")
	}()
	resp, err := handler(withAdmission(ctx, a, e.credentialHeaders), req)
	end = endingOf(ctx, err)
	if err != nil && ctx.Err() == nil { // before the answer says what is left
		a.Tab.Fail()
	}
	_ = grpc.SetHeader(ctx, limitMetadata(a, at.signal))
	if err != nil {
		return resp, err
	}
	if answer := partialSuccess(at.signal, a); answer != nil {
		return answer, nil
	}
	return resp, nil
}

func (e *gateExtension) interceptStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx := stream.Context()
	at := grpcVisit(ctx, signalOfMethod(info.FullMethod))
	a, err := e.admitGRPC(ctx, at)
	_ = grpc.SetHeader(ctx, limitMetadata(a, at.signal)) // fails only where an answer has begun
	if err != nil {
		return err
	}
	s := &admittedStream{
		ServerStream: stream, ctx: withAdmission(ctx, a, e.credentialHeaders), admission: a, traffic: at.signal.Traffic(),
	}
	end := ending{status: statusOfCode(codes.Internal), reason: access.PipelineFailed} // of a handler that panics
	defer func() {
		end.bytes, end.requests = e.receivedIn(ctx).size(), s.messages
		e.recordEnd(ctx, a, at, end)
		leave(ctx, a.Tab, end.reason == "")
	}()
	err = handler(srv, s)
	end = endingOf(ctx, err)
	if s.refusal != nil { // of the last message; those before it were let in
		end = ending{status: statusOfCode(codes.OK)}
		e.recordMessage(ctx, a, s.refusal, at)
	}
	return err
}

// admitGRPC takes over what the tap handle or Authenticate admitted, or
// decides itself. Where it returns no error, the admission's tab is held. The
// admission is nil where no key was recognized.
func (e *gateExtension) admitGRPC(ctx context.Context, at visit) (*identity.Admission, error) {
	e.receivedIn(ctx).see()
	v := verdict{admission: admissionFrom(ctx, e.gate)}
	if v.admission == nil {
		md, _ := metadata.FromIncomingContext(ctx)
		v = verdictOf(e.gate.Authenticate(ctx, gate.Request{Headers: md, Peer: peerFrom(ctx)}))
	} else {
		e.claim(v.admission)
	}
	v = e.enter(ctx, v, at.signal)
	if v.refusal != nil {
		e.recordRefusal(ctx, v, at)
		return v.admission, v.refusal
	}
	a := v.admission
	if !a.Tab.Hold() { // entered by another door, and the client has gone since
		e.recordEnd(ctx, a, at, ending{status: statusClientGone, reason: access.Canceled})
		return a, status.FromContextError(context.Canceled).Err()
	}
	a.Measured = true
	return a, nil
}

// admittedStream charges each message of a stream as a request. The first one
// is charged with the stream itself.
type admittedStream struct {
	grpc.ServerStream
	ctx       context.Context //nolint:containedctx // grpc.ServerStream hands its context out
	admission *identity.Admission
	traffic   limit.Traffic
	messages  int64             // that were let in
	refusal   *identity.Refusal // of the one behind them
}

func (s *admittedStream) Context() context.Context { return s.ctx }

func (s *admittedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	if s.messages > 0 {
		if s.refusal = s.admission.Next(s.ctx, s.traffic); s.refusal != nil {
			return s.refusal
		}
	}
	s.messages++
	return nil
}
