package web

import (
	"context"
	"net/http"
	"path"
	"time"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/session"
)

// Gate lets people in. Implementations MUST be safe for concurrent use.
type Gate interface {
	// Admit serves a page for whose session is in the request's context, charged
	// as one call of the API, and refuse where that person may not come in. The
	// context that the page gets has its Visitor, and calls of Options.API that
	// are made in it are that person's.
	Admit(page http.HandlerFunc, refuse Refuse) http.Handler
	// SignIn serves done, as Admit does, where the key of the request lets in.
	SignIn(key func(*http.Request) string, done http.HandlerFunc, refuse Refuse) http.Handler
	// SignedOut is told of who goes, within Admit.
	SignedOut(r *http.Request)
	// Vouched returns the user whom an authenticator in front of the pages vouches
	// for, the zero value where there is none.
	Vouched(r *http.Request) (Vouched, *Problem)
}

// Refuse answers a request that is not let in.
type Refuse func(w http.ResponseWriter, r *http.Request, p *Problem)

// Vouched is whom an authenticator in front of the pages vouches for.
type Vouched struct {
	// UserID is that person's user; empty where nobody is vouched for, or the
	// person has no user here.
	UserID string
	// Name is what the authenticator calls the person.
	Name string
}

// Visitor is who looks at a page.
type Visitor struct {
	KeyID   string // empty for a user without a key, whom an authenticator vouches for
	KeyName string
	KeyType string
	UserID  string // empty for system keys
	Role    string
	Admin   bool // has the scope admin
	Manages bool // may see keys at all
	// Scopes are what the visitor may pass on, and EndsAt how long at most; zero:
	// for ever.
	Scopes identity.ScopeSet
	EndsAt time.Time
}

type visitorKey struct{}

// WithVisitor returns a context that tells pages who looks at them.
func WithVisitor(ctx context.Context, v Visitor) context.Context {
	return context.WithValue(ctx, visitorKey{}, v)
}

func visitorOf(ctx context.Context) Visitor {
	v, _ := ctx.Value(visitorKey{}).(Visitor)
	return v
}

func visitorIn(r *http.Request) Visitor { return visitorOf(r.Context()) }

// Options configure New. All are required.
type Options struct {
	// API is the admin API, which takes calls in the contexts that Gate makes.
	API      http.Handler
	Gate     Gate
	Sessions *session.Sessions
	Format   credential.Format // of the keys to sign in with
	Clock    func() time.Time
	// Recover wraps a handler, where a panic of it is answered by broken.
	Recover func(next http.Handler, broken http.HandlerFunc) http.Handler
}

// pages holds what the pages need. Safe for concurrent use.
type pages struct {
	api      *apiClient
	gate     Gate
	sessions *session.Sessions
	format   credential.Format
	secrets  credential.Redactor
	now      func() time.Time
	mux      *http.ServeMux
}

// New returns the handler of all pages. It is safe for concurrent use and starts
// nothing that would have to be stopped.
func New(o Options) http.Handler {
	p := &pages{
		api: newAPIClient(o.API), gate: o.Gate, sessions: o.Sessions, format: o.Format, secrets: o.Format.Redactor(),
		now: o.Clock, mux: http.NewServeMux(),
	}
	p.routes()
	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(http.HandlerFunc(p.refuseCrossOrigin))
	return secured(o.Recover(sameOrigin.Handler(http.HandlerFunc(p.dispatch)), func(w http.ResponseWriter, r *http.Request) { p.refusePage(w, r, defect) }))
}

// routes registers every page. The patterns are the endpoints of the access log.
func (p *pages) routes() {
	p.mux.Handle("GET /assets/{name}", http.HandlerFunc(serveAsset))
	p.mux.Handle("GET /sign-in", http.HandlerFunc(p.showSignIn))
	p.mux.Handle("POST /sign-in", p.bounded(p.gate.SignIn(keyOfForm, p.signedIn, p.refuseSignIn)))
	p.mux.Handle("POST /theme", p.bounded(http.HandlerFunc(p.setTheme)))
	p.mux.Handle("POST /sign-out", p.bounded(p.inSession(p.gate.Admit(p.signOut, p.signOutRefused))))

	p.page("GET /{$}", p.home)
	p.page("GET /keys", p.listKeys)
	p.page("GET /keys/new", p.newKey)
	p.page("POST /keys", p.createKey)
	p.page("GET /system-keys", p.listSystemKeys)
	p.page("GET /system-keys/new", p.newSystemKey)
	p.page("POST /system-keys", p.createSystemKey)
	p.page("GET /keys/{id}", p.showKey)
	p.page("GET /keys/{id}/requests", p.showKeyAccess)
	p.page("GET /keys/{id}/alerts", p.showKeyAlerts)
	p.page("GET /keys/{id}/history", p.showKeyHistory)
	p.page("GET /keys/{id}/edit", p.ofKey(p.editKey))
	p.page("POST /keys/{id}/edit", p.ofKey(p.updateKey))
	p.page("GET /keys/{id}/rotate", p.ofKey(p.confirmRotate))
	p.page("POST /keys/{id}/rotate", p.ofKey(p.rotateKey))
	p.page("GET /keys/{id}/revoke", p.ofKey(p.confirmRevoke))
	p.page("POST /keys/{id}/revoke", p.ofKey(p.revokeKey))
	p.page("GET /users", p.listUsers)
	p.page("GET /users/new", p.newUser)
	p.page("POST /users", p.createUser)
	p.page("GET /users/{id}", p.ofUser(p.showUser))
	p.page("POST /users/{id}", p.ofUser(p.updateUser))
	p.page("GET /users/{id}/delete", p.ofUser(p.confirmDeleteUser))
	p.page("POST /users/{id}/delete", p.ofUser(p.deleteUser))
	p.page("GET /usage", p.showUsage)
	p.page("GET /alerts", p.listAlerts)
	p.page("GET /access-logs", p.listAccess)
	p.page("GET /audit-log", p.listAudit)
	p.page("GET /plans", p.listPlans)
}

// page registers a page for those who are signed in.
func (p *pages) page(pattern string, page http.HandlerFunc) {
	p.mux.Handle(pattern, p.bounded(p.inSession(p.gate.Admit(page, p.refusePage))))
}

// maxForm is the largest form in bytes, far above any sensible one.
const maxForm = 256 << 10

// bounded reads forms, within bounds, before anybody asks whose they are: a form may
// arrive slowly, and what its sender may is judged when it is here.
func (p *pages) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			if err := r.ParseForm(); err != nil {
				p.refusePage(w, r, &Problem{Status: http.StatusBadRequest, Detail: "The form is too large or broken. Go back and send it again."})
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// dispatch answers what the mux would in plain text with pages instead.
func (p *pages) dispatch(w http.ResponseWriter, r *http.Request) {
	fallback, pattern := p.mux.Handler(r)
	switch {
	case path.Clean(r.URL.Path) != r.URL.Path:
		p.refusePage(w, r, noPage)
	case pattern == "":
		p.refusePage(w, r, unrouted(w, r, fallback))
	default:
		p.mux.ServeHTTP(w, r)
	}
}

var noPage = &Problem{Status: http.StatusNotFound, Detail: "There is no such page."}

// unrouted tells a wrong method from an unknown path by running the mux's own answer
// into a recorder.
func unrouted(w http.ResponseWriter, r *http.Request, fallback http.Handler) *Problem {
	probe := &answer{header: http.Header{}}
	fallback.ServeHTTP(probe, r)
	if probe.status != http.StatusMethodNotAllowed {
		return noPage
	}
	w.Header().Set("Allow", probe.header.Get("Allow"))
	return &Problem{Status: probe.status, Detail: "This page cannot be asked for that way."}
}

// policy lets pages load their own styles, scripts and images, send forms to where
// they came from, and nothing else; nobody may frame them.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secured sets the headers of every answer.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Frame-Options", "DENY")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func (p *pages) refuseCrossOrigin(w http.ResponseWriter, r *http.Request) {
	p.refusePage(w, r, &Problem{
		Status: http.StatusForbidden,
		Detail: "This form was sent from another site, and nothing was done. If it was you, open the page here and send it again.",
	})
}
