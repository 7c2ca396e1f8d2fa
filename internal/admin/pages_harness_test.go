package admin

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/otlpgate/otlpgate/internal/admin/web"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/session"
)

// pageHarness is a harness that serves the pages too.
type pageHarness struct {
	*harness
	site *httptest.Server
}

func newPageHarness(t testing.TB) *pageHarness {
	t.Helper()
	h := newHarnessWith(t, func(o *Options) { o.Visitors = visitorsOfTests{o.Door.(*harness)} })
	p := &pageHarness{harness: h, site: httptest.NewServer(h.unchecked)}
	t.Cleanup(p.site.Close)
	return p
}

// visitorsOfTests are visitors by the keyring of a harness.
type visitorsOfTests struct{ *harness }

var _ Visitors = visitorsOfTests{}

// SignIn implements Visitors.
func (v visitorsOfTests) SignIn(r *http.Request, key string) (*identity.Admission, error) {
	id, refusal := v.Judge(r.Context(), key)
	return v.admission(id, refusal)
}

func (v visitorsOfTests) admission(id *identity.Identity, refusal *identity.Refusal) (*identity.Admission, error) {
	if refusal != nil {
		return nil, refusal
	}
	a := identity.NewAdmission(id, v)
	if v.charges {
		a.Tab = limit.NewTab(v.counter, v.now, id.KeyID, id.Limits)
	}
	return a, nil
}

// Resume implements Visitors.
func (v visitorsOfTests) Resume(r *http.Request, whose session.Subject) (*identity.Admission, error) {
	return v.admission(v.Rejudge(r.Context(), whose))
}

// Rejudge implements Visitors.
func (v visitorsOfTests) Rejudge(ctx context.Context, whose session.Subject) (*identity.Identity, *identity.Refusal) {
	if whose.UserID == "" {
		return v.ring.Lookup(ctx, whose.Key)
	}
	user, err := v.store.User(ctx, whose.UserID)
	if err != nil || !user.Enabled() {
		return nil, identity.NewRefusal(identity.DisabledKey, "the user is gone")
	}
	return &identity.Identity{
		KeyName: user.Name, KeyType: identity.UserKey, Environment: identity.Live, OwnerID: user.ID,
		Role: user.Role, Scopes: user.Role.Scopes(), Plan: v.plans.Default(), Limits: v.plans.Policy("", nil),
	}, nil
}

// vouchedHeader stands for what an authenticator says.
const vouchedHeader = "X-Test-User"

// Vouched implements Visitors.
func (v visitorsOfTests) Vouched(r *http.Request) (web.Vouched, error) {
	name := r.Header.Get(vouchedHeader)
	if user, err := v.store.User(r.Context(), name); name != "" && err == nil && user.Enabled() {
		return web.Vouched{UserID: user.ID, Name: name}, nil
	}
	return web.Vouched{Name: name}, nil
}

// person is somebody with a browser, which follows no redirects by itself.
type person struct {
	t      testing.TB
	site   *httptest.Server
	client *http.Client
	header http.Header // of every request
}

func (p *pageHarness) person() *person {
	jar, err := cookiejar.New(nil)
	require.NoError(p.t, err)
	return &person{
		t: p.t, site: p.site, header: http.Header{},
		client: &http.Client{Jar: jar, Transport: p.site.Client().Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

// signedIn is a person who has signed in with a key.
func (p *pageHarness) signedIn(key string) *person {
	p.t.Helper()
	someone := p.person()
	a := someone.post("/sign-in", url.Values{"key": {key}})
	require.Equal(p.t, http.StatusSeeOther, a.status, a.body)
	return someone
}

func (p *person) do(method, path string, body io.Reader) answer {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.site.URL+path, body)
	require.NoError(p.t, err)
	if body != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	maps.Copy(r.Header, p.header)
	resp, err := p.client.Do(r)
	require.NoError(p.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(p.t, err)
	return answer{resp.StatusCode, resp.Header, string(text)}
}

func (p *person) get(path string) answer { p.t.Helper(); return p.do(http.MethodGet, path, nil) }

func (p *person) post(path string, form url.Values) answer {
	p.t.Helper()
	return p.do(http.MethodPost, path, strings.NewReader(form.Encode()))
}

// page gets a page that there is.
func (p *person) page(path string) string {
	p.t.Helper()
	a := p.get(path)
	require.Equal(p.t, http.StatusOK, a.status, "%s: %s", path, a.body)
	return a.body
}

// submit fills in the form on a page, on top of what is filled in there, and sends
// it.
func (p *person) submit(path, action string, values url.Values) answer {
	p.t.Helper()
	form := formOf(p.t, p.page(path), action)
	maps.Copy(form, values)
	return p.post(action, form)
}

// formOf returns what a browser would send of a form that nobody has touched.
func formOf(t testing.TB, page, action string) url.Values {
	t.Helper()
	document, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	form := find(document, func(n *html.Node) bool {
		return n.Data == "form" && attribute(n, "action") == action && attribute(n, "method") == "post"
	})
	require.NotNil(t, form, "no form to %s on the page", action)
	values := url.Values{}
	for n := range form.Descendants() {
		name := attribute(n, "name")
		switch {
		case name == "":
		case n.Data == "textarea" && n.FirstChild != nil:
			values.Set(name, n.FirstChild.Data)
		case n.Data == "textarea":
			values.Set(name, "")
		case n.Data == "select":
			for option := range n.Descendants() {
				if option.Data == "option" && (has(option, "selected") || !values.Has(name)) {
					values.Set(name, attribute(option, "value"))
				}
			}
		case n.Data == "input" && (attribute(n, "type") == "radio" || attribute(n, "type") == "checkbox"):
			if has(n, "checked") {
				values.Add(name, attribute(n, "value"))
			}
		case n.Data == "input":
			values.Set(name, attribute(n, "value"))
		}
	}
	return values
}

func find(root *html.Node, is func(*html.Node) bool) *html.Node {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && is(n) {
			return n
		}
	}
	return nil
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

var secretPattern = regexp.MustCompile(`px_(?:live|test|sys)_[0-9A-Za-z]{36}`)

// create creates a key on the pages and returns its secret and id.
func (p *pageHarness) create(someone *person, values url.Values) (secret, id string) {
	p.t.Helper()
	a := someone.submit("/keys/new", "/keys", values)
	require.Equal(p.t, http.StatusCreated, a.status, a.body)
	secret = secretPattern.FindString(a.body)
	require.NotEmpty(p.t, secret)
	digest, refusal := p.Judge(p.t.Context(), secret)
	require.Nil(p.t, refusal)
	return secret, digest.KeyID
}

// adminPages are all pages that an administrator can look at, of a key and a user.
func adminPages(keyID, userID string) []string {
	key, user := "/keys/"+keyID, "/users/"+userID
	return []string{
		"/keys", "/keys/new", "/system-keys", "/system-keys/new", key, key + "/requests", key + "/alerts", key + "/history",
		key + "/edit", key + "/rotate", key + "/revoke", "/users", "/users/new", user, user + "/delete",
		"/usage", "/alerts", "/alerts?state=", "/access-logs", "/audit-log", "/plans",
	}
}

// hostile is a text of each kind that would break out of where pages put it.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>'` + "`" + `${alert(1)}{{.}}</textarea></title>`
