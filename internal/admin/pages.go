package admin

import (
	"context"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/admin/web"
	"github.com/otlpgate/otlpgate/internal/audit"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/session"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/throttle"
)

// Visitors knows the people who use the pages. Implementations MUST be safe for
// concurrent use.
type Visitors interface {
	// SignIn judges the key that somebody signs in with, as Door.Authenticate does
	// that of a request.
	SignIn(r *http.Request, key string) (*identity.Admission, error)
	// Resume is likewise for whom a session is of.
	Resume(r *http.Request, whose session.Subject) (*identity.Admission, error)
	// Rejudge says whom a session is of now, wherever it is used from. Exactly one
	// of its results is set.
	Rejudge(ctx context.Context, whose session.Subject) (*identity.Identity, *identity.Refusal)
	// Vouched returns the user whom the collector's own authenticator vouches for.
	// The zero Vouched means that it vouches for nobody.
	Vouched(r *http.Request) (web.Vouched, error)
}

// signInThrottle bounds how often one address may fail to sign in. Who mistypes a
// key is far below it.
var signInThrottle = throttle.Options{Burst: 20, PerSecond: 0.1, MaxAddresses: 4096}

// pages lets people in to the pages, which make calls of the API in their name.
// It is the API's word on all that is not for the eye.
type pages struct {
	*service
	visitors Visitors
	failures *throttle.Throttle
}

var _ web.Gate = (*pages)(nil)

// newPages returns the handler of the pages. API serves their calls.
func (s *service) newPages(o *Options, calls http.Handler) http.Handler {
	return web.New(web.Options{
		API: calls, Gate: &pages{s, o.Visitors, throttle.New(signInThrottle)},
		Sessions: session.New(session.Options{Idle: o.Sessions.Idle, Absolute: o.Sessions.Absolute, Now: s.clock}),
		Format:   s.format, Clock: s.clock, Recover: s.recovering,
	})
}

// Admit implements web.Gate.
func (p *pages) Admit(page http.HandlerFunc, refuse web.Refuse) http.Handler {
	return p.accounted(func(w http.ResponseWriter, r *http.Request) {
		whose, _ := session.FromContext(r.Context())
		by := presented{
			admit: func(r *http.Request) (*identity.Admission, error) { return p.visitors.Resume(r, whose.Subject) },
			judge: func(ctx context.Context) (*identity.Identity, *identity.Refusal) {
				return p.visitors.Rejudge(ctx, whose.Subject)
			},
		}
		p.enter(w, r, by, p.visited(page), p.refused(refuse))
	})
}

// SignIn implements web.Gate.
func (p *pages) SignIn(key func(*http.Request) string, done http.HandlerFunc, refuse web.Refuse) http.Handler {
	return p.accounted(func(w http.ResponseWriter, r *http.Request) {
		admit := func(r *http.Request) (*identity.Admission, error) { return p.signIn(r, key(r)) }
		p.enter(w, r, presented{admit: admit}, func(w http.ResponseWriter, r *http.Request) {
			p.auditSession(r, audit.SessionBegin)
			p.visited(done)(w, r)
		}, p.refused(refuse))
	})
}

// signIn judges a key. An address that has failed too often is told to wait, and
// nothing else; a key that lets in always does, lest somebody who shares the address
// can lock others out. How fast keys are looked up that nobody has is bounded by the
// gate.
func (p *pages) signIn(r *http.Request, key string) (*identity.Admission, error) {
	admission, err := p.visitors.SignIn(r, key)
	if err == nil || problemOf(err).status != http.StatusUnauthorized {
		return admission, err
	}
	address := p.door.ClientAddr(r)
	if ok, wait := p.failures.Allow(p.clock(), address); !ok {
		return nil, identity.NewRetryableRefusal(identity.TooManyFailures,
			"too many attempts to sign in from this address: check the key, then retry later", wait)
	}
	p.failures.Fail(p.clock(), address)
	return nil, err
}

// SignedOut implements web.Gate.
func (p *pages) SignedOut(r *http.Request) { p.auditSession(r, audit.SessionEnd) }

// Vouched implements web.Gate.
func (p *pages) Vouched(r *http.Request) (web.Vouched, *web.Problem) {
	vouched, err := p.visitors.Vouched(r)
	if err != nil {
		return web.Vouched{}, pageProblem(p.noteProblem(r, err))
	}
	return vouched, nil
}

// visited tells a page whose it is.
func (p *pages) visited(page http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := callerIn(r.Context())
		page(w, r.WithContext(web.WithVisitor(r.Context(), web.Visitor{
			KeyID: c.KeyID, KeyName: c.KeyName, KeyType: string(c.KeyType), UserID: c.OwnerID,
			Role: string(c.Role), Admin: c.admin(), Manages: mayManageKeys(c) == nil,
			Scopes: c.Scopes, EndsAt: c.SecretInfo.EndsAt,
		})))
	}
}

// refused notes why a page is refused before it shows that.
func (p *pages) refused(refuse web.Refuse) func(http.ResponseWriter, *http.Request, error) {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		refuse(w, r, pageProblem(p.noteProblem(r, err)))
	}
}

func pageProblem(p *problem) *web.Problem {
	return &web.Problem{Status: p.status, Detail: p.detail, RetryAfter: p.retryAfter}
}

// auditSession records who signs in and out. Nobody is kept out, or in, where that
// cannot be written.
func (p *pages) auditSession(r *http.Request, action string) {
	c := callerIn(r.Context())
	ctx, cancel := context.WithTimeout(store.Unguarded(context.WithoutCancel(r.Context())), auditTimeout)
	defer cancel()
	if _, err := p.store.AppendAudit(ctx, store.Audit{Time: p.now(), Actor: c.actor(), Action: action}); err != nil {
		p.log.Error("admin API: a session is missing in the audit log", zap.String("action", action), zap.String("cause", p.redact(err.Error())))
	}
}

// SessionOptions say how long people stay signed in. A value that is not positive
// means the default of the package session.
type SessionOptions struct {
	Idle     time.Duration
	Absolute time.Duration
}
