package apikeyauthextension

import (
	"context"
	"net/http"

	"go.opentelemetry.io/collector/extension/extensionmiddleware"

	"github.com/otlpgate/otlpgate/internal/access"
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
	at := httpVisit(r, signalOfPath(r.URL.Path))
	v := d.admit(r, at.signal)
	a := v.admission
	if v.refusal != nil {
		e.recordRefusal(ctx, v, at)
		if a != nil {
			a.Tab.Fail() // where Authenticate has charged it already
		}
		setLimitHeaders(w.Header(), a, at.signal)
		writeRefusal(w, r, v.refusal)
		return
	}
	if !a.Tab.Hold() { // entered by Authenticate, and the client has gone since
		e.recordEnd(ctx, a, at, ending{status: statusClientGone, reason: access.Canceled})
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	a.Measured = true
	d.pass(w, r, a, at)
}

// pass lets a request through whose tab is held.
func (d *httpDoor) pass(w http.ResponseWriter, r *http.Request, a *identity.Admission, at visit) {
	e, ctx := d.extension, r.Context()
	returned := false
	r = r.WithContext(withAdmission(ctx, a, e.credentialHeaders))
	body := &access.Body{ReadCloser: r.Body} // decompressed by now
	r.Body = body
	answer := &httpAnswer{ResponseWriter: w, request: r, admission: a, signal: at.signal}
	defer func() {
		end := endingOfStatus(ctx, answer.statusOr(http.StatusOK))
		if !returned {
			end = ending{status: http.StatusInternalServerError, reason: access.PipelineFailed}
		}
		end.bytes = body.Bytes
		e.recordEnd(ctx, a, at, end)
		leave(ctx, a.Tab, returned)
	}()
	d.next.ServeHTTP(answer, r)
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
func (d *httpDoor) admit(r *http.Request, signal identity.Signal) verdict {
	e, ctx := d.extension, r.Context()
	if denial := e.deferredFrom(ctx); denial != nil {
		return verdictOf(nil, denial)
	}
	v := verdict{admission: admissionFrom(ctx, e.gate)}
	if v.admission == nil {
		v = verdictOf(e.gate.Authenticate(ctx, gate.Request{Headers: r.Header, Peer: peerFrom(ctx)}))
	} else {
		e.claim(v.admission)
	}
	if v.refusal == nil {
		v.admission.OverLimitCode = e.overLimitCode
	}
	return e.enter(ctx, v, signal)
}
