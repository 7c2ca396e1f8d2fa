package apikeyauthextension

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"

	"github.com/otlpgate/otlpgate/internal/clientip"
	"github.com/otlpgate/otlpgate/internal/gate"
	"github.com/otlpgate/otlpgate/internal/identity"
)

// GetGRPCServerOptions implements extensionmiddleware.GRPCServer: the door that
// a receiver's `middlewares:` opens. The interceptors run after those of
// `auth:` and after the request has been decoded; the tap handle before either.
func (e *gateExtension) GetGRPCServerOptions(context.Context) ([]grpc.ServerOption, error) {
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
	refusal = e.judgeGRPC(ctx, a, refusal, info.FullMethodName)
	if refusal != nil {
		return ctx, refusal
	}
	return withAdmission(ctx, a, nil), nil
}

func (e *gateExtension) interceptUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	a, refusal := e.admitGRPC(ctx, info.FullMethod)
	if refusal != nil {
		return nil, refusal
	}
	resp, err := handler(withAdmission(ctx, a, e.credentialHeaders), req)
	if err != nil {
		return resp, err
	}
	if answer := partialSuccess(signalOfMethod(info.FullMethod), a); answer != nil {
		return answer, nil
	}
	return resp, nil
}

func (e *gateExtension) interceptStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	a, refusal := e.admitGRPC(stream.Context(), info.FullMethod)
	if refusal != nil {
		return refusal
	}
	return handler(srv, &admittedStream{ServerStream: stream, ctx: withAdmission(stream.Context(), a, e.credentialHeaders)})
}

// admitGRPC takes over what the tap handle or Authenticate admitted, or
// decides itself.
func (e *gateExtension) admitGRPC(ctx context.Context, method string) (*identity.Admission, *identity.Refusal) {
	if a := admissionFrom(ctx, e.gate); a != nil {
		return a, nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	a, refusal := e.gate.Authenticate(ctx, gate.Request{Headers: md, Peer: peerFrom(ctx)})
	refusal = e.judgeGRPC(ctx, a, refusal, method)
	if refusal != nil {
		return nil, refusal
	}
	return a, nil
}

// judgeGRPC completes what the gate said of the caller with the scope of the
// method, and counts the request. It returns nil where the request may pass.
func (e *gateExtension) judgeGRPC(ctx context.Context, a *identity.Admission, refusal *identity.Refusal, method string) *identity.Refusal {
	if refusal == nil {
		refusal = e.gate.Authorize(a, signalOfMethod(method))
	}
	if refusal != nil {
		e.countRefusal(ctx, a, refusal, transportGRPC)
		return refusal
	}
	e.countAcceptance(ctx, a, transportGRPC)
	return nil
}

type admittedStream struct {
	grpc.ServerStream
	ctx context.Context //nolint:containedctx // grpc.ServerStream hands its context out
}

func (s *admittedStream) Context() context.Context { return s.ctx }
