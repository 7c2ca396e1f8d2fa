package e2e

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	cdppage "github.com/chromedp/cdproto/page"
	cdptarget "github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/browser"
)

// newKeyForm opens the form of a new key from a list of keys, in its dialog.
func (p *page) newKeyForm(list, noun string) {
	p.t.Helper()
	require.Equal(p.t, http.StatusOK, p.visit(list))
	p.click(link("Create " + noun))
	p.await("dialog[open] #name")
	require.True(p.t, p.has("dialog #name:focus"))
}

// secret returns the secret that the page shows, for the vault to look for.
func (p *page) secret() string {
	p.t.Helper()
	return p.c.vault.keep(p.value("#secret"))
}

// allowClipboard lets the pages of the window write to the clipboard, and the test
// read from it.
func (p *page) allowClipboard() {
	p.t.Helper()
	p.run(chromedp.ActionFunc(func(ctx context.Context) error {
		window, err := cdptarget.GetTargetInfo().Do(ctx)
		for _, name := range []string{"clipboard-read", "clipboard-write"} {
			err = errors.Join(err, cdpbrowser.SetPermission(&cdpbrowser.PermissionDescriptor{Name: name}, cdpbrowser.PermissionSettingGranted).
				WithOrigin("http://"+p.c.admin.address).WithBrowserContextID(window.BrowserContextID).Do(ctx))
		}
		return err
	}))
}

func TestAKeyMadeOnThePagesSendsAndItsSecretIsShownOnce(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	for name, view := range views {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := c.openSignedIn(t, view)
			p.newKeyForm("/keys", "API key")
			p.fill("#name", "checkout "+name)
			p.pick("permission", "read-write")
			require.Equal(t, http.StatusCreated, p.follow(button("Create API key")), p.describe())
			secret := p.secret()
			made := c.keyNamed(t, "checkout "+name)
			assert.NoError(t, exportTracesHTTP(t.Context(), c, bearer(secret), true))
			assert.Equal(t, 1, received(t, c.sink).count(made.id))
			snippets := p.texts("pre code")
			assert.Len(t, snippets, 6, "of as many kinds of senders")
			for i, snippet := range snippets {
				assert.Contains(t, snippet, secret, p.texts(".tablist > label")[i])
			}
			for _, tab := range p.texts(".tablist > label") {
				p.click(`//label[.="` + tab + `"]`)
				p.await(`//pre[@aria-label="` + tab + `"]`)
			}

			p.followToKey(made.id)
			p.nowhere(secret)
		})
	}
}

// followToKey leaves the page that shows a secret.
func (p *page) followToKey(id string) {
	p.t.Helper()
	require.Equal(p.t, http.StatusOK, p.follow(link("I have copied it")))
	require.Equal(p.t, "/keys/"+id, p.at())
}

func TestCopyingPutsTheSecretOnTheClipboard(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	p := c.openSignedIn(t, browser.Desktop)
	p.allowClipboard()
	p.newKeyForm("/keys", "API key")
	p.fill("#name", "checkout")
	require.Equal(t, http.StatusCreated, p.follow(button("Create API key")))
	clipboard := func() (text string) {
		p.run(chromedp.Evaluate(`navigator.clipboard.readText()`, &text, awaitPromise))
		return text
	}
	p.click(`[data-copy=secret]`)
	p.await(`//button[@data-copy="secret" and .="Copied"]`)
	assert.Equal(t, p.secret(), clipboard())

	p.click(`[data-copy=code-env]`)
	p.await(`//button[@data-copy="code-env" and .="Copied"]`)
	assert.Equal(t, p.texts("#code-env")[0], strings.Join(strings.Fields(clipboard()), " "))
}

func TestAFormThatIsSentAgainMakesNoSecondKeyAndTellsNoSecret(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	p := c.openSignedIn(t, browser.Desktop)
	require.Equal(t, http.StatusOK, p.visit("/keys/new"))
	p.fill("#name", "checkout")
	require.Equal(t, http.StatusCreated, p.follow(button("Create API key")))
	secret := p.secret()
	require.Equal(t, 2, c.numberOfKeys(t))
	tellsNothing := func(how string) {
		t.Helper()
		var page string
		p.run(chromedp.OuterHTML("html", &page))
		assert.NotContains(t, page, needle(secret), how)
		assert.False(t, p.has("#secret"), how)
		assert.Equal(t, 2, c.numberOfKeys(t), how)
	}

	assert.Equal(t, http.StatusConflict, p.lead(chromedp.Reload()), "reloading sends the form again")
	assert.Equal(t, "Sent already", p.text("h1"))
	tellsNothing("after reloading")

	require.Equal(t, http.StatusOK, p.follow(`//nav//a[.="Plans"]`))
	p.back()
	require.Eventually(t, func() bool {
		var at string
		return p.tab.Run(chromedp.Evaluate(`location.href`, &at)) == nil && strings.HasPrefix(at, "chrome-error:")
	}, patience, tick, "the browser has kept nothing, and asks before it sends the form again")
	tellsNothing("after going back")

	require.Equal(t, http.StatusOK, p.visit("/keys/new"))
	p.fill("#name", "twice")
	var status2 int
	p.run(chromedp.Evaluate(`{
		const form = document.querySelector("form[action='/keys']"), send = () => fetch("/keys", {method: "POST", body: new URLSearchParams(new FormData(form))});
		Promise.all([send(), send(), send()]).then(answers => answers.filter(a => a.status === 201).length);
	}`, &status2, awaitPromise))
	assert.Equal(t, 1, status2, "of three at once one makes a key")
	assert.Equal(t, 3, c.numberOfKeys(t))
	p.nowhere(secret)
}

// back goes to the page before, and waits for nothing.
func (p *page) back() {
	p.t.Helper()
	p.run(chromedp.ActionFunc(func(ctx context.Context) error {
		at, history, err := cdppage.GetNavigationHistory().Do(ctx)
		if err != nil {
			return err
		}
		return cdppage.NavigateToHistoryEntry(history[at-1].ID).Do(ctx)
	}))
}

func TestKeysAreMadeAsTheFormSays(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	user := c.createUser(t, "Ada", client.RoleMember)
	email := "ada@example.com"
	patch := client.UserPatch{}
	patch.Email.Set(email)
	c.patchUser(t, user, patch)
	p := c.openSignedIn(t, browser.Desktop)
	endOf := func(days int) time.Time { return time.Now().UTC().AddDate(0, 0, days) }
	for name, tt := range map[string]struct {
		fill  func()
		check func(k client.Key)
	}{
		"as it is offered": {func() {}, func(k client.Key) {
			assert.Equal(t, []string{"traces:write"}, sorted(k.Scopes))
			assert.WithinDuration(t, endOf(90), *k.ExpiresAt, time.Minute)
			assert.Equal(t, client.EnvironmentLive, k.Environment)
			assert.Empty(t, k.Projects)
		}},
		"reads alone": {func() { p.pick("permission", "read-only"); p.pick("expires", "7d") }, func(k client.Key) {
			assert.Contains(t, sorted(k.Scopes), "traces:read")
			assert.NotContains(t, strings.Join(sorted(k.Scopes), " "), "write")
			assert.WithinDuration(t, endOf(7), *k.ExpiresAt, time.Minute)
		}},
		"single scopes, for ever, for tests": {func() {
			p.pick("permission", "custom")
			p.pick("scopes", "logs:write")
			p.pick("scopes", "metrics:read")
			p.pick("expires", "never")
			p.pick("environment", "test")
		}, func(k client.Key) {
			assert.Equal(t, []string{"logs:write", "metrics:read"}, sorted(k.Scopes))
			assert.Nil(t, k.ExpiresAt)
			assert.Equal(t, client.EnvironmentTest, k.Environment)
		}},
		"until a day, that day included, of a user": {func() {
			p.pick("expires", "date")
			p.set("#expiresOn", "2099-12-30")
			p.fill("#ownerId", email)
		}, func(k client.Key) {
			assert.Equal(t, "2099-12-31T00:00:00Z", k.ExpiresAt.UTC().Format(time.RFC3339))
			assert.Equal(t, user, *k.OwnerID)
		}},
		"restricted": {func() {
			p.fill("#description", "sends <b>orders</b>")
			p.click("summary")
			p.fill("#projects", "shop\n\nbilling\n")
			p.fill("#allowedIps", "10.0.0.0/8, 2001:db8::1")
			p.fill("#expectedCountries", "de, FR")
			p.set("#plan", "pro")
			p.fill("#limits", "ingest:requests:5000/1h\ntraces:items:7/1m")
		}, func(k client.Key) {
			assert.Equal(t, "sends <b>orders</b>", k.Description)
			assert.Equal(t, []string{"shop", "billing"}, k.Projects)
			assert.Equal(t, []string{"10.0.0.0/8", "2001:db8::1/128"}, k.AllowedIps)
			assert.Equal(t, []string{"DE", "FR"}, k.ExpectedCountries)
			assert.Equal(t, "pro", k.Plan)
			assert.Equal(t, limitsOf("5000 requests in 1h on ingest", "7 items in 1m on traces"), k.Limits)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p.in(t)
			require.Equal(t, http.StatusOK, p.visit("/keys/new"))
			p.fill("#name", name)
			tt.fill()
			require.Equal(t, http.StatusCreated, p.follow(button("Create API key")), p.describe())
			p.secret()
			tt.check(c.details(t, c.keyNamed(t, name).id))
			require.Equal(t, http.StatusOK, p.follow(link("I have copied it")))
			assert.Contains(t, p.text("h1"), name)
		})
	}
}

func TestAFormWithMistakesSaysWhichAndKeepsWhatWasFilledIn(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	p := c.openSignedIn(t, browser.Desktop)
	p.newKeyForm("/keys", "API key")
	p.fill("#name", "checkout")
	p.fill("#description", "sends orders")
	p.pick("environment", "test")
	p.pick("permission", "custom")
	p.pick("expires", "date")
	p.click("summary")
	p.fill("#projects", "shop\nbilling")
	p.fill("#allowedIps", "everywhere")
	p.fill("#limits", "ingest:requests:many")
	p.fill("#ownerId", "nobody@example.com")
	require.Equal(t, http.StatusBadRequest, p.follow(button("Create API key")))
	assert.True(t, p.has("#problem:focus"))
	assert.Len(t, p.texts("#problem li"), 4, "no scope, no date, no such user, no limit")
	assert.Len(t, p.texts("p.error"), 4, "beside what they are of")
	kept := func() {
		t.Helper()
		assert.Equal(t, "checkout", p.value("#name"))
		assert.Equal(t, "sends orders", p.value("#description"))
		assert.Equal(t, "shop\nbilling", p.value("#projects"))
		assert.Equal(t, "everywhere", p.value("#allowedIps"))
		assert.True(t, p.has("input[name=environment][value=test]:checked"))
		assert.True(t, p.has("input[name=permission][value=custom]:checked"))
		assert.True(t, p.has("details[open] #allowedIps"))
	}
	kept()

	p.pick("scopes", "logs:write")
	p.set("#expiresOn", "2099-12-30")
	p.fill("#limits", "ingest:requests:10/1m")
	p.fill("#ownerId", "")
	require.Equal(t, http.StatusBadRequest, p.follow(button("Create API key")), "what only the gate knows")
	assert.Len(t, p.texts("p.error"), 1)
	assert.True(t, p.has("#allowedIps[aria-invalid=true]"))
	assert.True(t, p.has("input[name=scopes][value='logs:write']:checked"))
	assert.Equal(t, "2099-12-30", p.value("#expiresOn"))
	kept()
	assert.Equal(t, 1, c.numberOfKeys(t), "nothing was made")

	p.fill("#allowedIps", "127.0.0.0/8")
	require.Equal(t, http.StatusCreated, p.follow(button("Create API key")), p.describe())
	secret := p.secret()
	assert.Equal(t, 2, c.numberOfKeys(t))
	assert.Equal(t, codes.OK, sendGRPC(t, c, logs, logs.request("shop"), bearer(secret)).code)
}

func TestThePagesWorkWithoutScripts(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	view := browser.Phone
	view.NoScripts = true
	p := c.openSignedIn(t, view)
	require.Equal(t, http.StatusOK, p.follow(link("Create API key")), "no dialog, but a page")
	p.fill("#name", "checkout")
	p.pick("permission", "custom")
	p.pick("scopes", "traces:write")
	require.Equal(t, http.StatusCreated, p.follow(button("Create API key")))
	secret := p.secret()
	require.NoError(t, exportTracesHTTP(t.Context(), c, bearer(secret), false))
	k := c.keyNamed(t, "checkout")
	p.followToKey(k.id)

	require.Equal(t, http.StatusOK, p.visit("/keys?q=nothing"))
	assert.Equal(t, "Nothing matches", p.text("h2"))
	p.fill("input[name=q]", "checkout")
	require.Equal(t, http.StatusOK, p.follow(button("Apply")))
	require.Equal(t, http.StatusOK, p.follow(link("checkout")))
	require.Equal(t, http.StatusOK, p.follow(link("Revoke")))
	p.fill("#confirm", "checkuot")
	require.Equal(t, http.StatusBadRequest, p.follow(button("Revoke this key")))
	require.NoError(t, exportTracesHTTP(t.Context(), c, bearer(secret), false), "nothing was done")
	p.fill("#confirm", "checkout")
	require.Equal(t, http.StatusOK, p.follow(button("Revoke this key")))
	assert.Contains(t, p.text("[role=status]"), "Revoked.")
	assert.ErrorContains(t, exportTracesHTTP(t.Context(), c, bearer(secret), false), "revoked")
}
