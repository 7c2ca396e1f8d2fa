package admin

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// The policy through the whole server, as policy_test.go has it in full.

func TestOthersKeysAnswerLikeNone(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Member)
	h.user("bob", identity.Member)
	ada, _ := h.userKey("ada", identity.TracesWrite)
	_, bobs := h.userKey("bob", identity.TracesWrite)
	_, system := h.keyAndID(store.Key{Type: identity.SystemKey, Role: identity.Viewer, Scopes: []identity.Scope{identity.TracesRead}})
	_, declared := h.keyAndID(store.Key{OwnerID: "bob", Scopes: []identity.Scope{identity.TracesRead}, Declared: true})
	for _, id := range []string{bobs, system, declared, "key_aaaaaaaaaaaaaaaaaaaa", "x", "%00", "%ff"} {
		none := h.get(ada, "/api-keys/key_bbbbbbbbbbbbbbbbbbbb")
		for _, a := range []answer{h.get(ada, "/api-keys/"+id), h.patch(ada, id, `{"name":"mine"}`), h.patch(ada, id, `{"role":"admin"}`), h.revoke(ada, id)} {
			assert.Equal(t, none.status, a.status, id)
			assert.Equal(t, none.body, a.body, id)
		}
	}
	list := h.get(ada, "/api-keys")
	assert.NotContains(t, list.body, bobs)
	assert.JSONEq(t, `{"data":[],"total":0,"offset":0,"nextCursor":null,"prevCursor":null}`, h.get(ada, "/api-keys?ownerId=bob").body)
	assert.JSONEq(t, `{"data":[],"total":0,"offset":0,"nextCursor":null,"prevCursor":null}`, h.get(ada, "/api-keys?type=system").body)
	nobody := h.create(ada, `{"name":"k","ownerId":"nobody","scopes":["traces:write"]}`)
	assert.Equal(t, "Forbidden not_permitted", nobody.code(t))
	assert.Equal(t, nobody.body, h.create(ada, `{"name":"k","ownerId":"bob","scopes":["traces:write"]}`).body, "no oracle for users")
}

func TestANarrowKeyCannotWidenItself(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Member)
	narrow := holder{owner: "ada", scopes: "traces:write", projects: "shop", ips: "192.0.2.0/24", expires: 30}.record()
	secret, id := h.keyAndID(*narrow)
	for _, patch := range []string{
		`{"scopes":["traces:write","traces:read"]}`, `{"preset":"read-write"}`, `{"projects":null}`, `{"projects":["shop","other"]}`,
		`{"allowedIps":[]}`, `{"allowedIps":["192.0.0.0/16"]}`, `{"expiresAt":null}`, `{"expiresAt":"2030-01-01T00:00:00Z"}`,
	} {
		assert.Equal(t, "Forbidden exceeds_caller", h.patch(secret, id, patch).code(t), patch)
	}
	for _, body := range []string{
		`{"name":"k","scopes":["traces:read"]}`, `{"name":"k","preset":"read-only"}`, `{"name":"k","scopes":["traces:write"],"projects":["other"]}`,
		`{"name":"k","scopes":["traces:write"],"allowedIps":["0.0.0.0/0"]}`, `{"name":"k","scopes":["traces:write"],"expiresAt":"2030-01-01T00:00:00Z"}`,
	} {
		assert.Equal(t, "Forbidden exceeds_caller", h.create(secret, body).code(t), body)
	}
	assert.Equal(t, "Forbidden not_permitted", h.patch(secret, id, `{"plan":"pro"}`).code(t))
	assert.Equal(t, "Forbidden not_permitted", h.create(secret, `{"name":"k","type":"system","scopes":["traces:write"]}`).code(t))

	child := h.created(secret, `{"name":"child","scopes":["traces:write"]}`)
	assert.Equal(t, []string{"shop"}, child.Projects)
	assert.Equal(t, []string{"192.0.2.0/24"}, child.AllowedIps)
	assert.Equal(t, epoch.AddDate(0, 0, 30), *child.ExpiresAt)
	assert.Equal(t, "OK", h.patch(secret, id, `{"name":"renamed","allowedIps":["192.0.2.7"],"expiresAt":"2026-07-02T00:00:00Z"}`).code(t))
	assert.Equal(t, "OK", h.patch(secret, id, `{"name":"again","scopes":["traces:write"],"projects":["shop"]}`).code(t))
}

func TestADevelopmentKeyMakesNoProductionKey(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Member)
	secret, _ := h.keyAndID(*holder{owner: "ada", scopes: "traces:write", test: true}.record())
	assert.Equal(t, "Forbidden exceeds_caller", h.create(secret, `{"name":"k","scopes":["traces:write"],"environment":"live"}`).code(t))
	assert.Equal(t, identity.Test, h.created(secret, `{"name":"k","scopes":["traces:write"]}`).Environment)
}

func TestAUserManagesItsOwnKeys(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Member)
	secret, id := h.userKey("ada", identity.TracesWrite)
	_, greater := h.userKey("ada", identity.TracesWrite, identity.LogsWrite)
	assert.Equal(t, "OK", h.patch(secret, greater, `{"name":"mine too","description":"really"}`).code(t))
	assert.Equal(t, "Forbidden exceeds_caller", h.patch(secret, greater, `{"scopes":["traces:write"]}`).code(t))
	assert.Equal(t, "Forbidden exceeds_caller", h.rotate(secret, greater, `{}`).code(t))
	assert.Equal(t, "No Content", h.revoke(secret, greater).code(t))
	assert.Equal(t, "No Content", h.revoke(secret, id).code(t))
	assert.Equal(t, "Unauthorized revoked_key", h.get(secret, "/whoami").code(t))
}

func TestOnlyActiveUsersOwnNewKeys(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Member)
	set := func(edit func(*store.User)) {
		_, err := h.store.UpdateUser(t.Context(), "ada", func(u *store.User) (store.Audit, error) {
			edit(u)
			return store.Audit{Time: epoch, Action: "user.update", Target: "ada"}, nil
		})
		require.NoError(t, err)
	}
	create := func() string {
		return h.create(h.admin, `{"name":"k","ownerId":"ada","scopes":["traces:read"]}`).code(t)
	}
	assert.Equal(t, "Created", create())
	set(func(u *store.User) { u.Active = false })
	assert.Equal(t, "Unprocessable Entity invalid_owner", create())
	set(func(u *store.User) { u.Active, u.DeletedAt = true, epoch })
	assert.Equal(t, "Unprocessable Entity invalid_owner", create())
	for _, owner := range []string{"nobody", "a\\u0000b", "\\ud800", "%s"} {
		assert.Contains(t, []int{400, 422}, h.create(h.admin, `{"name":"k","ownerId":"`+owner+`","scopes":["traces:read"]}`).status, owner)
	}
}

func TestDeclaredKeysAreReadOnly(t *testing.T) {
	h := newHarness(t)
	_, id := h.keyAndID(store.Key{OwnerID: "admin", Scopes: []identity.Scope{identity.TracesRead}, Declared: true})
	assert.True(t, keyOf(t, h.get(h.admin, "/api-keys/"+id)).Declared)
	assert.Equal(t, "Conflict key_declared", h.patch(h.admin, id, `{}`).code(t))
	a := h.revoke(h.admin, id)
	assert.Equal(t, "Conflict key_declared", a.code(t))
	assert.Contains(t, a.problem(t).Detail, "configuration")
	assert.Equal(t, http.StatusOK, h.get(h.admin, "/api-keys/"+id).status)
}
