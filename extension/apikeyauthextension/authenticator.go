package apikeyauthextension

import (
	"context"
	"net/http"
	"net/netip"

	"go.opentelemetry.io/collector/client"
	"google.golang.org/grpc"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/clientip"
	"github.com/otlpgate/otlpgate/internal/gate"
	"github.com/otlpgate/otlpgate/internal/identity"
)

// Authenticate implements extensionauth.Server: the door that a receiver's
// `auth:` opens.
//
// Over gRPC it answers for itself. Over HTTP the collector turns every error
// into 401, which makes exporters drop data, and does not tell the path. So
// there it refuses bad credentials alone, and leaves any other verdict to
// whoever can answer it truly: our middleware, where this server's requests are
// known to pass it, or for a valid key the processor.
func (e *gateExtension) Authenticate(ctx context.Context, sources map[string][]string) (context.Context, error) {
	if a := admissionFrom(ctx, e.gate); a != nil { // the tap handle was here, so the interceptors are to come
		return withAdmission(ctx, a, e.credentialHeaders), nil
	}
	v := verdictOf(e.gate.Authenticate(ctx, gate.Request{Headers: sources, Peer: peerFrom(ctx)}))
	if method, ok := grpc.Method(ctx); ok {
		return e.authenticateGRPC(ctx, v, grpcVisit(ctx, signalOfMethod(method)))
	}
	return e.authenticateHTTP(ctx, v, visit{identity.SignalUnknown, access.HTTP, first(sources["User-Agent"])})
}

func (e *gateExtension) authenticateGRPC(ctx context.Context, v verdict, at visit) (context.Context, error) {
	e.receivedIn(ctx).see()
	v = e.enter(ctx, v, at.signal)
	a := v.admission
	if v.refusal != nil || !e.intercepts.Load() { // nobody else can, and an interceptor could not take it back
		_ = grpc.SetHeader(ctx, limitMetadata(a, at.signal)) // fails where there is no stream to set it on
	}
	if v.refusal != nil {
		e.recordRefusal(ctx, v, at)
		return ctx, v.refusal
	}
	a.Tab.CloseAfter(ctx)
	e.recordAfter(ctx, a, at, true)
	return withAdmission(ctx, a, e.credentialHeaders), nil
}

func (e *gateExtension) authenticateHTTP(ctx context.Context, v verdict, at visit) (context.Context, error) {
	server, _ := ctx.Value(http.ServerContextKey).(*http.Server)
	guarded := e.guarded.has(server)
	if v.refusal == nil {
		v.admission.OverLimitCode = e.overLimitCode
	}
	if v.refusal == nil && !guarded {
		v.refusal = e.admitAlone(ctx, v.admission)
	}
	switch {
	case v.refusal != nil && guarded && v.refusal.HTTPStatus() != http.StatusUnauthorized:
		return e.withDeferred(ctx, v, at), nil
	case v.refusal != nil:
		e.recordRefusal(ctx, v, at)
		return ctx, v.refusal
	case !guarded:
		e.recordAfter(ctx, v.admission, at, true)
	default:
		e.recordAfter(ctx, v.admission, at, false)
	}
	return withAdmission(ctx, v.admission, e.credentialHeaders), nil
}

// admitAlone judges and charges a request of which the middleware is not known
// to come next. A refusal is left to the processor, which can answer it truly,
// by recording it in the admission; where there is no processor either, nobody
// is known to come after this door, so that it is returned, and so that the
// scope cannot be left to anybody.
func (e *gateExtension) admitAlone(ctx context.Context, a *identity.Admission) *identity.Refusal {
	if e.processors.Load() == 0 {
		if refusal := e.gate.Authorize(a, identity.SignalUnknown); refusal != nil {
			return refusal
		}
		// No slot: nobody sees the end of the request before its sender does,
		// whose next one would find it taken. Where the middleware may well
		// come, the answer is left to it.
		if refusal := a.Charge(ctx, identity.SignalUnknown.Traffic()); refusal != nil && !e.unseen() {
			return refusal
		}
		return nil
	}
	if a.Refused() == nil {
		if refusal := a.Enter(ctx, identity.SignalUnknown.Traffic()); refusal != nil {
			a.Refuse(refusal)
		} else {
			a.Tab.CloseAfter(ctx)
		}
	}
	return nil
}

// unseen reports whether some server that has the middleware has not been seen
// passing it.
func (e *gateExtension) unseen() bool { return int(e.wrapped.Load()) > e.guarded.count() }

// peerFrom returns the address that the collector's server put into the
// context.
func peerFrom(ctx context.Context) netip.Addr {
	return clientip.FromNetAddr(client.FromContext(ctx).Addr)
}

type deferredKey struct{}

// deferred is a verdict that is left to the middleware.
type deferred struct {
	denial *identity.Denial
	stop   func() bool // ends the wait for a request that never comes there
}

// withDeferred hands a verdict to the middleware. A body whose encoding cannot be
// read never comes there: what the context ends with then is recorded here.
func (e *gateExtension) withDeferred(ctx context.Context, v verdict, at visit) context.Context {
	e.unrecorded.add()
	stop := context.AfterFunc(ctx, func() {
		defer e.unrecorded.done()
		e.recordRefusal(context.Background(), v, at)
	})
	return context.WithValue(ctx, deferredKey{}, &deferred{v.denial, stop})
}

// deferredFrom returns the verdict handed over, nil where there is none. Whoever
// asks records it.
func (e *gateExtension) deferredFrom(ctx context.Context) *identity.Denial {
	d, ok := ctx.Value(deferredKey{}).(*deferred)
	if !ok {
		return nil
	}
	if d.stop() {
		e.unrecorded.done()
	}
	return d.denial
}
