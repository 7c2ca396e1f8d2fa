package admin

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"runtime/debug"
	"strings"

	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// handler wires the routes: those of the document behind guard, the probes in
// the open, and the pages, if there are any, behind their own.
func (s *service) handler(o *Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)

	guarded := guardedMux{ServeMux: mux, guard: s.guard}
	guarded.HandleFunc("GET "+api.BasePath+"/openapi.json", s.spec.serve)
	guarded.HandleFunc("GET "+api.BasePath+"/backup", s.serveBackup)
	guarded.HandleFunc("POST "+api.BasePath+"/introspect", s.introspect)
	strict := api.NewStrictHandlerWithOptions(s, nil, api.StrictHTTPServerOptions{
		RequestErrorHandlerFunc:  s.refuseUndecodable,
		ResponseErrorHandlerFunc: s.writeProblem,
	})
	api.HandlerWithOptions(strict, api.StdHTTPServerOptions{
		BaseURL: api.BasePath, BaseRouter: guarded, ErrorHandlerFunc: s.refuseUndecodable,
	})
	calls := s.recovering(withSecurityHeaders(s.dispatch(mux)), s.answerDefect)
	if o.Visitors == nil {
		return calls
	}
	return withPages(calls, s.newPages(o, calls))
}

// withPages serves the API and the probes at their paths, and pages everywhere
// else.
func withPages(calls, pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch at := r.URL.Path; {
		case at == "/api" || strings.HasPrefix(at, "/api/") || at == "/healthz" || at == "/readyz":
			calls.ServeHTTP(w, r)
		default:
			pages.ServeHTTP(w, r)
		}
	})
}

// guardedMux puts guard in front of all that is registered, so that nothing of
// a request is even parsed before its key is judged.
type guardedMux struct {
	*http.ServeMux
	guard func(http.Handler) http.Handler
}

// HandleFunc implements api.ServeMux.
func (m guardedMux) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	m.Handle(pattern, m.guard(http.HandlerFunc(handler)))
}

// guard authenticates, charges and validates a request. One that a page makes has
// been let in with the page, and counts as part of it.
func (s *service) guard(next http.Handler) http.Handler {
	outer := s.accounted(func(w http.ResponseWriter, r *http.Request) {
		s.enter(w, r, s.keyOf(r), s.validated(next).ServeHTTP, s.writeProblem)
	})
	inner := s.validated(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, entered := r.Context().Value(callerKey{}).(caller); entered {
			inner.ServeHTTP(w, r)
			return
		}
		outer(w, r)
	})
}

// validated checks a request of a caller against the document.
func (s *service) validated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Pattern == applyPattern {
			awaitApply(w)
		}
		err := s.validateRequest(w, r)
		if err == nil && r.ContentLength != 0 { // a body has arrived, at its own pace
			err = s.mayStill(r.Context(), callerIn(r.Context()))
		}
		if err != nil {
			s.writeProblem(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// presented is how a caller shows who it is.
type presented struct {
	admit func(*http.Request) (*identity.Admission, error)
	judge judge
	key   credential.Secret // zero where unknown
}

// keyOf is a caller with a key in its request.
func (s *service) keyOf(r *http.Request) presented {
	key := s.door.Credential(r)
	p := presented{admit: s.door.Authenticate, key: key}
	if !key.IsZero() { // otherwise the door knows the caller by other means
		p.judge = func(ctx context.Context) (*identity.Identity, *identity.Refusal) {
			return s.door.Judge(ctx, key.Reveal())
		}
	}
	return p
}

// enter lets a caller in, charges it, and serves it.
func (s *service) enter(w http.ResponseWriter, r *http.Request, by presented, serve http.HandlerFunc, refuse func(http.ResponseWriter, *http.Request, error)) {
	admission, err := admissionOf(r, by)
	if err != nil {
		refuse(w, r, err)
		return
	}
	defer admission.Tab.Close()
	refusal := admission.Enter(r.Context(), limit.API)
	for _, f := range admission.Tab.Fields(limit.API) {
		w.Header().Set(f.Name, f.Value)
	}
	if refusal != nil {
		refuse(w, r, refusal)
		return
	}
	c := caller{Identity: admission.Identity, address: s.door.ClientAddr(r), key: by.key, judge: by.judge}
	ctx := context.WithValue(r.Context(), callerKey{}, c)
	r = r.WithContext(store.Guarded(ctx, func(ctx context.Context) error { return s.mayStill(ctx, c) }))
	serve(w, r)
}

type callerKey struct{}

// callerIn returns the caller that guard put into the context.
func callerIn(ctx context.Context) caller { return ctx.Value(callerKey{}).(caller) }

// admissionOf returns the admission of a request whose key may make calls.
func admissionOf(r *http.Request, by presented) (*identity.Admission, error) {
	admission, err := by.admit(r)
	accountIn(r.Context()).admitted(admission, err)
	if err != nil {
		return nil, err
	}
	if admission == nil {
		return nil, identity.NewRefusal(identity.NoIdentity, "no API key: send one as `Authorization: Bearer <key>`")
	}
	if refusal := admission.Refused(); refusal != nil {
		return nil, refusal
	}
	return admission, nil
}

// dispatch answers what the mux would in plain text with problems instead. A
// path that is not clean is no path of ours: the mux would redirect it, and a
// redirected write is lost.
func (s *service) dispatch(mux *http.ServeMux) http.Handler {
	verify := s.accounted(s.verify)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isVerify(r.URL.Path) { // before the mux, to which not every path is one
			r.Pattern = verifyPattern // no mux has set it
			verify(w, r)
			return
		}
		fallback, pattern := mux.Handler(r)
		switch {
		case path.Clean(r.URL.Path) != r.URL.Path:
			s.writeProblem(w, r, problemNoRoute())
		case pattern == "":
			s.writeProblem(w, r, problemOfMux(fallback, r))
		default:
			mux.ServeHTTP(w, r)
		}
	})
}

// problemOfMux tells a wrong method from an unknown path by running the mux's
// own answer into a probe.
func problemOfMux(fallback http.Handler, r *http.Request) error {
	probe := &probe{header: http.Header{}}
	fallback.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		return problemMethod(r.Method, probe.header.Get("Allow"))
	}
	return problemNoRoute()
}

// probe is a ResponseWriter that keeps the status and headers alone.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }
func (p *probe) WriteHeader(status int)      { p.status = status }

// withSecurityHeaders forbids caching, for answers may hold a new key, and all
// that a browser could do with an answer.
func withSecurityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

// recovering answers a panic by broken.
func (s *service) recovering(next http.Handler, broken http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler { //nolint:errorlint // compared as net/http does
				panic(cause)
			}
			s.logPanic(cause)
			broken(w, r)
		}()
		next.ServeHTTP(w, r)
	})
}

// answerDefect answers a call that has panicked.
func (s *service) answerDefect(w http.ResponseWriter, _ *http.Request) {
	s.answer(w, problemInternal())
}

// logPanic is for the function that recovers. The log gets the stack, which
// holds addresses only, and never the request.
func (s *service) logPanic(cause any) {
	s.log.Error("admin API: panic", zap.String("cause", s.redact(fmt.Sprint(cause))), zap.ByteString("stack", debug.Stack()))
}
