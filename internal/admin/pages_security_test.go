package admin

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/accesslog"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

var accesslogAll accesslog.Filter

func TestNobodyIsLetInWithoutASession(t *testing.T) {
	h := newPageHarness(t)
	someone := h.person()
	for _, path := range append(adminPages("key_x", "usr_x"), "/") {
		a := someone.get(path)
		assert.Equal(t, http.StatusSeeOther, a.status, path)
		assert.True(t, strings.HasPrefix(a.header.Get("Location"), "/sign-in"), path)
	}
	for _, path := range []string{"/keys", "/system-keys", "/keys/key_x/edit", "/keys/key_x/rotate", "/keys/key_x/revoke", "/users", "/users/usr_x", "/users/usr_x/delete", "/sign-out"} {
		assert.Equal(t, http.StatusSeeOther, someone.post(path, url.Values{"name": {"x"}}).status, path)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.site.URL+"/api/v1/whoami", nil)
	require.NoError(t, err)
	admin := h.signedIn(h.admin)
	resp, err := admin.client.Do(r)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, http.StatusUnauthorized, resp.StatusCode, "the API takes keys, and no sessions")
}

func TestAFormFromAnotherSiteDoesNothing(t *testing.T) {
	h := newPageHarness(t)
	_, id := h.keyAndID(store.Key{Name: "victim", OwnerID: store.BuiltinUserID, Scopes: []identity.Scope{identity.TracesWrite}})
	for name, header := range map[string]http.Header{
		"another site":             {"Sec-Fetch-Site": {"cross-site"}},
		"another port of the host": {"Sec-Fetch-Site": {"same-site"}},
		"an old browser":           {"Sec-Fetch-Site": nil, "Origin": {"https://evil.example"}},
		"an old browser's sandbox": {"Sec-Fetch-Site": nil, "Origin": {"null"}},
	} {
		t.Run(name, func(t *testing.T) {
			admin := h.signedIn(h.admin)
			admin.header = header
			for path, form := range map[string]url.Values{
				"/keys":                   {"name": {"forged"}, "permission": {"admin"}, "once": {"x"}},
				"/system-keys":            {"name": {"forged"}, "permission": {"admin"}, "once": {"y"}},
				"/keys/" + id + "/revoke": {"confirm": {"victim"}},
				"/keys/" + id + "/rotate": {"gracePeriod": {"0"}, "once": {"z"}},
				"/keys/" + id + "/edit":   {"name": {"forged"}},
				"/users":                  {"name": {"forged"}, "role": {"admin"}},
				"/sign-in":                {"key": {h.admin}},
				"/sign-out":               {},
				"/theme":                  {"theme": {"dark"}},
			} {
				a := admin.post(path, form)
				assert.Equal(t, http.StatusForbidden, a.status, path)
				assert.Contains(t, a.body, "sent from another site", path)
			}
		})
	}
	k, err := h.store.Key(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, "victim", k.Name)
	assert.True(t, k.RevokedAt.IsZero())
	keys, err := h.store.ListKeys(t.Context(), store.KeyFilter{Query: "forged"}, store.Page{})
	require.NoError(t, err)
	assert.Empty(t, keys.Keys)
}

func TestNoPageChangesAnythingByBeingRead(t *testing.T) {
	h := newPageHarness(t)
	h.user("usr_ada", identity.Member)
	_, id := h.userKey("usr_ada", identity.TracesWrite)
	admin := h.signedIn(h.admin)
	before := newestSeq(t, h)
	for _, path := range adminPages(id, "usr_ada") {
		admin.get(path)
	}
	for _, path := range []string{"/sign-out", "/theme"} {
		a := admin.get(path)
		assert.Equal(t, http.StatusMethodNotAllowed, a.status, path)
		assert.Equal(t, "POST", a.header.Get("Allow"), path)
	}
	assert.Equal(t, before, newestSeq(t, h))
}

func newestSeq(t *testing.T, h *pageHarness) uint64 {
	t.Helper()
	page, err := h.store.ListAudit(t.Context(), store.AuditFilter{}, store.Page{Limit: 1})
	require.NoError(t, err)
	return page.Records[0].Seq
}

// Everything that others can store is put into every page, and no page may have
// an element, or an attribute that runs, of it.
func TestNothingStoredCanBreakOutOfAPage(t *testing.T) {
	h := newPageHarness(t)
	user := store.User{ID: "usr_<script>", Name: hostile, Email: `"<script>alert(1)</script>"@example.com`, Role: identity.Member, Active: true, CreatedAt: epoch, UpdatedAt: epoch}
	_, err := h.store.CreateUser(t.Context(), user, store.Audit{Time: epoch, Action: hostile, Target: user.ID, Actor: store.Actor{KeyID: hostile, UserID: hostile, Address: hostile}})
	require.NoError(t, err)
	_, id := h.keyAndID(store.Key{
		Name: hostile, Description: hostile, OwnerID: user.ID, Scopes: []identity.Scope{identity.TracesWrite}, Projects: []string{hostile},
		ExpectedCountries: []string{hostile}, Plan: hostile, CreatedBy: hostile,
	})
	k, err := h.store.UpdateKey(t.Context(), id, func(k *store.Key) (store.Audit, error) {
		k.Secrets[0].Hint = hostile
		k.Secrets = append(k.Secrets, store.Secret{Digest: store.Digest{1}, Hint: hostile, CreatedAt: epoch, ExpiresAt: epoch.Add(time.Hour)})
		return store.Audit{Time: epoch, Action: "key.update", Changes: map[string]store.Change{hostile: {From: hostile, To: []any{hostile, map[string]any{hostile: hostile}}}}}, nil
	})
	require.NoError(t, err)
	for _, digest := range []store.Digest{k.Secrets[0].Digest, k.Secrets[1].Digest} {
		h.books.Record(&access.Request{
			Group: access.Group{
				KeyID: id, KeyType: identity.UserKey, Secret: digest.Ref(), Hint: hostile, Endpoint: hostile, Transport: access.HTTP,
				Outcome: access.Refused, Reason: hostile, Status: 403, Address: netip.MustParseAddr("192.0.2.9"),
			},
			Arrived: epoch, UserAgent: hostile,
		})
	}
	h.books.Record(&access.Request{Group: access.Group{Hint: hostile, Endpoint: "traces", Outcome: access.Refused, Reason: "unknown_key"}, Arrived: epoch, UserAgent: hostile})
	require.NoError(t, h.books.Flush(t.Context()))
	h.setClock(epoch.Add(40 * 24 * time.Hour))
	require.NoError(t, h.books.alerts.Evaluate(t.Context()))

	admin := h.signedIn(h.admin)
	paths := adminPages(id, url.PathEscape(user.ID))
	for _, filter := range []string{"q", "status", "owner", "plan", "environment", "sort", "cursor", "done", "period", "state", "kind", "outcome", "endpoint", "type", "from", "to", "target", "actor", "action", "role", "active", "next"} {
		for _, path := range []string{"/keys", "/system-keys", "/users", "/alerts", "/access-logs", "/audit-log", "/usage", "/keys/" + id, "/keys/" + id + "/requests", "/sign-in"} {
			paths = append(paths, path+"?"+filter+"="+url.QueryEscape(hostile))
		}
	}
	shown := 0
	for _, path := range paths {
		a := admin.get(path)
		require.Less(t, a.status, 500, path)
		assertHarmless(t, path, a.body)
		if strings.Contains(a.body, "&lt;script&gt;") || strings.Contains(a.body, "%3cscript%3e") {
			shown++
		}
	}
	assert.Greater(t, shown, 10, "the pages show what is stored")

	path := "/keys/" + id + "/edit"
	assertHarmless(t, path, admin.submit(path, path, url.Values{"name": {hostile + "x"}, "limits": {hostile}, "allowedIps": {hostile}, "ownerId": {hostile}}).body)
	assertHarmless(t, "create", admin.submit("/keys/new", "/keys", url.Values{"name": {hostile}, "projects": {hostile}, "expectedCountries": {hostile}}).body)
	assertHarmless(t, "secret", admin.submit("/keys/new", "/keys", url.Values{"name": {hostile}, "projects": {hostile}}).body)
}

// assertHarmless allows scripts of our own, and what was checked to be a link.
func assertHarmless(t *testing.T, path, page string) {
	t.Helper()
	document, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	for n := range document.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "script":
			assert.True(t, strings.HasPrefix(attribute(n, "src"), "/assets/app.") && n.FirstChild == nil, "%s: a script", path)
		case "img", "iframe", "object", "embed", "base", "style", "svg:script":
			t.Errorf("%s: <%s>", path, n.Data)
		}
		for _, a := range n.Attr {
			assert.False(t, strings.HasPrefix(a.Key, "on"), "%s: attribute %s of <%s>", path, a.Key, n.Data)
			assert.NotEqual(t, "style", a.Key, "%s: a style, which the policy forbids", path)
			if a.Key == "href" || a.Key == "action" || a.Key == "src" || a.Key == "formaction" {
				assert.Regexp(t, `^(/|\?|#)`, a.Val, "%s: leads elsewhere", path)
				assert.False(t, strings.HasPrefix(a.Val, "//"), "%s: leads elsewhere: %s", path, a.Val)
			}
		}
	}
}

func TestEveryAnswerForbidsWhatPagesDoNotNeed(t *testing.T) {
	h := newPageHarness(t)
	admin, stranger := h.signedIn(h.admin), h.person()
	answers := map[string]answer{
		"a page": admin.get("/keys"), "signing in": stranger.get("/sign-in"), "a redirect": stranger.get("/keys"),
		"none": admin.get("/none"), "a form": admin.post("/keys", url.Values{}), "refused": stranger.post("/sign-in", url.Values{"key": {"x"}}),
		"the secret": admin.submit("/keys/new", "/keys", url.Values{"name": {"k"}}),
	}
	for name, a := range answers {
		policy := a.header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", "script-src 'self'", "style-src 'self'"} {
			assert.Contains(t, policy, part, name)
		}
		assert.NotContains(t, policy, "unsafe", name)
		assert.Equal(t, "DENY", a.header.Get("X-Frame-Options"), name)
		assert.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"), name)
		assert.Equal(t, "no-store", a.header.Get("Cache-Control"), name)
		assert.Equal(t, "same-origin", a.header.Get("Cross-Origin-Opener-Policy"), name)
		assert.Equal(t, "same-origin", a.header.Get("Referrer-Policy"), name)
	}
	assert.Equal(t, http.StatusCreated, answers["the secret"].status)
}

func TestFilesArePublicAndKept(t *testing.T) {
	h := newPageHarness(t)
	page := h.person().page("/sign-in")
	document, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	files := 0
	for n := range document.Descendants() {
		for _, name := range []string{"href", "src"} {
			if path := attribute(n, name); strings.HasPrefix(path, "/assets/") {
				a := h.person().get(path)
				assert.Equal(t, http.StatusOK, a.status, path)
				assert.Contains(t, a.header.Get("Cache-Control"), "immutable", path)
				files++
			}
		}
	}
	assert.Equal(t, 3, files)
	assert.Equal(t, http.StatusNotFound, h.person().get("/assets/style.css").status)
	assert.Equal(t, http.StatusNotFound, h.person().get("/assets/..%2fweb.go").status)
}

func TestAPageShowsASecretOnce(t *testing.T) {
	h := newPageHarness(t)
	admin := h.signedIn(h.admin)
	form := formOf(t, admin.page("/keys/new"), "/keys")
	form.Set("name", "once")
	first := admin.post("/keys", form)
	require.Equal(t, http.StatusCreated, first.status)
	secret := secretPattern.FindString(first.body)
	h.remember(secret)
	id, refusal := h.Judge(t.Context(), secret)
	require.Nil(t, refusal)

	again := admin.post("/keys", form)
	assert.Equal(t, http.StatusConflict, again.status)
	assert.False(t, secretPattern.MatchString(again.body))
	keys, err := h.store.ListKeys(t.Context(), store.KeyFilter{Query: "once"}, store.Page{})
	require.NoError(t, err)
	assert.Len(t, keys.Keys, 1, "and no second key was made")

	for _, path := range adminPages(id.KeyID, store.BuiltinUserID) {
		assert.False(t, secretPattern.MatchString(admin.page(path)), path)
	}
	form.Del("once")
	assert.Equal(t, http.StatusConflict, admin.post("/keys", form).status, "without a token nothing is made")
}

func TestASessionBeginsAnew(t *testing.T) {
	h := newPageHarness(t)
	attacker := h.signedIn(h.admin)
	planted := attacker.client.Jar.Cookies(mustParse(t, h.site.URL))
	require.NotEmpty(t, planted)

	secret, _ := h.userKey(store.BuiltinUserID, identity.TracesWrite)
	victim := h.person()
	victim.client.Jar.SetCookies(mustParse(t, h.site.URL), planted)
	a := victim.post("/sign-in", url.Values{"key": {secret}})
	require.Equal(t, http.StatusSeeOther, a.status)
	cookie, err := http.ParseSetCookie(a.header.Get("Set-Cookie"))
	require.NoError(t, err)
	assert.NotEqual(t, planted[0].Value, cookie.Value)
	assert.True(t, cookie.HttpOnly)
	assert.Equal(t, http.SameSiteStrictMode, cookie.SameSite)
	assert.Equal(t, "/", cookie.Path)
	assert.Empty(t, cookie.Domain)
	assert.Zero(t, cookie.MaxAge, "as long as the browser")
	assert.Equal(t, http.StatusSeeOther, attacker.get("/keys").status, "the planted one has ended")

	chosen := h.person()
	chosen.client.Jar.SetCookies(mustParse(t, h.site.URL), []*http.Cookie{{Name: planted[0].Name, Value: "chosen-by-an-attacker"}})
	a = chosen.post("/sign-in", url.Values{"key": {secret}})
	assert.NotContains(t, a.header.Get("Set-Cookie"), "chosen-by-an-attacker")
}

func TestOverTLSTheCookieIsOfThisHostAlone(t *testing.T) {
	h := newPageHarness(t)
	someone := h.person()
	someone.header.Set("X-Forwarded-Proto", "https")
	a := someone.post("/sign-in", url.Values{"key": {h.admin}})
	cookie, err := http.ParseSetCookie(a.header.Get("Set-Cookie"))
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(cookie.Name, "__Host-"))
	assert.True(t, cookie.Secure)
}

func TestNobodyIsLedElsewhere(t *testing.T) {
	h := newPageHarness(t)
	for _, next := range []string{
		"https://evil.example", "//evil.example", `/\evil.example`, `\/evil.example`, "/\t/evil.example", "/\n/evil.example", "javascript:alert(1)",
		"evil.example", "", "/%0d%0aSet-Cookie:x", "///evil.example", "/sign-in?next=/keys", "http:evil.example", "/\x00/evil",
	} {
		someone := h.person()
		a := someone.post("/sign-in", url.Values{"key": {h.admin}, "next": {next}})
		require.Equal(t, http.StatusSeeOther, a.status)
		target, err := mustParse(t, h.site.URL).Parse(a.header.Get("Location"))
		require.NoError(t, err, next)
		assert.Equal(t, mustParse(t, h.site.URL).Host, target.Host, next)
		a = someone.post("/theme", url.Values{"theme": {"dark"}, "next": {next}})
		target, err = mustParse(t, h.site.URL).Parse(a.header.Get("Location"))
		require.NoError(t, err, next)
		assert.Equal(t, mustParse(t, h.site.URL).Host, target.Host, next)
		assert.Empty(t, a.header.Get("X"), next)
		a = h.signedIn(h.admin).get("/sign-in?next=" + url.QueryEscape(next))
		target, err = mustParse(t, h.site.URL).Parse(a.header.Get("Location"))
		require.NoError(t, err, next)
		assert.Equal(t, mustParse(t, h.site.URL).Host, target.Host, next)
	}
	someone := h.person()
	assert.Equal(t, "/sign-in?next=%2Fkeys%3Fq%3Dx", someone.get("/keys?q=x").header.Get("Location"))
	assert.Equal(t, "/keys?q=x", someone.post("/sign-in", url.Values{"key": {h.admin}, "next": {"/keys?q=x"}}).header.Get("Location"))
}

func TestALinkFromAnotherSiteIsAskedForAgainFromHere(t *testing.T) {
	h := newPageHarness(t)
	someone := h.person()
	someone.header.Set("Sec-Fetch-Site", "cross-site")
	a := someone.get("/keys/key_x?period=7d")
	assert.Equal(t, http.StatusOK, a.status)
	assert.Contains(t, a.body, `http-equiv="refresh" content="0;url=/keys/key_x?period=7d"`)
	assertHarmless(t, "again", someone.get("/keys?q="+url.QueryEscape(hostile)).body)
}

func TestASessionEndsAtOnceWithItsKey(t *testing.T) {
	h := newPageHarness(t)
	for name, end := range map[string]func(id string){
		"revoked": func(id string) {
			require.Equal(t, "No Content", h.revoke(h.admin, id).code(t))
		},
		"rotated away": func(id string) {
			require.Equal(t, "OK", h.rotate(h.admin, id, `{"gracePeriod":"0"}`).code(t))
		},
	} {
		t.Run(name, func(t *testing.T) {
			secret, id := h.userKey(store.BuiltinUserID, identity.TracesWrite)
			someone := h.signedIn(secret)
			form := formOf(t, someone.page("/keys/new"), "/keys")
			form.Set("name", "too late")
			end(id)
			a := someone.post("/keys", form)
			assert.Equal(t, http.StatusUnauthorized, a.status)
			assert.Contains(t, a.body, "Sign in")
			assert.Contains(t, a.header.Get("Set-Cookie"), "Max-Age=0")
			assert.Equal(t, http.StatusSeeOther, someone.get("/keys").status)
		})
	}
	keys, err := h.store.ListKeys(t.Context(), store.KeyFilter{Query: "too late"}, store.Page{})
	require.NoError(t, err)
	assert.Empty(t, keys.Keys)
}

func TestTheSessionIsOverWhenSomebodySignsOut(t *testing.T) {
	h := newPageHarness(t)
	someone := h.signedIn(h.admin)
	cookies := someone.client.Jar.Cookies(mustParse(t, h.site.URL))
	assert.Equal(t, "/sign-in", someone.post("/sign-out", url.Values{}).header.Get("Location"))
	thief := h.person()
	thief.client.Jar.SetCookies(mustParse(t, h.site.URL), cookies)
	assert.Equal(t, http.StatusSeeOther, thief.get("/keys").status)
}

func TestGuessingKeysToSignInIsThrottled(t *testing.T) {
	h := newPageHarness(t)
	someone := h.person()
	var last answer
	for range 30 {
		last = someone.post("/sign-in", url.Values{"key": {credential.Format{}.Mint(credential.Live).Reveal()}})
		if last.status != http.StatusUnauthorized {
			break
		}
	}
	assert.Equal(t, http.StatusTooManyRequests, last.status)
	assert.Contains(t, last.body, "too many attempts to sign in")
	assert.NotEmpty(t, last.header.Get("Retry-After"))
	assert.Equal(t, http.StatusSeeOther, h.person().post("/sign-in", url.Values{"key": {h.admin}}).status, "who shares the address is not locked out")
	h.setClock(epoch.Add(time.Minute))
	assert.Equal(t, http.StatusUnauthorized, someone.post("/sign-in", url.Values{"key": {h.format.Mint(credential.Live).Reveal()}}).status)
	assert.Equal(t, http.StatusSeeOther, someone.post("/sign-in", url.Values{"key": {h.admin}}).status)
}

func TestASignInThatFailedShowsNothingOfTheKey(t *testing.T) {
	h := newPageHarness(t)
	key := h.admin[:len(h.admin)-1] + "!"
	a := h.person().post("/sign-in", url.Values{"key": {key}})
	assert.Equal(t, http.StatusUnauthorized, a.status)
	assert.NotContains(t, a.body, key[:20])
}

func TestAFormThatIsTooLargeIsRefused(t *testing.T) {
	h := newPageHarness(t)
	admin := h.signedIn(h.admin)
	a := admin.post("/keys", url.Values{"name": {strings.Repeat("x", 1<<20)}})
	assert.Equal(t, http.StatusBadRequest, a.status)
	assert.Less(t, h.person().post("/sign-in", url.Values{"key": {strings.Repeat("x", 1<<20)}}).status, 500)
}

func mustParse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	require.NoError(t, err)
	return u
}

// Whoever pastes a key where it does not belong gets it back on no page.
func TestAKeyInTheWrongPlaceIsOnNoPage(t *testing.T) {
	h := newPageHarness(t)
	stray := h.format.Mint(credential.Live).Reveal()
	h.remember(stray)
	_, id := h.userKey(store.BuiltinUserID, identity.TracesWrite)
	admin := h.signedIn(h.admin)
	key, user := "/keys/"+id, "/users/"+store.BuiltinUserID
	for _, path := range []string{"/keys", "/system-keys", "/users", "/alerts", "/access-logs", "/audit-log", "/usage", "/plans", key, key + "/requests", "/none"} {
		for _, filter := range []string{"q", "endpoint", "target", "actor", "cursor", "next", "period", "done", "x"} {
			a := admin.get(path + "?" + filter + "=" + stray)
			assert.Less(t, a.status, 500, path)
			assert.False(t, h.leaks(a.body), "%s?%s", path, filter)
			a = h.person().get(path + "?" + filter + "=" + stray)
			assert.False(t, h.leaks(a.body) || h.leaks(headerText(a.header)), "%s?%s", path, filter)
		}
	}
	for _, path := range []string{"/keys/" + stray, "/users/" + stray, "/" + stray, "/sign-in?next=/" + stray} {
		assert.False(t, h.leaks(admin.get(path).body), path)
		assert.False(t, h.leaks(h.person().get(path).body), path)
	}
	for path, fields := range map[string][]string{
		"/keys/new":     {"name", "description", "projects", "allowedIps", "expectedCountries", "limits", "ownerId", "plan", "permission", "expires"},
		key + "/edit":   {"name", "description", "projects", "limits", "version"},
		key + "/rotate": {"gracePeriod"}, key + "/revoke": {"confirm"},
		"/users/new": {"name", "email", "role"}, user: {"name", "email", "version"},
	} {
		for _, field := range fields {
			action := strings.TrimSuffix(path, "/new")
			a := admin.submit(path, action, url.Values{field: {stray}})
			assert.GreaterOrEqual(t, a.status, 400, "%s %s", path, field)
			assert.Less(t, a.status, 500, "%s %s", path, field)
			assert.False(t, h.leaks(a.body), "%s %s", path, field)
		}
	}
}
