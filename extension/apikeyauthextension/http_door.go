package apikeyauthextension

import (
	"context"
	"net/http"

	"go.opentelemetry.io/collector/extension/extensionmiddleware"

	"github.com/otlpgate/otlpgate/internal/gate"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
)

// GetHTTPHandler implements extensionmiddleware.HTTPServer: the door that a
// receiver's `middlewares:` opens. It runs after `auth:`, knows the path, and
// can answer with any status.
func (e *gateExtension) GetHTTPHandler(context.Context) (extensionmiddleware.WrapHTTPHandlerFunc, error) {
	return func(_ context.Context, next http.Handler) (http.Handler, error) {
		e.wrapped.Add(1)
		return &httpDoor{extension: e, next: next}, nil
	}, nil
}

type httpDoor struct {
	extension *gateExtension
	next      http.Handler
}

func (d *httpDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, ctx := d.extension, r.Context()
	if server, ok := ctx.Value(http.ServerContextKey).(*http.Server); ok {
		e.guarded.add(server)
	}
	signal := signalOfPath(r.URL.Path)
	a, refusal := d.admit(r, signal)
	if refusal != nil {
		e.countRefusal(ctx, a, refusal, transportHTTP)
		if a != nil {
			a.Tab.Fail() // where Authenticate has charged it already
		}
		setLimitHeaders(w.Header(), a, signal)
		writeRefusal(w, r, refusal)
		return
	}
	e.countAcceptance(ctx, a, transportHTTP)
	if !a.Tab.Hold() { // entered by Authenticate, and the client has gone since
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	returned := false
	defer func() { leave(ctx, a.Tab, returned) }()
	answer := &httpAnswer{ResponseWriter: w, request: r, admission: a, signal: signal}
	d.next.ServeHTTP(answer, r.WithContext(withAdmission(ctx, a, e.credentialHeaders)))
	returned = true
}

// leave ends a request whose tab is held. One that did not succeed, or whose
// handler panicked, costs nothing; one that its sender has given up is spent,
// for it may have been delivered.
func leave(ctx context.Context, t *limit.Tab, succeeded bool) {
	if !succeeded && ctx.Err() == nil {
		t.Fail()
	}
	t.Unhold()
	t.Close()
}

// admit takes over what Authenticate decided, or decides itself where the
// receiver has no `auth:`.
func (d *httpDoor) admit(r *http.Request, signal identity.Signal) (*identity.Admission, *identity.Refusal) {
	e, ctx := d.extension, r.Context()
	if refusal := deferredFrom(ctx); refusal != nil {
		return nil, refusal
	}
	a := admissionFrom(ctx, e.gate)
	if a == nil {
		var refusal *identity.Refusal
		a, refusal = e.gate.Authenticate(ctx, gate.Request{Headers: r.Header, Peer: peerFrom(ctx)})
		if refusal != nil {
			return nil, refusal
		}
	}
	a.OverLimitCode = e.overLimitCode
	if refusal := e.gate.Authorize(a, signal); refusal != nil {
		return a, refusal
	}
	return a, a.Enter(ctx, signal.Traffic())
}
