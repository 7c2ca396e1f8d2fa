package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func FuzzLocalPath(f *testing.F) {
	for _, seed := range []string{"/keys", "//evil.example", `/\evil.example`, "/\t/evil.example", "https://evil.example", "/keys?q=//x", "/%2f%2fevil.example", "/sign-in", "/.//evil.example"} {
		f.Add(seed)
	}
	base, _ := url.Parse("http://gate.example:4319/sign-in")
	f.Fuzz(func(t *testing.T, text string) {
		got := localPath(text)
		recorder := httptest.NewRecorder()
		lead(recorder, httptest.NewRequest(http.MethodPost, "/sign-in", nil), text)
		for _, target := range []string{got, recorder.Header().Get("Location")} {
			// As browsers read it: without control characters at its ends, tabs and
			// line breaks, and with slashes for backslashes.
			target = strings.ReplaceAll(strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(target), `\`, "/")
			u, err := base.Parse(target)
			if assert.NoError(t, err, target) {
				assert.Equal(t, base.Host, u.Host, target)
				assert.Equal(t, "http", u.Scheme, target)
			}
		}
	})
}

func FuzzFormOf(f *testing.F) {
	f.Add("name=a&scopes=x&scopes=y&expires=date&expiresOn=2026-01-01&limits=ingest:requests:1/1m")
	f.Add("%zz=1&&&=;")
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest(http.MethodPost, "/keys", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if r.ParseForm() != nil {
			return
		}
		form := formOf(r)
		_, _ = limitsOf(form)
		_, _ = form.expiry(time.Now())
		_ = form.scopesOf(permissions)
		_ = form.list("projects")
		assert.NotEmpty(t, form.Once)
	})
}
