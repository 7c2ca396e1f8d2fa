package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/browser"
)

// row returns the texts of the cells of the row that a header begins.
func (p *page) row(header string) []string {
	p.t.Helper()
	var cells []string
	p.run(chromedp.Evaluate(fmt.Sprintf(`{
		const row = Array.from(document.querySelectorAll("tbody tr")).find(r => r.cells[0].textContent.trim() === %q);
		row ? Array.from(row.cells, c => c.textContent.trim()).slice(1) : [];
	}`, header), &cells))
	return cells
}

// sendMix sends what the page of a key is to show: nine requests, of which three
// are accepted, with two items each, five refused, and one fails.
func sendMix(t *testing.T, c *collector, k key) {
	t.Helper()
	for range 3 {
		assert.Equal(t, codes.OK, sendProtobuf(t, c, traces, traces.request("shop", "shop"), k.bearer()).code)
	}
	for range 4 {
		assert.Equal(t, "missing_scope", sendProtobuf(t, c, metrics, metrics.request("shop"), k.bearer()).reason)
	}
	assert.Equal(t, "project_not_allowed", sendProtobuf(t, c, traces, traces.request("theirs"), k.bearer()).reason)
	c.sink.fail.Store(uint32(codes.Unavailable))
	sendProtobuf(t, c, traces, traces.request("shop"), k.bearer())
	c.sink.fail.Store(uint32(codes.OK))
}

func TestThePageOfAKeyTellsExactlyWhatBecameOfItsRequests(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	other := c.create(t, named("other"))
	k := c.create(t, named("checkout"), scopes("traces:write"), projects("shop"), limitedTo("40 requests in 1h on ingest"))
	sendMix(t, c, k)
	require.NoError(t, exportTracesHTTP(t.Context(), c, other.bearer(), false))
	p := c.openSignedIn(t, browser.Desktop)
	require.Equal(t, http.StatusOK, p.follow(link("checkout")))
	for _, period := range []string{"7 days", "Hour", "24 hours", "30 days", "90 days", "Year"} {
		require.Equal(t, http.StatusOK, p.follow(link(period)))
		assert.Equal(t, period, p.text(".segments [aria-current]"))
		tiles := p.texts(".tile strong")
		require.Len(t, tiles, 6)
		assert.Equal(t, []string{"9", "6"}, tiles[:2], "requests, items")
		assert.Equal(t, []string{"5", "1", "66.7%"}, tiles[3:], "refused, failed, error rate")
		assert.Equal(t, []string{"5", "1", "1"}, p.row("traces"), "requests, refused, failed")
		assert.Equal(t, []string{"4", "4", "0"}, p.row("metrics"))
		assert.Equal(t, []string{"missing scope4", "project not allowed1"}, p.refusals())
		assert.Contains(t, p.attribute(".plot svg", "aria-label"), ": 9 in all")
		assert.Equal(t, []string{"3", "5", "1"}, p.texts(".tiles + .charts .card:first-child .legend b"))
	}
	require.Len(t, c.used(t, k.id), 1)
	used := c.used(t, k.id)[0]
	assert.Equal(t, fmt.Sprintf("40 requests per hour on ingest%d used, %d left", used, 40-used), p.text(`//h3[.="Limits now"]/..//li`))

	p.accessLogOf(k)
	require.Equal(t, http.StatusOK, p.follow(link("Alerts")))
	assert.Equal(t, "No alerts", p.text("h2"))
	require.Equal(t, http.StatusOK, p.follow(link("History")))
	assert.Len(t, p.texts(".timeline li"), 1)
	assert.Contains(t, p.text(".timeline li"), "created the key")
}

// refusals are the reasons that a page tells, with how often.
func (p *page) refusals() []string {
	p.t.Helper()
	return p.texts(".card:has(> h3) .shares li:not([class])")
}

// accessLogOf checks the access log of a key after sendMix.
func (p *page) accessLogOf(k key) {
	p.t.Helper()
	require.Equal(p.t, http.StatusOK, p.follow(link("Access log")))
	requests := func() (all int) {
		p.run(chromedp.Evaluate(`Array.from(document.querySelectorAll("tbody tr")).reduce((n, r) => n + Number(r.querySelector("td.right").textContent), 0)`, &all))
		return all
	}
	assert.Equal(p.t, 9, requests())
	assert.NotContains(p.t, p.text("main"), "other", "of no other key")
	for _, tt := range []struct {
		filter, value string
		want          int
	}{{"outcome", "accepted", 3}, {"outcome", "refused", 5}, {"outcome", "failed", 1}, {"endpoint", "metrics", 4}, {"from", "2020-01-01T00:00", 9}} {
		require.Equal(p.t, http.StatusOK, p.visit("/keys/"+k.id+"/requests"))
		require.Equal(p.t, http.StatusOK, p.filter(tt.filter, tt.value))
		assert.Equal(p.t, tt.want, requests(), "%+v", tt)
	}
	require.Equal(p.t, http.StatusOK, p.filter("to", "2020-01-01T00:00"))
	assert.Equal(p.t, "Nothing matches", p.text("h2"))
	require.Equal(p.t, http.StatusOK, p.follow(link("Show all")))
	assert.Equal(p.t, 9, requests())
}

func TestAnEditSavesWhatWasChangedAndNothingElse(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	k := c.create(t, named("checkout"), projects("shop"), limitedTo("40 requests in 1h on ingest"))
	p := c.openSignedIn(t, browser.Desktop)
	details := func() client.Key {
		k := c.details(t, k.id)
		k.Quotas = nil // they go with the time
		return k
	}
	before := details()
	require.Equal(t, http.StatusOK, p.visit("/keys/"+k.id+"/edit"))
	require.Equal(t, http.StatusOK, p.follow(button("Save")))
	assert.Equal(t, before, details(), "nothing was changed")

	require.Equal(t, http.StatusOK, p.follow(link("Edit")))
	p.fill("#name", "payments")
	p.pick("permission", "custom")
	p.pick("scopes", "metrics:write")
	p.pick("expires", "date")
	p.set("#expiresOn", "2099-12-30")
	p.fill("#projects", "shop\nbank")
	require.Equal(t, http.StatusOK, p.follow(button("Save")))
	assert.Equal(t, "/keys/"+k.id+"?done=updated", p.at())
	assert.Contains(t, p.text("[role=status]"), "in effect")
	after := c.details(t, k.id)
	assert.Equal(t, "payments", after.Name)
	assert.Equal(t, []string{"logs:write", "profiles:write", "traces:write"}, sorted(after.Scopes))
	assert.Equal(t, "2099-12-31", after.ExpiresAt.UTC().Format("2006-01-02"))
	assert.Equal(t, []string{"shop", "bank"}, after.Projects)
	assert.Equal(t, before.Limits, after.Limits)
	assert.Equal(t, codes.PermissionDenied, sendProtobuf(t, c, metrics, metrics.request("bank"), k.bearer()).code)
	assert.Equal(t, codes.OK, sendProtobuf(t, c, traces, traces.request("bank"), k.bearer()).code)

	require.Equal(t, http.StatusOK, p.follow(link("Edit")))
	assert.True(t, p.has("input[name=expires][value=keep]:checked"))
	p.fill("#name", "")
	p.run(chromedp.Evaluate(`document.querySelector("#name").required = false`, nil))
	require.Equal(t, http.StatusBadRequest, p.follow(button("Save")))
	assert.True(t, p.has("#name[aria-invalid=true]"))
	assert.Equal(t, "shop\nbank", p.value("#projects"))
	assert.Equal(t, "payments", c.details(t, k.id).Name)
}

func TestAnEditTellsOfWhatSomebodyElseHasChangedMeanwhile(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	k := c.create(t, named("checkout"))
	p := c.openSignedIn(t, browser.Desktop)
	require.Equal(t, http.StatusOK, p.visit("/keys/"+k.id+"/edit"))
	p.fill("#name", "mine")
	name := "theirs"
	patch := client.KeyPatch{Name: &name}
	patch.Description.Set("sends their orders")
	c.change(t, k.id, patch)

	require.Equal(t, http.StatusPreconditionFailed, p.follow(button("Save")))
	assert.Contains(t, p.text("#problem"), "Somebody else has changed this key")
	assert.Equal(t, "mine", p.value("#name"), "what was filled in is kept")
	assert.Equal(t, "theirs", c.details(t, k.id).Name, "nothing was saved")
	assert.Contains(t, p.text("#meanwhile"), "theirs", "what it is now is told")
	assert.Equal(t, "sends their orders", p.value("#description"), "what I have not changed is as it is now")
	require.Equal(t, http.StatusOK, p.follow(button("Save")), "who insists may")
	assert.Equal(t, "mine", c.details(t, k.id).Name)
	assert.Equal(t, "sends their orders", c.details(t, k.id).Description)
}

func TestARotationOnThePagesKeepsTheOldSecretForItsGracePeriod(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	k := c.create(t, named("checkout"))
	p := c.openSignedIn(t, browser.Desktop)
	works := func(want codes.Code, secrets ...string) {
		t.Helper()
		for _, secret := range secrets {
			assert.Equal(t, want, sendProtobuf(t, c, traces, traces.request(), headers{"authorization": "Bearer " + secret}).code)
		}
	}
	require.Equal(t, http.StatusOK, p.visit("/keys/"+k.id))
	require.Equal(t, http.StatusOK, p.follow(link("Rotate")))
	require.Equal(t, http.StatusCreated, p.follow(button("Rotate")))
	second := p.secret()
	assert.NotEqual(t, k.secret, second)
	works(codes.OK, k.secret, second)
	assert.Equal(t, http.StatusConflict, p.lead(chromedp.Reload()), "it is not rotated again")
	works(codes.OK, k.secret, second)

	require.Equal(t, http.StatusOK, p.visit("/keys/"+k.id))
	assert.Contains(t, p.text(".badge"), "rotating")
	told := p.text(".rotation")
	assert.Contains(t, told, "It was last used just now")
	assert.Contains(t, told, "traces", "who still uses the old secret: "+told)
	p.nowhere(second)

	require.Equal(t, http.StatusOK, p.visit("/keys/"+k.id+"/rotate"))
	assert.Contains(t, p.text(".notice"), "A rotation is under way")
	p.pick("gracePeriod", "0")
	require.Equal(t, http.StatusCreated, p.follow(button("Rotate")))
	works(codes.Unauthenticated, k.secret, second)
	works(codes.OK, p.secret())
	require.Equal(t, http.StatusOK, p.visit("/keys/"+k.id))
	assert.False(t, p.has(".rotation"))
	require.Equal(t, http.StatusOK, p.follow(link("History")))
	assert.Equal(t, 2, strings.Count(p.text(".timeline"), "rotated the key"))
}

func TestAKeyIsRevokedAtOnceByWhoeverTypesItsNameAlone(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	for name, view := range map[string]browser.View{"desktop": browser.Desktop, "phone": dark(browser.Phone)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := c.create(t, named("checkout  eu "+name))
			p := c.openSignedIn(t, view)
			require.Equal(t, http.StatusOK, p.visit("/keys/"+k.id))
			require.Equal(t, http.StatusOK, p.follow(link("Revoke")))
			disabled := `.danger[disabled]`
			assert.True(t, p.has(disabled))
			p.fill("#confirm", "checkout us")
			assert.True(t, p.has(disabled))
			require.Equal(t, http.StatusBadRequest, p.lead(chromedp.Evaluate(`document.querySelector("#confirm").form.submit()`, nil)))
			assert.Contains(t, p.text("p.error"), "must be the name of the key")
			require.NoError(t, exportTracesHTTP(t.Context(), c, k.bearer(), false), "nothing was done")
			p.fill("#confirm", " checkout eu  "+name)
			assert.False(t, p.has(disabled))
			require.Equal(t, http.StatusOK, p.follow(button("Revoke this key")))
			for _, s := range senders {
				assert.Equal(t, codes.Unauthenticated, s.send(t, c, traces, traces.request(), k.bearer()).code, s.name)
			}
			assert.Contains(t, p.text(".badge"), "revoked")
			assert.False(t, p.has(".buttons a"), "nothing is left to be done")
			require.Equal(t, http.StatusOK, p.visit("/keys/"+k.id+"/revoke"))
			assert.Contains(t, p.text(".notice"), "revoked already")
		})
	}
	t.Run("one's own", func(t *testing.T) {
		k := c.create(t, named("mine"), scopes("admin"))
		p := c.open(t, browser.Desktop)
		p.signIn(k.secret)
		require.Equal(t, http.StatusOK, p.visit("/keys/"+k.id+"/revoke"))
		assert.Contains(t, p.text("main"), "You are signed in with it")
		p.fill("#confirm", "mine")
		assert.Equal(t, http.StatusUnauthorized, p.follow(button("Revoke this key")))
		assert.Equal(t, "Sign in", p.text("h1"))
	})
}
