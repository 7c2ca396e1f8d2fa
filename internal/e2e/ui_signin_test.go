package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/browser"
	"github.com/otlpgate/otlpgate/internal/credential"
)

func TestSigningInLeadsToThePageThatWasAskedFor(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	revoked := c.create(t)
	c.revoke(t, revoked.id)
	for name, view := range views {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := c.open(t, view)
			const asked = "/alerts?state=resolved"
			assert.Equal(t, http.StatusOK, p.visit(asked))
			assert.Equal(t, "/sign-in?next=%2Falerts%3Fstate%3Dresolved", p.at())
			for wrong, says := range map[string]string{
				"nonsense":                        "malformed",
				c.vault.mint(credential.Live):     "unknown API key",
				revoked.secret:                    "revoked",
				"Bearer " + revoked.secret + "  ": "revoked",
			} {
				p.fill("#key", wrong)
				require.Equal(t, http.StatusUnauthorized, p.follow(button("Sign in")))
				assert.Contains(t, p.text("#problem"), says)
				assert.Empty(t, p.value("#key"), "what was typed is not repeated")
				assert.True(t, p.has("#problem:focus"), "who cannot see the page is told")
			}
			assert.Empty(t, p.cookies())
			p.fill("#key", c.secret)
			assert.Equal(t, http.StatusOK, p.follow(button("Sign in")))
			assert.Equal(t, asked, p.at())
			assert.Len(t, p.cookies(), 1)

			assert.Equal(t, http.StatusOK, p.visit("/sign-in?next=/plans"), "who is signed in needs not")
			assert.Equal(t, "/plans", p.at())
			assert.Equal(t, http.StatusOK, p.visit("/sign-in?next=https://example.com/"), "nobody is led elsewhere")
			assert.Equal(t, "/keys", p.at())
		})
	}
}

func TestASessionEndsAtOnceWithItsKey(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	user := c.createUser(t, "Ada", client.RoleMember)
	inactive := false
	for name, end := range map[string]func(k key){
		"revoked":     func(k key) { c.revoke(t, k.id) },
		"deactivated": func(key) { c.patchUser(t, user, client.UserPatch{Active: &inactive}) },
	} {
		k := c.create(t, ownedBy(user), preset("read-write"))
		p := c.open(t, browser.Desktop)
		p.signIn(k.secret)
		require.Equal(t, http.StatusOK, p.visit("/plans"))
		end(k)
		assert.Equal(t, http.StatusUnauthorized, p.visit("/plans"), name)
		assert.Contains(t, p.text("#problem"), name)
		assert.False(t, p.has("header.side"), "nothing of the pages is left")
		assert.Empty(t, p.cookies(), name)
		active := true
		c.patchUser(t, user, client.UserPatch{Active: &active})
		assert.Equal(t, http.StatusOK, p.visit("/plans"))
		assert.Equal(t, "/sign-in?next=%2Fplans", p.at(), "it does not come back")
	}
}

func TestSigningOutEndsTheSessionForWhoeverKeptItsCookie(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	p := c.openSignedIn(t, browser.Desktop)
	kept := p.cookies()
	require.Equal(t, http.StatusOK, p.visit("/users"))
	require.Contains(t, p.fetch("/users", kept).body, "<h1>Users</h1>")

	assert.Equal(t, http.StatusOK, p.follow(button("Sign out")))
	assert.Equal(t, "/sign-in", p.at())
	assert.Empty(t, p.cookies())
	p.lead(chromedp.NavigateBack())
	assert.Equal(t, "Sign in", p.text("h1"), "the browser has kept nothing")
	assert.Contains(t, p.fetch("/users", kept).body, "<h1>Sign in</h1>")
}

func TestTheThemeThatWasChosenStays(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	background := func(p *page) (color string) {
		p.run(chromedp.Evaluate(`getComputedStyle(document.body).backgroundColor`, &color))
		return color
	}
	const light, night = "rgb(247, 248, 250)", "rgb(14, 17, 23)"
	for name, tt := range map[string]struct {
		view         browser.View
		system       string
		other, color string
	}{
		"light": {browser.Desktop, light, "dark", night},
		"dark":  {dark(browser.Desktop), night, "light", light},
	} {
		p := c.openSignedIn(t, tt.view)
		assert.Equal(t, tt.system, background(p), "as the system is: %s", name)
		require.Equal(t, http.StatusOK, p.visit("/plans"))
		assert.Equal(t, http.StatusOK, p.follow(`.themes [value=`+tt.other+`]`))
		assert.Equal(t, "/plans", p.at(), "it is where it was chosen")
		assert.Equal(t, tt.color, background(p))
		assert.Equal(t, "true", p.attribute(`.themes [value=`+tt.other+`]`, "aria-pressed"))
		p.follow(button("Sign out"))
		assert.Equal(t, tt.color, background(p), "it outlives the session")
		p.signIn(c.secret)
		assert.Equal(t, tt.color, background(p))
		p.follow(`.themes [value=""]`)
		assert.Equal(t, tt.system, background(p))
	}
}

func TestTimesAreTheReadersWithUTCOnHover(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	k := c.create(t)
	for zone, format := range map[string]string{"Asia/Tokyo": "Jan 2, 2006, 3:04 PM", "America/New_York": "Jan 2, 2006, 3:04 PM"} {
		view := browser.Desktop
		view.Zone = zone
		p := c.openSignedIn(t, view)
		require.Equal(t, http.StatusOK, p.visit("/keys/"+k.id))
		const created = `//dt[.="Created"]/following-sibling::dd/time`
		made := c.details(t, k.id).CreatedAt
		assert.Equal(t, made.In(location(t, zone)).Format(format), p.text(created))
		assert.Equal(t, made.UTC().Format("2006-01-02 15:04:05 UTC"), p.attribute(created, "title"))
	}
	view := browser.Desktop
	view.Zone, view.NoScripts = "Asia/Tokyo", true
	p := c.openSignedIn(t, view)
	require.Equal(t, http.StatusOK, p.visit("/keys/"+k.id))
	assert.Equal(t, c.details(t, k.id).CreatedAt.UTC().Format("2 Jan 2006, 15:04 UTC"), p.text(`//dt[.="Created"]/following-sibling::dd/time`), "without scripts")
}

func location(t *testing.T, zone string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(zone)
	require.NoError(t, err)
	return l
}
