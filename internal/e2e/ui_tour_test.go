package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/browser"
	"github.com/otlpgate/otlpgate/internal/demo"
)

// startDemo starts a collector on the past of a company, in which pages have
// something to show.
func startDemo(t *testing.T) *collector {
	t.Helper()
	sharedBrowser(t)
	past, err := demo.Seed(t.Context(), demo.Options{Directory: filepath.Join(t.TempDir(), "data"), Days: 1, UsageKeys: 4})
	require.NoError(t, err)
	return start(t, options{storage: past.Directory, overlay: fmt.Sprintf(`
extensions: {apikeyauth: {geoip: {database: %q}}}
`, past.CountriesFile)})
}

// axe returns the source of axe-core.
func axe(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(root, "testdata", "js", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		missing(t, "testdata/js/node_modules/axe-core is missing: run make test-deps")
	}
	return string(source)
}

// tour is a walk over the pages.
type tour struct {
	*page
	axe  string
	seen *sync.Map // kinds of pages
}

// stop looks at the page from all sides, where it came with that status.
func (o *tour) stop(name string, want, got int) {
	o.t.Helper()
	assert.Equal(o.t, want, got, name)
	o.seen.Store(kindOfPage(o.at()), true)
	o.run(chromedp.Evaluate(o.axe, nil))
	for _, look := range []struct {
		view  string
		width int
		phone bool
		color string
		rules string // those that tell this look from another of the same page
	}{
		{"desktop, light", browser.Desktop.Width, false, "light", ""},
		{"desktop, dark", browser.Desktop.Width, false, "dark", `runOnly: ["color-contrast"],`},
		{"phone, dark", browser.Phone.Width, true, "dark", `runOnly: ["color-contrast"],`},
		{"phone, light", browser.Phone.Width, true, "light", ""},
	} {
		var faults []string
		var wide bool
		o.run(
			emulation.SetDeviceMetricsOverride(int64(look.width), 850, 1, look.phone),
			emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: look.color}, {Name: "prefers-reduced-motion", Value: "reduce"},
			}),
			chromedp.Evaluate(`axe.run({`+look.rules+` preload: false, resultTypes: ["violations"]}).then(r => r.violations
				.filter(v => v.impact === "serious" || v.impact === "critical")
				.flatMap(v => v.nodes.map(n => v.id + " (" + v.impact + ") at " + n.target + ": " + n.failureSummary)))`, &faults, awaitPromise),
			chromedp.Evaluate(`document.documentElement.scrollWidth > document.documentElement.clientWidth`, &wide),
		)
		for _, fault := range faults {
			o.t.Errorf("%s (%s), %s: %s", name, o.at(), look.view, fault)
		}
		assert.False(o.t, wide, "%s, %s: the page is wider than the window", name, look.view)
	}
	assert.Empty(o.t, o.complained(), "%s: the browser complains", name)
}

func TestEveryPageIsAccessibleAndGivesTheBrowserNothingToComplainOf(t *testing.T) {
	t.Parallel()
	source := axe(t)
	c := startDemo(t)
	seen := &sync.Map{}
	user := c.createUser(t, "Ada", client.RoleMember)
	busy := c.create(t, named("busy"), ownedBy(user), scopes("traces:write"), projects("shop"), limitedTo("40 requests in 1h on ingest"))
	sendMix(t, c, busy)
	revoked := c.create(t).id
	c.revoke(t, revoked)
	rotating := c.create(t)
	c.rotate(t, rotating, "24h")
	require.NoError(t, exportTracesHTTP(t.Context(), c, rotating.bearer(), false))
	t.Run("pages", func(t *testing.T) {
		for _, paths := range [][]string{
			{
				"/keys", "/keys?q=no+such+key", "/keys/new", "/system-keys", "/system-keys/new", "/users", "/users?q=nobody", "/users/new",
				"/users/" + user, "/users/" + user + "/delete", "/plans", "/usage", "/usage?period=1h", "/alerts", "/alerts?state=", "/alerts?state=resolved&kind=key_expiring",
			},
			{
				"/access-logs", "/access-logs?endpoint=nothing", "/audit-log", "/audit-log?target=nobody",
				"/keys/" + busy.id, "/keys/" + busy.id + "/requests", "/keys/" + busy.id + "/alerts", "/keys/" + busy.id + "/history", "/keys/" + busy.id + "/edit",
				"/keys/" + busy.id + "/rotate", "/keys/" + busy.id + "/revoke", "/keys/" + rotating.id, "/keys/" + rotating.id + "/rotate", "/keys/" + revoked, "/keys/" + revoked + "/edit",
			},
		} {
			t.Run(paths[0][1:], func(t *testing.T) {
				t.Parallel()
				o := &tour{c.openSignedIn(t, browser.Desktop), source, seen}
				for _, path := range paths {
					o.stop(path, http.StatusOK, o.visit(path))
				}
			})
		}
		t.Run("forms", func(t *testing.T) {
			t.Parallel()
			o := &tour{c.open(t, browser.Desktop), source, seen}
			o.forms(busy.id)
		})
	})
	for _, pattern := range pagePatterns(t) {
		_, ok := seen.Load(pattern)
		assert.True(t, ok, "no stop at %s", pattern)
	}
}

// forms stops at the pages that come of forms.
func (o *tour) forms(other string) {
	o.t.Helper()
	o.stop("sign in", http.StatusOK, o.visit("/sign-in"))
	o.click("summary")
	o.fill("#key", "nonsense")
	o.stop("wrong key", http.StatusUnauthorized, o.follow(button("Sign in")))
	o.signIn(o.c.secret)
	o.stop("no such page", http.StatusNotFound, o.visit("/nothing"))
	o.newKeyForm("/keys", "API key")
	o.stop("dialog", http.StatusOK, http.StatusOK)
	o.fill("#name", "checkout")
	o.pick("permission", "custom")
	o.pick("expires", "date")
	o.click("summary")
	o.stop("dialog, unfolded", http.StatusOK, http.StatusOK)
	o.stop("mistakes", http.StatusBadRequest, o.follow(button("Create API key")))
	o.pick("permission", "read-write")
	o.pick("expires", "never")
	o.stop("secret", http.StatusCreated, o.follow(button("Create API key")))
	o.secret()
	for _, tab := range o.texts(".tablist > label") {
		o.click(`//label[.="` + tab + `"]`)
	}
	o.stop("sent already", http.StatusConflict, o.lead(chromedp.Reload()))

	require.Equal(o.t, http.StatusOK, o.visit("/keys/"+other+"/revoke"))
	o.stop("not revoked", http.StatusBadRequest, o.lead(chromedp.Evaluate(`document.querySelector("#confirm").form.submit()`, nil)))
	require.Equal(o.t, http.StatusOK, o.visit("/keys/"+other+"/edit"))
	name := "theirs"
	o.c.change(o.t, other, client.KeyPatch{Name: &name})
	o.fill("#name", "mine")
	o.stop("changed meanwhile", http.StatusPreconditionFailed, o.follow(button("Save")))
	o.stop("saved", http.StatusOK, o.follow(button("Save")))
	o.visit("/users/new")
	o.stop("no user", http.StatusBadRequest, o.follow(button("Create user")))
}

var pagePattern = regexp.MustCompile(`"GET (/[^"]*)"`)

// pagePatterns are those of all pages, from the source.
func pagePatterns(t *testing.T) (patterns []string) {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(root, "internal", "admin", "web", "web.go"))
	require.NoError(t, err)
	for _, match := range pagePattern.FindAllStringSubmatch(string(source), -1) {
		if match[1] != "/{$}" && !strings.HasPrefix(match[1], "/assets/") { // of which one leads to the list of keys
			patterns = append(patterns, match[1])
		}
	}
	require.Greater(t, len(patterns), 20)
	return patterns
}

func TestTheBrowserIsHeardWhereThePolicyForbidsOrAScriptFails(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	p := c.openSignedIn(t, browser.Desktop)
	for name, tt := range map[string]struct{ script, says string }{
		"a script in the page": {`{const s = document.createElement("script"); s.textContent = "document.title = 'run'"; document.body.append(s)}`, "Content Security Policy"},
		"a script elsewhere":   {`{const s = document.createElement("script"); s.src = "http://127.0.0.1:1/x.js"; document.body.append(s)}`, "Content Security Policy"},
		"a style in the page":  {`document.body.setAttribute("style", "color: red")`, "Content Security Policy"},
		"a call elsewhere":     {`fetch("http://127.0.0.1:1/").catch(() => {}); 0`, "Content Security Policy"},
		"a form to elsewhere":  {`{const f = document.createElement("form"); f.action = "http://127.0.0.1:1/"; f.method = "post"; document.body.append(f); f.submit()}`, "Content Security Policy"},
		"a script that fails":  {`setTimeout(() => { throw new Error("broken") }); 0`, "broken"},
	} {
		p.run(chromedp.Evaluate(tt.script, nil))
		var heard []string
		require.Eventually(t, func() bool { heard = append(heard, p.complained()...); return len(heard) > 0 }, patience, tick, name)
		assert.Contains(t, strings.Join(heard, "\n"), tt.says, name)
	}
	assert.NotEqual(t, "run", p.text("title"))
}

func TestAlertsAreListedByStateAndKind(t *testing.T) {
	t.Parallel()
	c := startDemo(t)
	p := c.openSignedIn(t, browser.Desktop)
	count := func(query string) int {
		answer, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+c.admin.address+"/api/v1/alerts?limit=500&"+query, http.NoBody)
		require.NoError(t, err)
		require.NoError(t, c.authorize(t.Context(), answer))
		var list struct{ Data []json.RawMessage }
		require.NoError(t, json.Unmarshal([]byte(doHTTP(t, c.admin.http, answer).body), &list))
		return len(list.Data)
	}
	listed := func() int { return len(p.texts(".alerts > li")) }
	firing := count("state=firing")
	require.Positive(t, firing)
	require.Equal(t, http.StatusOK, p.visit("/alerts"))
	assert.Equal(t, min(firing, 50), listed())
	for kind, title := range map[string]string{
		"key_unused": "Unused key", "key_expiring": "Expiring key", "error_rate": "Error rate", "old_secret_used": "Old secret in use", "unexpected_country": "Unexpected country",
	} {
		require.Equal(t, http.StatusOK, p.visit("/alerts"))
		require.Equal(t, http.StatusOK, p.filter("kind", kind))
		assert.Equal(t, min(count("state=firing&kind="+kind), 50), listed(), kind)
		for _, shown := range p.texts(".alerts > li strong") {
			assert.Equal(t, title, shown)
		}
	}
	require.Equal(t, http.StatusOK, p.visit("/alerts"))
	require.Equal(t, http.StatusOK, p.filter("state", ""))
	assert.Equal(t, min(count(""), 50), listed())
	require.Equal(t, http.StatusOK, p.follow(".alerts > li a"))
	require.Equal(t, http.StatusOK, p.follow(link("Alerts")))
	assert.Positive(t, listed(), "the key's own page has them too")
}
