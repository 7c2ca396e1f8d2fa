package admin

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/accesslog"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/session"
	"github.com/otlpgate/otlpgate/internal/store"
)

func TestEveryPageIsServedToAnAdministrator(t *testing.T) {
	h := newPageHarness(t)
	h.user("usr_ada", identity.Member)
	_, id := h.userKey("usr_ada", identity.TracesWrite)
	admin := h.signedIn(h.admin)
	for _, path := range adminPages(id, "usr_ada") {
		page := admin.page(path)
		assert.Contains(t, page, "<h1", path)
		assert.False(t, h.leaks(page), path)
		assert.Less(t, len(page), 200_000, path)
	}
	assert.Equal(t, "/keys", admin.get("/").header.Get("Location"))
	assert.Equal(t, http.StatusNotFound, admin.get("/keys/key_none").status)
	assert.Equal(t, http.StatusNotFound, admin.get("/nothing").status)
	assert.Equal(t, http.StatusNotFound, admin.get("/users/usr_none").status)
	assert.Contains(t, admin.get("/nothing").body, "There is no such page")
}

func TestAPersonSeesNothingOfOthers(t *testing.T) {
	h := newPageHarness(t)
	h.user("usr_ada", identity.Member)
	h.user("usr_eve", identity.Member)
	_, others := h.keyAndID(store.Key{Name: "secret-project", OwnerID: "usr_ada", Scopes: []identity.Scope{identity.TracesWrite}})
	mine, own := h.keyAndID(store.Key{Name: "mine", OwnerID: "usr_eve", Scopes: []identity.Scope{identity.TracesWrite}})
	eve := h.signedIn(mine)

	list := eve.page("/keys")
	assert.Contains(t, list, "/keys/"+own)
	assert.NotContains(t, list, "secret-project")
	for _, path := range []string{"", "/requests", "/alerts", "/history", "/edit", "/rotate", "/revoke"} {
		assert.Equal(t, http.StatusNotFound, eve.get("/keys/"+others+path).status, path)
		assert.Equal(t, http.StatusOK, eve.get("/keys/"+own+path).status, path)
	}
	for _, path := range []string{"/keys/" + others + "/edit", "/keys/" + others + "/rotate", "/keys/" + others + "/revoke"} {
		assert.Equal(t, http.StatusNotFound, eve.post(path, url.Values{"name": {"x"}, "confirm": {"secret-project"}, "once": {"o"}}).status, path)
	}
	for _, path := range []string{"/system-keys", "/system-keys/new", "/users/new", "/audit-log", "/usage"} {
		assert.Equal(t, http.StatusForbidden, eve.get(path).status, path)
	}
	assert.Equal(t, http.StatusNotFound, eve.get("/users/usr_ada").status)
	assert.Equal(t, http.StatusForbidden, eve.post("/system-keys", url.Values{"name": {"x"}, "permission": {"admin"}, "once": {"o"}}).status)
	assert.Equal(t, http.StatusForbidden, eve.post("/users", url.Values{"name": {"x"}, "role": {"admin"}}).status)
	for _, path := range []string{"/access-logs", "/alerts", "/plans", "/users"} {
		page := eve.page(path)
		assert.NotContains(t, page, "secret-project", path)
		assert.NotContains(t, page, "usr_ada", path)
	}
}

func TestAKeyIsCreatedAsTheFormSays(t *testing.T) {
	h := newPageHarness(t)
	h.user("usr_ada", identity.Member)
	admin := h.signedIn(h.admin)
	_, id := h.create(admin, url.Values{
		"name": {" checkout "}, "description": {"for\r\nthe shop"}, "environment": {"test"}, "ownerId": {"usr_ada"}, "permission": {"custom"},
		"scopes": {"traces:write", "logs:write"}, "expires": {"date"}, "expiresOn": {"2026-12-31"}, "projects": {"a\r\nb, c"},
		"allowedIps": {"10.0.0.0/8"}, "expectedCountries": {"fr, it"}, "plan": {"pro"}, "limits": {"ingest:requests:5/1h"},
	})
	k, err := h.store.Key(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, "checkout", k.Name)
	assert.Equal(t, "for\nthe shop", k.Description)
	assert.Equal(t, identity.Test, k.Environment)
	assert.Equal(t, "usr_ada", k.OwnerID)
	assert.Equal(t, []identity.Scope{identity.TracesWrite, identity.LogsWrite}, k.Scopes)
	assert.Equal(t, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), k.ExpiresAt, "the day itself included")
	assert.Equal(t, []string{"a", "b, c"}, k.Projects, "a line each: names may have commas")
	assert.Len(t, k.AllowedIPs, 1)
	assert.Equal(t, "pro", k.Plan)
	assert.Equal(t, []string{"FR", "IT"}, k.ExpectedCountries)
	require.Len(t, k.Limits, 1)
	assert.EqualValues(t, 5, k.Limits[0].Max)
}

func TestASystemKeyHasTheRoleThatWasChosen(t *testing.T) {
	h := newPageHarness(t)
	admin := h.signedIn(h.admin)
	a := admin.submit("/system-keys/new", "/system-keys", url.Values{"name": {"terraform"}, "permission": {"member"}, "projects": {"infra"}, "expires": {"30d"}})
	require.Equal(t, http.StatusCreated, a.status, a.body)
	id, refusal := h.Judge(t.Context(), secretPattern.FindString(a.body))
	require.Nil(t, refusal)
	assert.Equal(t, identity.SystemKey, id.KeyType)
	assert.Equal(t, identity.Member, id.Role)
	assert.Equal(t, []string{"infra"}, id.Projects)
	assert.Equal(t, epoch.AddDate(0, 0, 30), id.SecretInfo.EndsAt)
}

func TestAFormThatIsWrongKeepsWhatWasFilledIn(t *testing.T) {
	h := newPageHarness(t)
	admin := h.signedIn(h.admin)
	for name, test := range map[string]struct {
		values url.Values
		says   string
	}{
		"no scope":       {url.Values{"permission": {"custom"}}, "must be at least one"},
		"no such scope":  {url.Values{"permission": {"custom"}, "scopes": {"all:write"}}, "must be"},
		"an address":     {url.Values{"allowedIps": {"10.0.0.300"}}, "must be"},
		"a country":      {url.Values{"expectedCountries": {"Germany"}}, "must be codes of two letters"},
		"a limit":        {url.Values{"limits": {"ingest:5"}}, "is incomplete"},
		"a date":         {url.Values{"expires": {"date"}, "expiresOn": {"tomorrow"}}, "must be a date"},
		"another expiry": {url.Values{"expires": {"bogus"}}, "must be one of those"},
		"the last day":   {url.Values{"expires": {"date"}, "expiresOn": {"9999-12-31"}}, "must be a date"},
		"the past":       {url.Values{"expires": {"date"}, "expiresOn": {"2020-01-01"}}, "must be"},
		"no such owner":  {url.Values{"ownerId": {"nobody@example.com"}}, "there is none with this email"},
		"no such plan":   {url.Values{"plan": {"gold"}}, "must be"},
		"a long name":    {url.Values{"name": {strings.Repeat("n", 101)}}, "must be"},
	} {
		t.Run(name, func(t *testing.T) {
			values := url.Values{"name": {"kept-name"}, "description": {"kept-description"}}
			maps.Copy(values, test.values)
			a := admin.submit("/keys/new", "/keys", values)
			assert.GreaterOrEqual(t, a.status, 400)
			assert.Less(t, a.status, 500)
			assert.Contains(t, a.body, test.says)
			assert.Contains(t, a.body, "kept-description")
			assert.Contains(t, a.body, `aria-invalid="true"`)
			again := formOf(t, a.body, "/keys")
			for field, v := range test.values {
				if field != "scopes" && field != "expires" || again.Has(field) { // what there is not to choose cannot be shown
					assert.Equal(t, v, again[field])
				}
			}
		})
	}
	page, err := h.store.ListKeys(t.Context(), store.KeyFilter{}, store.Page{})
	require.NoError(t, err)
	assert.Len(t, page.Keys, 1, "none was created")
}

func TestAFormThatWasRefusedCanBeSentAgain(t *testing.T) {
	h := newPageHarness(t)
	admin := h.signedIn(h.admin)
	form := formOf(t, admin.page("/keys/new"), "/keys")
	form.Set("name", "")
	assert.Equal(t, http.StatusBadRequest, admin.post("/keys", form).status)
	form.Set("name", "now right") // back, and sent again with the same token
	assert.Equal(t, http.StatusCreated, admin.post("/keys", form).status)
}

func TestAnEditOfWhatSomebodyElseHasChangedIsTold(t *testing.T) {
	h := newPageHarness(t)
	_, id := h.userKey(store.BuiltinUserID, identity.TracesWrite)
	admin := h.signedIn(h.admin)
	path := "/keys/" + id + "/edit"
	mine := formOf(t, admin.page(path), path)
	require.Equal(t, http.StatusSeeOther, admin.submit(path, path, url.Values{
		"name": {"theirs"}, "allowedIps": {"10.1.2.0/24"}, "permission": {"custom"}, "scopes": {"logs:write"}, "expires": {"7d"},
	}).status)
	mine.Set("name", "mine")
	mine.Set("description", "mine too")
	a := admin.post(path, mine)
	assert.Equal(t, http.StatusPreconditionFailed, a.status)
	assert.Contains(t, a.body, "Somebody else has changed this key")
	assert.Contains(t, a.body, `value="mine"`)
	k, err := h.store.Key(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, "theirs", k.Name)

	require.Equal(t, http.StatusSeeOther, admin.post(path, formOf(t, a.body, path)).status, "on purpose")
	k, err = h.store.Key(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, "mine", k.Name)
	assert.Equal(t, "mine too", k.Description)
	assert.Len(t, k.AllowedIPs, 1, "what they have changed, and I have not, stays")
	assert.Equal(t, []identity.Scope{identity.LogsWrite}, k.Scopes)
	assert.Equal(t, epoch.AddDate(0, 0, 7), k.ExpiresAt)
}

func TestAnEditOfAUserKeepsWhatSomebodyElseHasChanged(t *testing.T) {
	h := newPageHarness(t)
	h.user("usr_ada", identity.Member)
	admin := h.signedIn(h.admin)
	mine := formOf(t, admin.page("/users/usr_ada"), "/users/usr_ada")
	theirs := formOf(t, admin.page("/users/usr_ada"), "/users/usr_ada")
	theirs.Del("active")
	theirs.Set("role", "viewer")
	require.Equal(t, http.StatusSeeOther, admin.post("/users/usr_ada", theirs).status)
	mine.Set("name", "Ada")
	a := admin.post("/users/usr_ada", mine)
	require.Equal(t, http.StatusPreconditionFailed, a.status)
	require.Equal(t, http.StatusSeeOther, admin.post("/users/usr_ada", formOf(t, a.body, "/users/usr_ada")).status)
	u, err := h.store.User(t.Context(), "usr_ada")
	require.NoError(t, err)
	assert.Equal(t, "Ada", u.Name)
	assert.False(t, u.Active)
	assert.Equal(t, identity.Viewer, u.Role)
}

// A key on a plan that is no longer configured is on the default one's limits, and
// stays so when it is renamed.
func TestAPlanThatIsGoneIsKept(t *testing.T) {
	h := newPageHarness(t)
	_, id := h.keyAndID(store.Key{OwnerID: store.BuiltinUserID, Scopes: []identity.Scope{identity.TracesWrite}, Plan: "gone"})
	admin := h.signedIn(h.admin)
	path := "/keys/" + id + "/edit"
	require.Equal(t, http.StatusSeeOther, admin.submit(path, path, url.Values{"name": {"renamed"}}).status)
	k, err := h.store.Key(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, "renamed", k.Name)
	assert.Equal(t, "gone", k.Plan)
}

func TestReadingOnesOwnPagesIsOnNobodysRecord(t *testing.T) {
	h := newPageHarness(t)
	h.user("usr_ada", identity.Member)
	secret, id := h.keyAndID(store.Key{OwnerID: "usr_ada", Scopes: []identity.Scope{identity.TracesWrite}, CreatedBy: store.BuiltinUserID})
	admin := h.signedIn(h.admin)
	path := "/keys/" + id + "/edit"
	require.Equal(t, http.StatusSeeOther, admin.submit(path, path, url.Values{"name": {"renamed"}}).status)
	ada := h.signedIn(secret)
	before := newestSeq(t, h)
	for _, path := range []string{"", "/requests", "/alerts", "/history", "/edit", "/rotate", "/revoke"} {
		ada.page("/keys/" + id + path)
	}
	for _, path := range []string{"/keys", "/users", "/alerts", "/access-logs", "/plans"} {
		ada.page(path)
	}
	assert.Equal(t, before, newestSeq(t, h))
}

// What may be done is judged when a form has arrived, however slowly it does.
func TestAFormThatArrivesAfterARevocationDoesNothing(t *testing.T) {
	h := newPageHarness(t)
	secret, id := h.userKey(store.BuiltinUserID, identity.Admin)
	someone := h.signedIn(secret)
	form := formOf(t, someone.page("/keys/new"), "/keys")
	form.Set("name", "too late")
	reader, writer := io.Pipe()
	answered := make(chan answer)
	go func() { answered <- someone.do(http.MethodPost, "/keys", reader) }()
	half := form.Encode()
	_, err := io.WriteString(writer, half[:len(half)/2])
	require.NoError(t, err)
	require.Equal(t, "No Content", h.revoke(h.admin, id).code(t))
	_, err = io.WriteString(writer, half[len(half)/2:])
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	assert.Equal(t, http.StatusUnauthorized, (<-answered).status)
	keys, err := h.store.ListKeys(t.Context(), store.KeyFilter{Query: "too late"}, store.Page{})
	require.NoError(t, err)
	assert.Empty(t, keys.Keys)
}

func TestAnEditThatChangesNothingWritesNothing(t *testing.T) {
	h := newPageHarness(t)
	h.user("usr_ada", identity.Member)
	secret, id := h.keyAndID(store.Key{
		Name: "whole", OwnerID: "usr_ada", Scopes: []identity.Scope{identity.TracesWrite, identity.LogsRead}, Description: "two\nlines", Projects: []string{"a", "b"},
		ExpectedCountries: []string{"DE", "FR"}, ExpiresAt: epoch.Add(100 * 24 * time.Hour), Plan: "pro",
	})
	for name, someone := range map[string]*person{"an administrator": h.signedIn(h.admin), "its owner": h.signedIn(secret)} {
		path := "/keys/" + id + "/edit"
		before, err := h.store.Key(t.Context(), id)
		require.NoError(t, err)
		a := someone.submit(path, path, nil)
		require.Equal(t, http.StatusSeeOther, a.status, a.body)
		after, err := h.store.Key(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, before, after, name)
	}
}

func TestARevocationTakesTheNameOfTheKey(t *testing.T) {
	h := newPageHarness(t)
	secret, id := h.keyAndID(store.Key{Name: "old  one", OwnerID: store.BuiltinUserID, Scopes: []identity.Scope{identity.TracesWrite}})
	admin := h.signedIn(h.admin)
	path := "/keys/" + id + "/revoke"
	for _, wrong := range []string{"", "old", "OLD ONE", id} {
		assert.Equal(t, http.StatusBadRequest, admin.submit(path, path, url.Values{"confirm": {wrong}}).status, wrong)
	}
	_, refusal := h.Judge(t.Context(), secret)
	require.Nil(t, refusal)
	a := admin.submit(path, path, url.Values{"confirm": {" old one "}})
	assert.Equal(t, "/keys/"+id+"?done=revoked", a.header.Get("Location"))
	_, refusal = h.Judge(t.Context(), secret)
	require.NotNil(t, refusal)
	assert.Equal(t, identity.RevokedKey, refusal.Reason)
	assert.NotContains(t, admin.page("/keys/"+id), "/revoke\"", "nothing is left to be done")
}

func TestARotationKeepsTheOldSecretAsLongAsWasChosen(t *testing.T) {
	h := newPageHarness(t)
	first, id := h.userKey(store.BuiltinUserID, identity.TracesWrite)
	admin := h.signedIn(h.admin)
	path := "/keys/" + id + "/rotate"
	a := admin.submit(path, path, url.Values{"gracePeriod": {"7d"}})
	require.Equal(t, http.StatusCreated, a.status, a.body)
	second := secretPattern.FindString(a.body)
	require.NotEqual(t, first, second)
	for _, secret := range []string{first, second} {
		_, refusal := h.Judge(t.Context(), secret)
		assert.Nil(t, refusal)
	}
	assert.Contains(t, admin.page("/keys/"+id), "Rotation under way")
	a = admin.submit(path, path, url.Values{"gracePeriod": {"0"}})
	require.Equal(t, http.StatusCreated, a.status, a.body)
	for _, secret := range []string{first, second} {
		_, refusal := h.Judge(t.Context(), secret)
		assert.NotNil(t, refusal)
	}
}

func TestTheOwnerSeesWhatWasDoneToTheKey(t *testing.T) {
	h := newPageHarness(t)
	h.user("usr_ada", identity.Member)
	secret, id := h.userKey("usr_ada", identity.TracesWrite)
	admin := h.signedIn(h.admin)
	path := "/keys/" + id + "/edit"
	require.Equal(t, http.StatusSeeOther, admin.submit(path, path, url.Values{"name": {"renamed"}}).status)
	history := h.signedIn(secret).page("/keys/" + id + "/history")
	assert.Contains(t, history, "changed the key")
	assert.Contains(t, history, "renamed")
	assert.Equal(t, "Forbidden not_permitted", h.get(secret, "/audit-log").code(t), "of all")
	assert.Equal(t, "OK", h.get(secret, "/audit-log?target="+id).code(t))
	_, others := h.userKey(store.BuiltinUserID, identity.TracesWrite)
	assert.Equal(t, "Forbidden not_permitted", h.get(secret, "/audit-log?target="+others).code(t))
}

func TestAVisitIsChargedOnce(t *testing.T) {
	h := newPageHarness(t)
	h.charges = true
	secret := h.limitedKey("free")
	someone := h.signedIn(secret)
	for left := 58; left >= 0; left-- { // signing in was one
		a := someone.get("/keys")
		require.Equal(t, http.StatusOK, a.status)
	}
	a := someone.get("/keys")
	assert.Equal(t, http.StatusTooManyRequests, a.status)
	assert.Equal(t, "61", a.header.Get("Retry-After"))
	assert.Contains(t, a.body, "Try again in 61 seconds")
	h.setClock(epoch.Add(61 * time.Second))
	assert.Equal(t, http.StatusOK, someone.get("/keys").status, "and is signed in still")
}

func TestAVisitIsOneRequestInTheAccessLog(t *testing.T) {
	h := newPageHarness(t)
	_, id := h.userKey(store.BuiltinUserID, identity.TracesWrite)
	admin := h.signedIn(h.admin)
	admin.page("/keys/" + id)
	require.NoError(t, h.books.Flush(t.Context()))
	page, err := h.books.List(t.Context(), accesslogAll, store.Page{})
	require.NoError(t, err)
	endpoints := map[string]int64{}
	for _, e := range page.Entries {
		endpoints[e.Endpoint] += e.Requests
	}
	assert.Equal(t, map[string]int64{"POST /sign-in": 1, "GET /keys/{id}": 1}, endpoints)
}

func TestSigningInAndOutIsAudited(t *testing.T) {
	h := newPageHarness(t)
	someone := h.person()
	wrong := h.format.Mint("live").Reveal()
	assert.Equal(t, http.StatusUnauthorized, someone.post("/sign-in", url.Values{"key": {wrong}}).status)
	h.signedIn(h.admin).post("/sign-out", url.Values{})
	page, err := h.store.ListAudit(t.Context(), store.AuditFilter{}, store.Page{Limit: 3})
	require.NoError(t, err)
	var got []string
	for _, r := range page.Records {
		got = append(got, r.Action+" "+string(r.Outcome)+" "+r.Reason)
	}
	assert.Equal(t, []string{"session.end success ", "session.begin success ", "session.begin refused unknown_key"}, got)
}

func TestAUserWhomAnAuthenticatorVouchesForNeedsNoKey(t *testing.T) {
	h := newPageHarness(t)
	h.user("usr_ada", identity.Member)
	ada := h.person()
	ada.header.Set(vouchedHeader, "usr_ada")
	assert.Contains(t, ada.page("/keys"), "Your keys")
	secret, id := h.create(ada, url.Values{"name": {"made without a key"}})
	k, err := h.store.Key(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, "usr_ada", k.OwnerID)
	assert.Equal(t, "usr_ada", k.CreatedBy)
	assert.Equal(t, http.StatusSeeOther, ada.submit("/keys/"+id+"/edit", "/keys/"+id+"/edit", url.Values{"name": {"renamed"}}).status)
	assert.Equal(t, http.StatusCreated, ada.submit("/keys/"+id+"/rotate", "/keys/"+id+"/rotate", url.Values{"gracePeriod": {"0"}}).status)
	_, refusal := h.Judge(t.Context(), secret)
	assert.NotNil(t, refusal)
	assert.Equal(t, http.StatusForbidden, ada.post("/users", url.Values{"name": {"x"}, "role": {"admin"}}).status)
	assert.Equal(t, http.StatusForbidden, ada.submit("/keys/new", "/keys", url.Values{"name": {"x"}, "permission": {"admin"}}).status, "beyond the role")

	audit, err := h.store.ListAudit(t.Context(), store.AuditFilter{Target: id}, store.Page{})
	require.NoError(t, err)
	assert.Equal(t, "usr_ada", audit.Records[0].Actor.UserID)
	assert.Empty(t, audit.Records[0].Actor.KeyID)

	ada.header.Set(vouchedHeader, "usr_unknown")
	assert.Contains(t, ada.get("/keys").header.Get("Location"), "/sign-in", "the session is of whom is vouched for")
	assert.Contains(t, ada.page("/sign-in"), "You are known as usr_unknown")
	ada.header.Set(vouchedHeader, "usr_ada")
	_, err = h.store.UpdateUser(t.Context(), "usr_ada", func(u *store.User) (store.Audit, error) {
		u.Active = false
		return store.Audit{Time: epoch, Action: "user.update"}, nil
	})
	require.NoError(t, err)
	assert.NotEqual(t, http.StatusOK, ada.get("/keys").status)
}

func TestASessionEndsWithItsOptions(t *testing.T) {
	h := newPageHarness(t)
	someone := h.signedIn(h.admin)
	h.setClock(epoch.Add(session.DefaultIdle - time.Second))
	assert.Equal(t, http.StatusOK, someone.get("/keys").status)
	h.setClock(h.now().Add(session.DefaultIdle))
	assert.Equal(t, http.StatusSeeOther, someone.get("/keys").status)
}

// The largest that people can legally store must not make pages that browsers choke
// on.
func TestPagesStaySmallWhateverIsStored(t *testing.T) {
	h := newPageHarness(t)
	long := func(n int) string { return strings.Repeat("<&\"ü", n)[:n] }
	h.user("usr_ada", identity.Member)
	var projects []string
	for i := range 100 {
		projects = append(projects, strings.Repeat("p", 90)+strconv.Itoa(i))
	}
	var id string
	for i := range 60 {
		_, id = h.keyAndID(store.Key{
			Name: strings.ToValidUTF8(long(95), "") + strconv.Itoa(i), Description: strings.ToValidUTF8(long(1000), ""), OwnerID: "usr_ada",
			Scopes: identity.Member.Scopes().List(), Projects: projects,
		})
	}
	admin := h.signedIn(h.admin)
	edit := "/keys/" + id + "/edit"
	for i := range 30 {
		a := admin.submit(edit, edit, url.Values{
			"name": {strings.ToValidUTF8(long(95), "") + strconv.Itoa(i)}, "description": {strings.ToValidUTF8(long(990), "") + strconv.Itoa(i)},
			"projects": {strings.Join(projects[i:], "\n")}, "limits": {"ingest:requests:" + strconv.Itoa(i+1) + "/1h"},
		})
		require.Equal(t, http.StatusSeeOther, a.status, a.body)
	}
	for _, path := range adminPages(id, "usr_ada") {
		assert.Less(t, len(admin.page(path)), 200_000, path)
	}
}

func TestASystemKeyThatManagesNothingIsToldSo(t *testing.T) {
	h := newPageHarness(t)
	someone := h.signedIn(h.key(store.Key{Type: identity.SystemKey, Role: identity.Member, Scopes: []identity.Scope{identity.TracesWrite}}))
	assert.Contains(t, someone.page("/keys"), "Nothing to see with this key")
	assert.Equal(t, http.StatusForbidden, someone.get("/users").status)
}

// However little a filter matches, a page looks at so many records and no more, and
// leads on from there to what there is.
func TestAPageThatHasLookedInVainLeadsOn(t *testing.T) {
	h := newPageHarness(t)
	admin := h.signedIn(h.admin)
	var wait sync.WaitGroup
	for range 32 {
		wait.Go(func() {
			for range 70 {
				_, err := h.store.AppendAudit(t.Context(), store.Audit{Time: epoch, Action: "backup.create"})
				assert.NoError(t, err)
			}
		})
	}
	wait.Wait()
	page := admin.page("/audit-log?action=session.begin")
	assert.Contains(t, page, "Look further back")
	assert.NotContains(t, page, "signed in")
	document, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	next := find(document, func(n *html.Node) bool { return n.Data == "a" && attribute(n, "rel") == "next" })
	require.NotNil(t, next)
	assert.Contains(t, admin.page(attribute(next, "href")), "signed in")
}

// What the form offers, and begins with, is what whoever looks at it may do.
func TestTheFormOffersWhatThePersonMayGrant(t *testing.T) {
	h := newPageHarness(t)
	h.user("usr_ada", identity.Viewer)
	h.user("usr_bob", identity.Member)
	viewer := h.signedIn(h.key(store.Key{OwnerID: "usr_ada", Scopes: identity.Viewer.Scopes().List()}))
	page := viewer.page("/keys/new")
	assert.NotContains(t, page, "traces:write")
	assert.NotContains(t, page, `value="admin"`)
	h.create(viewer, url.Values{"name": {"as it is offered"}})

	brief := h.signedIn(h.key(store.Key{OwnerID: "usr_bob", Scopes: []identity.Scope{identity.LogsWrite}, ExpiresAt: epoch.AddDate(0, 0, 31)}))
	page = brief.page("/keys/new")
	assert.NotContains(t, page, `value="90d"`)
	assert.Contains(t, page, "With yours")
	_, id := h.create(brief, url.Values{"name": {"as long as mine"}, "permission": {"custom"}, "scopes": {"logs:write"}})
	k, err := h.store.Key(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, epoch.AddDate(0, 0, 31), k.ExpiresAt)
	assert.Contains(t, h.signedIn(h.admin).page("/keys/new"), `value="admin"`)
}

func TestARevokedKeyIsNotRotating(t *testing.T) {
	h := newPageHarness(t)
	_, id := h.userKey(store.BuiltinUserID, identity.TracesWrite)
	admin := h.signedIn(h.admin)
	path := "/keys/" + id + "/rotate"
	require.Equal(t, http.StatusCreated, admin.submit(path, path, nil).status)
	require.Contains(t, admin.page("/keys/"+id), "Rotation under way")
	require.Equal(t, "No Content", h.revoke(h.admin, id).code(t))
	assert.NotContains(t, admin.page("/keys/"+id), "Rotation under way")
	assert.Contains(t, admin.page(path), "This key is revoked")
}

func TestThePageTellsWhoUsesTheOldSecretSinceItWasReplaced(t *testing.T) {
	h := newPageHarness(t)
	_, id := h.userKey(store.BuiltinUserID, identity.TracesWrite)
	k, err := h.store.Key(t.Context(), id)
	require.NoError(t, err)
	use := func(agent string, outcome access.Outcome) {
		h.books.Record(&access.Request{
			Group:   access.Group{KeyID: id, KeyType: identity.UserKey, Secret: k.Secrets[0].Digest.Ref(), Endpoint: "traces", Transport: access.HTTP, Outcome: outcome, Status: 200},
			Arrived: h.now(), UserAgent: agent,
		})
		require.NoError(t, h.books.Flush(t.Context()))
	}
	use("before", access.Accepted)
	h.setClock(epoch.Add(time.Hour))
	admin := h.signedIn(h.admin)
	path := "/keys/" + id + "/rotate"
	require.Equal(t, http.StatusCreated, admin.submit(path, path, nil).status)
	assert.NotContains(t, admin.page("/keys/"+id), "Still using it")
	h.setClock(epoch.Add(90 * time.Minute))
	use("since", access.Accepted)
	use("in vain", access.Refused)
	page := admin.page("/keys/" + id)
	assert.Contains(t, page, "Still using it")
	assert.Contains(t, page, "<td>since</td>")
	assert.NotContains(t, page, "before")
	assert.NotContains(t, page, "in vain")
}

func TestAPageThatRefusesByItselfSaysWhyInTheAccessLog(t *testing.T) {
	h := newPageHarness(t)
	h.user("usr_ada", identity.Member)
	secret, id := h.userKey("usr_ada", identity.TracesWrite)
	require.Equal(t, http.StatusForbidden, h.signedIn(secret).get("/system-keys").status)
	require.NoError(t, h.books.Flush(t.Context()))
	page, err := h.books.List(t.Context(), accesslog.Filter{KeyID: id, Outcome: access.Refused}, store.Page{})
	require.NoError(t, err)
	require.Len(t, page.Entries, 1)
	assert.Equal(t, "not_permitted", page.Entries[0].Reason)
}
