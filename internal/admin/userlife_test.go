package admin

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

func userOf(t testing.TB, a answer) api.User {
	t.Helper()
	var u api.User
	require.NoError(t, json.Unmarshal([]byte(a.body), &u), a.body)
	return u
}

func (h *harness) createdUser(body string) api.User {
	h.t.Helper()
	a := h.createUser(h.admin, body)
	require.Equal(h.t, http.StatusCreated, a.status, a.body)
	return userOf(h.t, a)
}

func (h *harness) listUsers(secret, query string) []string {
	h.t.Helper()
	var names []string
	for cursor := ""; ; {
		a := h.get(secret, "/users?limit=2"+query+cursor)
		require.Equal(h.t, http.StatusOK, a.status, a.body)
		var list api.UserList
		require.NoError(h.t, json.Unmarshal([]byte(a.body), &list))
		for _, u := range list.Data {
			names = append(names, u.Name)
		}
		if list.NextCursor == nil {
			return names
		}
		cursor = "&cursor=" + *list.NextCursor
	}
}

func TestLifeOfAUser(t *testing.T) {
	h := newHarness(t)
	a := h.createUser(h.admin, `{"email":"Ada@example.com"}`)
	made := userOf(t, a)
	assert.Equal(t, api.User{
		ID: made.ID, Email: new("Ada@example.com"), Name: "Ada@example.com", Role: identity.Member, Active: true, CreatedAt: epoch, UpdatedAt: epoch,
	}, made)
	assert.Regexp(t, `^user_[a-z2-7]{20}$`, made.ID)
	assert.Equal(t, "/api/v1/users/"+made.ID, a.header.Get("Location"))
	assert.Equal(t, made, userOf(t, h.get(h.admin, "/users/"+made.ID)))

	h.setClock(epoch.Add(time.Hour))
	changed := userOf(t, h.patchUser(h.admin, made.ID, `{"email":null,"name":"Ada","role":"viewer","active":false}`))
	assert.Equal(t, api.User{ID: made.ID, Name: "Ada", Role: identity.Viewer, CreatedAt: epoch, UpdatedAt: epoch.Add(time.Hour)}, changed)
	version := h.get(h.admin, "/users/"+made.ID).header.Get("ETag")
	h.patchUser(h.admin, made.ID, `{"name":"Ada"}`)
	assert.Equal(t, version, h.get(h.admin, "/users/"+made.ID).header.Get("ETag"), "a patch that changes nothing writes nothing")

	require.Equal(t, "No Content", h.deleteUser(h.admin, made.ID).code(t))
	for _, a := range []answer{
		h.get(h.admin, "/users/"+made.ID), h.patchUser(h.admin, made.ID, `{"active":true}`), h.deleteUser(h.admin, made.ID),
		h.deleteUser(h.admin, "nobody"), h.patchUser(h.admin, "nobody", `{}`),
	} {
		assert.Equal(t, "Not Found user_not_found", a.code(t))
	}
	var actions []string
	for _, r := range h.audits() {
		assert.Equal(t, made.ID, r.Target)
		actions = append(actions, r.Action)
	}
	assert.Equal(t, []string{"user.create", "user.update", "user.delete"}, actions)
	assert.Equal(t, map[string]store.Change{
		"email": {From: "Ada@example.com"}, "name": {From: "Ada@example.com", To: "Ada"}, "role": {From: "member", To: "viewer"}, "active": {From: true, To: false},
	}, h.audits()[1].Changes)
}

func TestAnEmailIsOneUsersAlone(t *testing.T) {
	h := newHarness(t)
	ada := h.createdUser(`{"email":"ada@example.com"}`)
	bob := h.createdUser(`{"email":"bob@example.com"}`)
	const taken = "Conflict already_exists"
	assert.Equal(t, taken, h.createUser(h.admin, `{"email":"ADA@example.com"}`).code(t))
	assert.Equal(t, taken, h.patchUser(h.admin, bob.ID, `{"email":"ada@EXAMPLE.com"}`).code(t))
	assert.Equal(t, "OK", h.patchUser(h.admin, ada.ID, `{"email":"ADA@example.com"}`).code(t), "one's own is not taken")
	require.Equal(t, "No Content", h.deleteUser(h.admin, ada.ID).code(t))
	assert.Equal(t, "OK", h.patchUser(h.admin, bob.ID, `{"email":"ada@example.com"}`).code(t), "that of a deleted user is free")
	h.createdUser(`{"name":"no email"}`)
	h.createdUser(`{"name":"no email"}`)
}

func TestUsersAreListedByAgeAndFilter(t *testing.T) {
	h := newHarness(t)
	for i, body := range []string{
		`{"name":"Ada","role":"viewer"}`, `{"name":"Bob","email":"bob@example.com"}`, `{"name":"Cleo","role":"admin","active":false}`, `{"name":"Dan"}`,
	} {
		h.setClock(epoch.Add(time.Duration(i+1) * time.Second))
		u := h.createdUser(body)
		if u.Name == "Dan" {
			h.deleteUser(h.admin, u.ID)
		}
	}
	for query, want := range map[string]string{
		"": "admin Ada Bob Cleo", "&role=viewer": "Ada", "&active=false": "Cleo", "&active=true": "admin Ada Bob", "&q=EXAMPLE": "Bob", "&q=dan": "",
		"&role=admin&active=true": "admin",
	} {
		assert.Equal(t, want, strings.Join(h.listUsers(h.admin, query), " "), query)
	}
	assert.Equal(t, "Bad Request invalid_cursor", h.get(h.admin, "/users?cursor=x").code(t))
	assert.Equal(t, "Bad Request invalid_request", h.get(h.admin, "/users?role=root").code(t))
}

func TestAUserSeesItselfAlone(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Viewer)
	ada, _ := h.userKey("ada", identity.TracesRead)
	assert.Equal(t, []string{"ada"}, h.listUsers(ada, ""))
	assert.Empty(t, h.listUsers(ada, "&role=admin"))
	assert.Equal(t, "ada", userOf(t, h.get(ada, "/users/ada")).Name)
	assert.Equal(t, h.get(ada, "/users/nobody").body, h.get(ada, "/users/admin").body, "others are as if they were not there")
}

func TestTheBuiltInUserStays(t *testing.T) {
	h := newHarness(t)
	const builtin = "Conflict user_builtin"
	assert.True(t, userOf(t, h.get(h.admin, "/users/admin")).Builtin)
	assert.Equal(t, builtin, h.deleteUser(h.admin, "admin").code(t))
	assert.Equal(t, builtin, h.patchUser(h.admin, "admin", `{"active":false}`).code(t))
	assert.Equal(t, builtin, h.patchUser(h.admin, "admin", `{"role":"member"}`).code(t))
	assert.Equal(t, "OK", h.patchUser(h.admin, "admin", `{"name":"Root","email":"root@example.com","role":"admin","active":true}`).code(t))
}

func TestADeclaredUserIsReadOnly(t *testing.T) {
	h := newHarness(t)
	h.declaredUser("dora")
	assert.True(t, userOf(t, h.get(h.admin, "/users/dora")).Declared)
	assert.Equal(t, "Conflict user_declared", h.patchUser(h.admin, "dora", `{"name":"x"}`).code(t))
	assert.Equal(t, "Conflict user_declared", h.deleteUser(h.admin, "dora").code(t))
}

// What a key may do is its scopes within its owner's role of this moment.
func TestAChangeOfAUserTakesEffectOnItsKeysAtOnce(t *testing.T) {
	h := newHarness(t)
	ada := h.createdUser(`{"name":"Ada","role":"admin"}`)
	made := h.created(h.admin, `{"name":"k","ownerId":"`+ada.ID+`","preset":"admin"}`)
	scopes := func() string {
		t.Helper()
		a := h.get(*made.Key, "/whoami")
		if a.status != http.StatusOK {
			return a.code(t)
		}
		var who api.Whoami
		require.NoError(t, json.Unmarshal([]byte(a.body), &who))
		return joined(who.Scopes)
	}
	require.Equal(t, "admin", scopes())
	for _, step := range []struct{ patch, want string }{
		{`{"role":"viewer"}`, joined(identity.Viewer.Scopes().List())},
		{`{"role":"member"}`, joined(identity.Member.Scopes().List())},
		{`{"active":false}`, "Unauthorized disabled_key"},
		{`{"active":true}`, joined(identity.Member.Scopes().List())},
		{`{"role":"admin"}`, "admin"},
	} {
		require.Equal(t, "OK", h.patchUser(h.admin, ada.ID, step.patch).code(t))
		assert.Equal(t, step.want, scopes(), step.patch)
	}
	require.Equal(t, "No Content", h.deleteUser(h.admin, ada.ID).code(t))
	assert.Equal(t, "Unauthorized disabled_key", scopes())
	shown := keyOf(t, h.get(h.admin, "/api-keys/"+made.ID))
	assert.Equal(t, store.Disabled, shown.Status)
	assert.Nil(t, shown.Role)
}

func TestADeletedAdministratorsSystemKeysGoOn(t *testing.T) {
	h := newHarness(t)
	ada := h.createdUser(`{"name":"Ada","role":"admin"}`)
	adas := h.created(h.admin, `{"name":"k","ownerId":"`+ada.ID+`","preset":"admin"}`)
	system := h.created(*adas.Key, `{"name":"terraform","type":"system","preset":"read-only","projects":["a"],"expiresAt":"2027-01-01T00:00:00Z"}`)
	assert.Equal(t, ada.ID, *system.CreatedBy)
	require.Equal(t, "No Content", h.deleteUser(h.admin, ada.ID).code(t))
	assert.Equal(t, opened, h.opens(*system.Key))
}

func TestNoKeyIsMadeForWhoIsNotActive(t *testing.T) {
	h := newHarness(t)
	ada := h.createdUser(`{"name":"Ada","active":false}`)
	assert.Equal(t, "Unprocessable Entity invalid_owner", h.create(h.admin, `{"name":"k","ownerId":"`+ada.ID+`","preset":"read-only"}`).code(t))
	h.deleteUser(h.admin, ada.ID)
	assert.Equal(t, "Unprocessable Entity invalid_owner", h.create(h.admin, `{"name":"k","ownerId":"`+ada.ID+`","preset":"read-only"}`).code(t))
}

func TestBrokenRulesOfAUserAreNamed(t *testing.T) {
	h := newHarness(t)
	for body, want := range map[string]string{
		`{}`:                                          "/email: is required, or else name",
		`{"email":"ada"}`:                             "/email: must be an email address such as ada@example.com, without a name",
		`{"email":"Ada <ada@example.com>"}`:           "/email: must be an email address such as ada@example.com, without a name",
		`{"email":"ada@example.com\nx@y.z"}`:          "/email: must be an email address such as ada@example.com, without a name",
		`{"name":" "}`:                                "/name: must not be blank",
		`{"name":"a\u0000b"}`:                         "/name: must not contain control characters or line breaks",
		`{"name":"x","role":"root"}`:                  "/role: must be one of viewer, member, admin",
		`{"name":"x","active":"yes"}`:                 "/active: must be of type boolean",
		`{"name":"x","id":"me"}`:                      "/id: no such field: known are active, email, name, role",
		`{"name":"` + strings.Repeat("x", 101) + `"}`: "/name: must be 1 to 100 characters long",
	} {
		a := h.createUser(h.admin, body)
		require.Equal(t, "Bad Request invalid_request", a.code(t), body)
		assert.Equal(t, want, rulesOf(t, a))
	}
	secret := h.createUser(h.admin, `{"name":"`+h.admin+`"}`)
	assert.Equal(t, "Bad Request secret_in_request", secret.code(t))
}
