package apikeyauthextension

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

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
	r := gate.Request{Headers: info.Header}
	if p, ok := peer.FromContext(ctx); ok {
		r.Peer = clientip.FromNetAddr(p.Addr)
	}
	a, refusal, decided := e.gate.AuthenticateFromMemory(r)
	if !decided {
		return ctx, nil
	}
	signal := signalOfMethod(info.FullMethodName)
	if refusal == nil {
		refusal = e.gate.Authorize(a, signal)
	}
	if refusal != nil {
		return ctx, e.refuseEarly(ctx, a, refusal)
	}
	refusal, decided = a.EnterAtHand(signal.Traffic())
	if !decided {
		return withTapped(ctx, a), nil
	}
	if refusal == nil {
		a.Tab.CloseAfter(ctx)
		return withTapped(ctx, a), nil
	}
	if e.courtesy.take(time.Now()) {
		return withTapped(ctx, a), nil // not entered, so that the interceptors refuse it
	}
	return withTapped(ctx, a), e.refuseEarly(ctx, a, refusal)
}

// longDeadline is the longest deadline of a request that is refused early.
// grpc-go (1.85) stops the timer of a deadline with the stream, but for a stream
// that the tap handle refuses: that timer stays until it fires, which a sender
// may ask to be in a thousand years.
const longDeadline = 30 * time.Second

// refuseEarly counts and returns the refusal, or nil where it is left to the
// interceptors.
func (e *gateExtension) refuseEarly(ctx context.Context, a *identity.Admission, refusal *identity.Refusal) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) > longDeadline {
		return nil
	}
	e.countRefusal(ctx, a, refusal, transportGRPC)
	return refusal
}

func (e *gateExtension) interceptUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	signal := signalOfMethod(info.FullMethod)
	a, err := e.admitGRPC(ctx, signal)
	if err != nil {
		_ = grpc.SetHeader(ctx, limitMetadata(a, signal)) // fails only where an answer has begun
		return nil, err
	}
	succeeded := false
	defer func() { leave(ctx, a.Tab, succeeded) }()
	resp, err := handler(withAdmission(ctx, a, e.credentialHeaders), req)
	succeeded = err == nil
	if err != nil && ctx.Err() == nil { // before the answer says what is left
		a.Tab.Fail()
	}
	_ = grpc.SetHeader(ctx, limitMetadata(a, signal))
	if err != nil {
		return resp, err
	}
	if answer := partialSuccess(signal, a); answer != nil {
		return answer, nil
	}
	return resp, nil
}

func (e *gateExtension) interceptStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, signal := stream.Context(), signalOfMethod(info.FullMethod)
	a, err := e.admitGRPC(ctx, signal)
	_ = grpc.SetHeader(ctx, limitMetadata(a, signal)) // fails only where an answer has begun
	if err != nil {
		return err
	}
	succeeded := false
	defer func() { leave(ctx, a.Tab, succeeded) }()
	err = handler(srv, &admittedStream{
		ServerStream: stream, ctx: withAdmission(ctx, a, e.credentialHeaders), admission: a, traffic: signal.Traffic(),
	})
	succeeded = err == nil
	return err
}

// admitGRPC takes over what the tap handle or Authenticate admitted, or
// decides itself. Where it returns no error, the admission's tab is held. The
// admission is nil where no key was recognized.
func (e *gateExtension) admitGRPC(ctx context.Context, signal identity.Signal) (*identity.Admission, error) {
	var refusal *identity.Refusal
	a := admissionFrom(ctx, e.gate)
	if a == nil {
		md, _ := metadata.FromIncomingContext(ctx)
		a, refusal = e.gate.Authenticate(ctx, gate.Request{Headers: md, Peer: peerFrom(ctx)})
	}
	refusal = e.admit(ctx, a, refusal, signal, transportGRPC)
	if refusal != nil {
		return a, refusal
	}
	if !a.Tab.Hold() { // entered by another door, and the client has gone since
		return a, status.FromContextError(context.Canceled).Err()
	}
	return a, nil
}

// admit completes what the gate said of the caller with the scope and the
// limits, and counts the request. It returns nil where the request may pass.
func (e *gateExtension) admit(ctx context.Context, a *identity.Admission, refusal *identity.Refusal, signal identity.Signal, t transport) *identity.Refusal {
	if refusal == nil {
		refusal = e.gate.Authorize(a, signal)
	}
	if refusal == nil {
		refusal = a.Enter(ctx, signal.Traffic())
	}
	if refusal != nil {
		e.countRefusal(ctx, a, refusal, t)
		return refusal
	}
	e.countAcceptance(ctx, a, t)
	return nil
}

// admittedStream charges each message of a stream as a request. The first one
// is charged with the stream itself.
type admittedStream struct {
	grpc.ServerStream
	ctx       context.Context //nolint:containedctx // grpc.ServerStream hands its context out
	admission *identity.Admission
	traffic   limit.Traffic
	received  bool
}

func (s *admittedStream) Context() context.Context { return s.ctx }

func (s *admittedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil || !s.received {
		s.received = true
		return err
	}
	if refusal := s.admission.Next(s.ctx, s.traffic); refusal != nil {
		return refusal
	}
	return nil
}
