package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/browser"
)

func TestSystemKeysAreMadeWithARoleAndTheirProjects(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	p := c.openSignedIn(t, browser.Desktop)
	require.Equal(t, http.StatusOK, p.visit("/system-keys"))
	assert.Equal(t, []string{"bootstrap"}, p.names())
	for role, permitted := range map[string]bool{"viewer": false, "member": true} {
		p.newKeyForm("/system-keys", "system key")
		assert.False(t, p.has("dialog #ownerId"), "it has no owner")
		p.fill("#name", "deploy-"+role)
		p.pick("permission", role)
		p.click("summary")
		p.fill("#projects", "shop")
		require.Equal(t, http.StatusCreated, p.follow(button("Create system key")), p.describe())
		secret := p.secret()
		k := c.details(t, c.keyNamed(t, "deploy-"+role).id)
		assert.Equal(t, client.KeyTypeSystem, k.Type)
		assert.Equal(t, client.Role(role), *k.Role)
		assert.Nil(t, k.OwnerID)
		got := sendProtobuf(t, c, traces, traces.request("shop"), bearer(secret))
		assert.Equal(t, permitted, got.code == codes.OK, "%s: %s", role, got.message)
		if permitted {
			assert.Equal(t, "project_not_allowed", sendProtobuf(t, c, traces, traces.request("theirs"), bearer(secret)).reason)
		}
		p.followToKey(k.ID)
	}
	require.Equal(t, http.StatusOK, p.visit("/system-keys?sort=name"))
	assert.Equal(t, []string{"bootstrap", "deploy-member", "deploy-viewer"}, p.names())
	require.Equal(t, http.StatusOK, p.visit("/keys"))
	assert.Empty(t, p.names(), "they are not among the keys of users")
}

func TestUsersAreMadeStoppedAndDeletedWithTheirKeys(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	p := c.openSignedIn(t, browser.Desktop)
	require.Equal(t, http.StatusOK, p.visit("/users"))
	p.click(link("Create user"))
	p.await("dialog[open] #email")
	p.fill("#user-name", "Ada Lovelace")
	p.fill("#email", "ada@example.com")
	p.pick("role", "viewer")
	require.Equal(t, http.StatusOK, p.follow(button("Create user")))
	assert.Contains(t, p.text("[role=status]"), "was created")
	user := p.at()[len("/users/") : len(p.at())-len("?done=user-created")]
	p.pick("role", "member")
	require.Equal(t, http.StatusOK, p.follow(button("Save")))
	k := c.create(t, named("hers"), ownedBy(user))
	works := func(want codes.Code) {
		t.Helper()
		assert.Equal(t, want, sendProtobuf(t, c, traces, traces.request(), k.bearer()).code)
	}
	works(codes.OK)

	p.click("input[name=active]")
	require.Equal(t, http.StatusOK, p.follow(button("Save")))
	works(codes.Unauthenticated)
	assert.Contains(t, p.text(".badge"), "deactivated")
	require.Equal(t, http.StatusOK, p.follow(link("Keys")))
	assert.Equal(t, []string{"hers"}, p.names())
	assert.Equal(t, "disabled", p.text("td .badge"))
	require.Equal(t, http.StatusOK, p.visit("/users/"+user))
	p.click("input[name=active]")
	require.Equal(t, http.StatusOK, p.follow(button("Save")))
	works(codes.OK)
	p.findUsers()

	require.Equal(t, http.StatusOK, p.visit("/users/"+user))
	require.Equal(t, http.StatusOK, p.follow(link("Delete")))
	assert.True(t, p.has(".danger[disabled]"))
	p.fill("#confirm", "Ada")
	assert.True(t, p.has(".danger[disabled]"))
	works(codes.OK)
	p.fill("#confirm", "Ada Lovelace")
	require.Equal(t, http.StatusOK, p.follow(button("Delete this user")))
	assert.Equal(t, "/users?done=user-deleted", p.at())
	works(codes.Unauthenticated)
	assert.Equal(t, []string{"Administrator"}, p.names())
	assert.Equal(t, http.StatusNotFound, p.visit("/users/"+user))
}

// findUsers narrows the list of the administrator and Ada.
func (p *page) findUsers() {
	p.t.Helper()
	for query, want := range map[string]string{
		"q=ADA%40example": "Ada Lovelace", "role=member": "Ada Lovelace", "role=admin": "Administrator", "active=false": "", "active=true&q=lace": "Ada Lovelace",
	} {
		require.Equal(p.t, http.StatusOK, p.visit("/users?"+query))
		assert.Equal(p.t, want, summary(p.names()), query)
	}
	require.Equal(p.t, http.StatusOK, p.filter("active", "false"), "filters apply at once")
	assert.Equal(p.t, "Nobody matches", p.text("h2"))
}

func TestAMistakenUserIsToldAndNotMade(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	p := c.openSignedIn(t, browser.Phone)
	require.Equal(t, http.StatusOK, p.visit("/users/new"))
	require.Equal(t, http.StatusBadRequest, p.follow(button("Create user")), "with neither name nor email")
	assert.True(t, p.has("#problem:focus"))
	p.fill("#user-name", "Ada")
	p.pick("role", "viewer")
	require.Equal(t, http.StatusOK, p.follow(button("Create user")))
	require.Equal(t, http.StatusOK, p.visit("/users"))
	assert.Equal(t, []string{"Administrator", "Ada"}, p.names())
}

func TestTheAuditLogTellsWhoDidWhatAndIsFiltered(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	ada := c.createUser(t, "Ada", client.RoleMember)
	hers := c.create(t, named("hers"), ownedBy(ada), preset("read-write"))
	doomed := c.create(t, named("doomed"))
	c.revoke(t, doomed.id)
	member := c.open(t, browser.Desktop)
	member.signIn(hers.secret)
	require.Equal(t, http.StatusNotFound, member.visit("/keys/"+doomed.id), "of another")
	require.Equal(t, http.StatusForbidden, member.visit("/audit-log"))

	p := c.openSignedIn(t, browser.Desktop)
	require.Equal(t, http.StatusOK, p.visit("/audit-log"))
	all := p.texts(".timeline li")
	assert.Contains(t, all[0], "bootstrap signed in")
	for _, tt := range []struct{ filter, value, want string }{
		{"action", "key.revoke", "bootstrap revoked the key " + doomed.id},
		{"action", "user.create", "bootstrap created the user " + ada},
		{"target", ada, "bootstrap created the user " + ada},
		{"actor", ada, "Ada refused tried"},
		{"outcome", "refused", "Ada refused tried"},
		{"from", "2020-01-01T00:00", "bootstrap signed in"},
	} {
		require.Equal(t, http.StatusOK, p.visit("/audit-log"))
		require.Equal(t, http.StatusOK, p.filter(tt.filter, tt.value), "%+v", tt)
		entries := p.texts(".timeline li")
		if assert.NotEmpty(t, entries, "%+v", tt) {
			assert.Contains(t, entries[0], tt.want, "%+v", tt)
		}
		assert.Equal(t, tt.filter != "from", len(entries) < len(all), "%+v", tt)
	}
	require.Equal(t, http.StatusOK, p.filter("to", "2020-01-01T00:00"))
	assert.Equal(t, "Nothing matches", p.text("h2"))
}

func TestUsageAndAccessLogsOfAllAreExact(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{overlay: insightOverlay})
	k := c.create(t, named("checkout"), scopes("traces:write"), projects("shop"))
	sendMix(t, c, k)
	for range 2 {
		sendProtobuf(t, c, logs, logs.request(), nil)
	}
	p := c.openSignedIn(t, browser.Desktop)
	require.Equal(t, http.StatusOK, p.visit("/usage?period=1h"))
	assert.Equal(t, []string{"5", "1", "1"}, p.row("traces"), "requests, refused, failed")
	assert.Equal(t, []string{"4", "4", "0"}, p.row("metrics"))
	require.Len(t, p.row("checkout"), 5)
	assert.Equal(t, "9", p.row("checkout")[0], "among the busiest")
	assert.Contains(t, p.text("main"), "2 requests came with no key")

	require.Equal(t, http.StatusOK, p.visit("/access-logs?endpoint=metrics"))
	rows := p.texts("tbody tr")
	require.Len(t, rows, 4)
	assert.Contains(t, rows[0], "checkout")
	assert.Contains(t, rows[0], "missing scope")
	require.Equal(t, http.StatusOK, p.filter("type", "none"))
	assert.Equal(t, "Nothing matches", p.text("h2"))
	require.Equal(t, http.StatusOK, p.visit("/access-logs"))
	require.Equal(t, http.StatusOK, p.filter("type", "none"))
	rows = p.texts("tbody tr")
	require.Len(t, rows, 2)
	assert.Contains(t, rows[0], "no key")
}

func TestPlansShowWhatIsConfigured(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{overlay: `
extensions: {apikeyauth: {plans: {tiny: {limits: [{on: traces, unit: items, max: 70000, window: 1m}], concurrency: 3}}, default_plan: tiny}}
`})
	p := c.openSignedIn(t, browser.Phone)
	require.Equal(t, http.StatusOK, p.visit("/plans"))
	const card = `//h2[starts-with(normalize-space(),"tiny")]/..`
	assert.Contains(t, p.text(card), "tiny default 70,000 items per minute on traces At most 3 requests at once.")
	c.create(t, named("small"), onPlan("tiny"))
	c.create(t, named("large"))
	require.Equal(t, http.StatusOK, p.follow(card+"//a"))
	assert.Equal(t, []string{"small"}, p.names())
}

func TestAMemberSeesNothingOfOthersOnThePages(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	ada, grace := c.createUser(t, "Ada", client.RoleMember), c.createUser(t, "Unseen User", client.RoleMember)
	mine, theirs := c.create(t, named("mine"), ownedBy(ada), preset("read-write")), c.create(t, named("unseen-key"), ownedBy(grace))
	require.NoError(t, exportTracesHTTP(t.Context(), c, theirs.bearer(), false))
	for name, view := range map[string]browser.View{"desktop": browser.Desktop, "phone": browser.Phone} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := c.open(t, view)
			p.signIn(mine.secret)
			assert.Equal(t, []string{"mine"}, p.names())
			assert.Equal(t, []string{"API keys", "Plans", "Access logs", "Alerts"}, p.texts("nav[aria-label=Pages] a"))
			for _, path := range []string{"/users/new", "/system-keys", "/system-keys/new", "/audit-log", "/usage"} {
				assert.Equal(t, http.StatusForbidden, p.visit(path), path)
				assert.Equal(t, "Not permitted", p.text("h1"), path)
			}
			for _, path := range []string{"", "/edit", "/rotate", "/revoke", "/requests", "/alerts", "/history"} {
				assert.Equal(t, http.StatusNotFound, p.visit("/keys/"+theirs.id+path), path)
			}
			assert.Equal(t, http.StatusNotFound, p.visit("/users/"+grace))
			for path, text := range p.crawl() {
				for _, unseen := range []string{"unseen-key", "Unseen User", theirs.id, grace} {
					assert.NotContains(t, text, unseen, path)
				}
			}
			assert.Equal(t, http.StatusOK, p.visit("/keys/"+mine.id))
		})
	}
}

func TestAMemberMakesKeysOfTheirOwnOnThePages(t *testing.T) {
	t.Parallel()
	c := startWithPages(t, options{})
	ada := c.createUser(t, "Ada", client.RoleMember)
	mine := c.create(t, named("mine"), ownedBy(ada), preset("read-write"))
	p := c.open(t, browser.Desktop)
	p.signIn(mine.secret)
	p.newKeyForm("/keys", "API key")
	assert.False(t, p.has("#ownerId"))
	p.fill("#name", "another of mine")
	require.Equal(t, http.StatusCreated, p.follow(button("Create API key")))
	assert.NoError(t, exportTracesHTTP(t.Context(), c, bearer(p.secret()), false))
	k := c.details(t, c.keyNamed(t, "another of mine").id)
	assert.Equal(t, ada, *k.OwnerID)
	assert.Equal(t, c.details(t, mine.id).Plan, k.Plan, "no other than the one it is made with")
}
