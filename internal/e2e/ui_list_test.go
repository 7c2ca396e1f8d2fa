package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/browser"
)

// names are those of the keys, or users, that a list shows.
func (p *page) names() []string {
	p.t.Helper()
	return p.texts("tbody th[scope=row] > a")
}

// keysToList makes more keys than a page lists, of all kinds.
func keysToList(t *testing.T, c *collector) (names []string, ada string) {
	t.Helper()
	ada, grace := c.createUser(t, "Ada", client.RoleMember), c.createUser(t, "Grace", client.RoleMember)
	for n := range 52 {
		names = append(names, fmt.Sprintf("filler-%02d", n))
		c.create(t, named(names[n]))
	}
	c.create(t, named("alpha"), inEnvironment(client.EnvironmentTest), onPlan("pro"), ownedBy(ada))
	c.revoke(t, c.create(t, named("bravo")).id)
	used := c.create(t, named("charlie"), expiring(time.Now().Add(72*time.Hour)))
	c.create(t, named("delta"), ownedBy(grace))
	inactive := false
	c.patchUser(t, grace, client.UserPatch{Active: &inactive})
	require.NoError(t, exportTracesHTTP(t.Context(), c, used.bearer(), false))
	return append(names, "alpha", "bravo", "charlie", "delta"), ada
}

func TestTheListOfKeysHasThemAllPageByPageAndFindsEach(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	empty := c.openSignedIn(t, browser.Phone)
	assert.Equal(t, "No keys yet", empty.text("h2"))
	empty.click(`.empty a[data-dialog]`)
	empty.await("dialog[open] #name")

	all, ada := keysToList(t, c)
	slices.Sort(all)
	t.Run("desktop", func(t *testing.T) {
		t.Parallel()
		p := c.openSignedIn(t, browser.Desktop)
		assert.Equal(t, "delta", p.names()[0], "the newest first")
		p.pageByPage(all)
		p.filtering(ada)
	})
	t.Run("phone", func(t *testing.T) {
		t.Parallel()
		p := c.openSignedIn(t, browser.Phone)
		p.pageByPage(all)
		p.searching(c.keyNamed(t, "alpha").id)
	})
}

// filtering narrows the list in every way, and sorts it.
func (p *page) filtering(ada string) {
	p.t.Helper()
	for _, tt := range []struct {
		filter, value string
		want          string // see summary
	}{
		{"status", "revoked", "bravo"},
		{"status", "disabled", "delta"},
		{"status", "active", "charlie …"},
		{"status", "expired", ""},
		{"environment", "test", "alpha"},
		{"owner", ada, "alpha"},
		{"plan", "pro", "alpha"},
		{"sort", "createdAt", "filler-00 …"},
		{"sort", "name", "alpha …"},
		{"sort", "-lastUsedAt", "charlie …"},
		{"sort", "expiresAt", "charlie …"},
	} {
		require.Equal(p.t, http.StatusOK, p.visit("/keys"))
		require.Equal(p.t, http.StatusOK, p.filter(tt.filter, tt.value), "%+v", tt)
		assert.Equal(p.t, tt.value, p.value("form.filters [name="+tt.filter+"]"))
		assert.Equal(p.t, tt.want, summary(p.names()), "%+v", tt)
	}
	require.Equal(p.t, http.StatusOK, p.visit("/keys?status=active&plan=pro"))
	require.Equal(p.t, http.StatusOK, p.filter("environment", "live"), "filters add up")
	assert.Equal(p.t, "Nothing matches", p.text("h2"))
}

// summary is one name, or the first of several.
func summary(names []string) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return names[0]
	}
	return names[0] + " …"
}

// pageByPage goes through the list and back.
func (p *page) pageByPage(all []string) {
	p.t.Helper()
	require.Equal(p.t, http.StatusOK, p.filter("sort", "name"))
	assert.Equal(p.t, fmt.Sprintf("1–50 of %d", len(all)), p.text(".pager p"))
	assert.Equal(p.t, all[:50], p.names())
	assert.False(p.t, p.has("[rel=prev]"))
	require.Equal(p.t, http.StatusOK, p.follow(link("Next")))
	assert.Equal(p.t, fmt.Sprintf("51–%d of %d", len(all), len(all)), p.text(".pager p"))
	assert.Equal(p.t, all[50:], p.names())
	assert.False(p.t, p.has("[rel=next]"))
	require.Equal(p.t, http.StatusOK, p.follow(link("Previous")))
	assert.Equal(p.t, all[:50], p.names())
}

// searching finds keys by what is typed.
func (p *page) searching(alpha string) {
	p.t.Helper()
	for typed, want := range map[string]string{"ALPH": "alpha", alpha: "alpha", "filler-51": "filler-51", "Ada": "alpha", "no such key": ""} {
		require.Equal(p.t, http.StatusOK, p.visit("/keys"))
		p.fill("[name=q]", typed)
		require.Equal(p.t, http.StatusOK, p.lead(chromedp.KeyEvent(kb.Enter)))
		assert.Equal(p.t, want, summary(p.names()), typed)
	}
	require.Equal(p.t, http.StatusOK, p.visit("/keys?q=no+such+key&status=active"))
	assert.Equal(p.t, "Nothing matches", p.text("h2"))
	require.Equal(p.t, http.StatusOK, p.follow(link("Show all keys")))
	assert.Len(p.t, p.names(), 50)
	require.Equal(p.t, http.StatusOK, p.visit("/keys?q=alpha"))
	require.Equal(p.t, http.StatusOK, p.follow("a.clear"))
	assert.Len(p.t, p.names(), 50)
}
