package web

import (
	"net/http"
	"time"
)

// The cookies. The browser sends one with the prefix __Host- over TLS alone, and
// lets no other host set it; see RFC 6265bis, section 4.1.3.
const (
	sessionCookie       = "otlpgate_session"
	secureSessionCookie = "__Host-otlpgate_session"
	themeCookie         = "otlpgate_theme"
)

// overTLS reports whether the browser speaks TLS, to us or to a proxy before us.
// Whoever lies about that keeps his own cookie from being sent.
func overTLS(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

func sessionCookieName(r *http.Request) string {
	if overTLS(r) {
		return secureSessionCookie
	}
	return sessionCookie
}

// sessionToken returns the text that resumes the session of a request, empty where
// there is none.
func sessionToken(r *http.Request) string {
	cookie, err := r.Cookie(sessionCookieName(r))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// setSession hands a session to the browser, which keeps it until it is closed.
func setSession(w http.ResponseWriter, r *http.Request, token string) {
	setCookie(w, r, sessionCookieName(r), token, 0)
}

func dropSession(w http.ResponseWriter, r *http.Request) {
	setCookie(w, r, sessionCookieName(r), "", -1)
}

// setCookie sets a cookie for some seconds, or, with 0, until the browser is closed;
// fewer take it away.
func setCookie(w http.ResponseWriter, r *http.Request, name, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // secure wherever it can be: on localhost there is no TLS
		Name: name, Value: value, Path: "/", MaxAge: seconds,
		HttpOnly: true, Secure: overTLS(r), SameSite: http.SameSiteStrictMode,
	})
}

// themes are what the pages can look like; the empty one follows the system.
var themes = map[string]bool{"": true, "light": true, "dark": true}

// themeOf returns the theme that the browser was told to keep.
func themeOf(r *http.Request) string {
	cookie, err := r.Cookie(themeCookie)
	if err != nil || !themes[cookie.Value] {
		return ""
	}
	return cookie.Value
}

// setTheme keeps a theme in the browser, for a year.
func (p *pages) setTheme(w http.ResponseWriter, r *http.Request) {
	if theme := r.PostFormValue("theme"); themes[theme] {
		setCookie(w, r, themeCookie, theme, int((365 * 24 * time.Hour).Seconds()))
	}
	lead(w, r, r.PostFormValue("next"))
}
