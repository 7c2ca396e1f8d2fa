package web

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/session"
)

// home is where people begin.
const home = "/keys"

func (p *pages) home(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, home, http.StatusSeeOther)
}

// inSession serves a page within the session of the request; without one it leads
// to where one signs in.
func (p *pages) inSession(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		vouched, problem := p.gate.Vouched(r)
		if problem != nil {
			p.refusePage(w, r, problem)
			return
		}
		s, ok := p.resume(w, r, vouched)
		if !ok {
			p.leadToSignIn(w, r)
			return
		}
		next.ServeHTTP(w, r.WithContext(session.NewContext(r.Context(), s)))
	})
}

// resume returns the session of a request. Whom an authenticator vouches for needs
// to sign in nowhere, and has no other's session.
func (p *pages) resume(w http.ResponseWriter, r *http.Request, vouched Vouched) (session.Session, bool) {
	s, ok := p.sessions.Resume(sessionToken(r))
	if ok && s.Subject.UserID == vouched.UserID {
		return s, true
	}
	if ok {
		p.sessions.End(s)
	}
	if vouched.UserID == "" {
		return session.Session{}, false
	}
	token := p.sessions.Begin(session.Subject{UserID: vouched.UserID}, vouched.UserID)
	setSession(w, r, token)
	return p.sessions.Resume(token)
}

// leadToSignIn sends a person to where one signs in, and back from there. A page
// that was opened from another site came without the cookie, which is SameSite, so
// it is asked for once more from here.
func (p *pages) leadToSignIn(w http.ResponseWriter, r *http.Request) {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if reads && r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		p.render(w, r, http.StatusOK, "again", struct {
			frame
			Next string
		}{p.frame(r, "One moment", ""), p.withoutSecret(localPath(r.URL.RequestURI()))})
		return
	}
	target := "/sign-in"
	if next := r.URL.RequestURI(); reads && next != "/" {
		target += "?next=" + url.QueryEscape(p.withoutSecret(localPath(next)))
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// signInPage is the data of the page on which people sign in.
type signInPage struct {
	frame
	Next    string
	Problem *Problem
	Known   string // whom an authenticator vouches for without effect
	Prefix  string
}

func (p *pages) showSignIn(w http.ResponseWriter, r *http.Request) {
	vouched, problem := p.gate.Vouched(r)
	_, signedIn := p.sessions.Resume(sessionToken(r))
	if problem == nil && (signedIn || vouched.UserID != "") {
		lead(w, r, p.withoutSecret(r.URL.Query().Get("next")))
		return
	}
	status := http.StatusOK
	if problem != nil {
		status = problem.Status
	}
	p.renderSignIn(w, r, status, signInPage{Next: localPath(r.URL.Query().Get("next")), Problem: problem, Known: vouched.Name})
}

func (p *pages) renderSignIn(w http.ResponseWriter, r *http.Request, status int, page signInPage) {
	page.frame, page.Next = p.frame(r, "Sign in", ""), p.withoutSecret(page.Next)
	page.Prefix = cmp.Or(p.format.Prefix, credential.DefaultPrefix)
	p.render(w, r, status, "sign-in", page)
}

// keyOfForm returns what was typed, without what comes along when a key is copied.
func keyOfForm(r *http.Request) string {
	text := strings.TrimSpace(r.PostFormValue("key"))
	return strings.TrimPrefix(text, "Bearer ")
}

// signedIn begins a session for the key that has let somebody in, always a new one.
func (p *pages) signedIn(w http.ResponseWriter, r *http.Request) {
	key, err := p.format.Parse(keyOfForm(r))
	if err != nil { // not of a key that has let somebody in
		p.refuseSignIn(w, r, &Problem{Status: http.StatusUnauthorized, Detail: "This is no API key."})
		return
	}
	if s, ok := p.sessions.Resume(sessionToken(r)); ok {
		p.sessions.End(s)
	}
	visitor := visitorIn(r)
	setSession(w, r, p.sessions.Begin(session.Subject{Key: key.Digest()}, cmp.Or(visitor.UserID, visitor.KeyID)))
	lead(w, r, r.PostFormValue("next"))
}

// refuseSignIn shows the form again, without the key.
func (p *pages) refuseSignIn(w http.ResponseWriter, r *http.Request, problem *Problem) {
	problem.setRetryAfter(w)
	p.renderSignIn(w, r, problem.Status, signInPage{Next: localPath(r.PostFormValue("next")), Problem: problem})
}

// signInAgain ends a session whose key lets in no more.
func (p *pages) signInAgain(w http.ResponseWriter, r *http.Request, problem *Problem) {
	if s, ok := session.FromContext(r.Context()); ok {
		p.sessions.End(s)
	}
	dropSession(w, r)
	next := home
	if r.Method == http.MethodGet {
		next = localPath(r.URL.RequestURI())
	}
	p.renderSignIn(w, r, problem.Status, signInPage{Next: next, Problem: problem})
}

func (p *pages) signOut(w http.ResponseWriter, r *http.Request) {
	p.gate.SignedOut(r)
	p.signedOut(w, r)
}

// signOutRefused signs out whoever is not let in any more, too.
func (p *pages) signOutRefused(w http.ResponseWriter, r *http.Request, _ *Problem) { p.signedOut(w, r) }

func (p *pages) signedOut(w http.ResponseWriter, r *http.Request) {
	if s, ok := session.FromContext(r.Context()); ok {
		p.sessions.End(s)
	}
	dropSession(w, r)
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
}

// lead leads to a path of this server, and home from any other, which may have come
// with the request.
func lead(w http.ResponseWriter, r *http.Request, next string) {
	http.Redirect(w, r, localPath(next), http.StatusSeeOther) //nolint:gosec // localPath leads nowhere else
}

// localPath returns a path of this server to lead to: the text, if it is one, and
// home otherwise. What browsers could take for another server is none: they skip
// control characters and take a backslash for a slash.
func localPath(text string) string {
	if !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") || strings.Contains(text, `\`) ||
		strings.ContainsFunc(text, unicode.IsControl) {
		return home
	}
	u, err := url.Parse(text)
	if err != nil || u.IsAbs() || u.Host != "" || strings.HasPrefix(u.Path, "//") || u.Path == "/sign-in" {
		return home
	}
	return text
}
