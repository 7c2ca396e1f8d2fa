package admin

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oapi-codegen/nullable"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

func TestLifeOfAKeyThroughTheClient(t *testing.T) {
	h := newHarness(t)
	c := h.as(h.admin)
	ctx := t.Context()

	made, err := c.CreateKeyWithResponse(ctx, &client.CreateKeyParams{}, client.KeyCreate{Name: "checkout", Scopes: []client.Scope{client.ScopeTracesWrite}, Projects: []string{"shop"}})
	require.NoError(t, err)
	require.NoError(t, client.Check(made.HTTPResponse, made.Body))
	require.NotNil(t, made.JSON201)
	assert.Equal(t, "/api/v1/api-keys/"+made.JSON201.ID, made.HTTPResponse.Header.Get("Location"))
	id := made.JSON201.ID
	require.True(t, store.IsKeyID(id), id)
	secret, err := credential.Format{}.Parse(value(made.JSON201.Key))
	require.NoError(t, err)
	assert.Equal(t, secret.Hint(), made.JSON201.Hint)

	shown, err := c.GetKeyWithResponse(ctx, id)
	require.NoError(t, err)
	require.NotNil(t, shown.JSON200)
	assert.Nil(t, shown.JSON200.Key, "the secret is shown once")
	made.JSON201.Key = nil
	assert.Equal(t, made.JSON201, shown.JSON200)

	changed, err := c.UpdateKeyWithResponse(ctx, id, &client.UpdateKeyParams{}, client.KeyPatch{
		Description: nullable.NewNullableWithValue("sends orders"), Projects: nullable.NewNullNullable[[]string](),
	})
	require.NoError(t, err)
	require.NotNil(t, changed.JSON200, string(changed.Body))
	assert.Equal(t, "sends orders", changed.JSON200.Description)
	assert.Empty(t, changed.JSON200.Projects)
	assert.Equal(t, []client.Scope{client.ScopeTracesWrite}, changed.JSON200.Scopes)

	revoked, err := c.RevokeKeyWithResponse(ctx, id, &client.RevokeKeyParams{})
	require.NoError(t, err)
	assert.Equal(t, http.StatusNoContent, revoked.StatusCode())
	listed, err := c.ListKeysWithResponse(ctx, &client.ListKeysParams{Status: new(client.KeyStatusRevoked)})
	require.NoError(t, err)
	require.Len(t, listed.JSON200.Data, 1)
	assert.Equal(t, id, listed.JSON200.Data[0].ID)
	assert.Equal(t, client.KeyStatusRevoked, listed.JSON200.Data[0].Status)

	again, err := c.UpdateKeyWithResponse(ctx, id, &client.UpdateKeyParams{}, client.KeyPatch{Name: new("late")})
	require.NoError(t, err)
	var refused *client.Error
	require.ErrorAs(t, client.Check(again.HTTPResponse, again.Body), &refused)
	assert.Equal(t, "key_revoked", refused.Code)
}

func TestEveryFieldOfAKeyIsThereAndNoOther(t *testing.T) {
	h := newHarness(t)
	made := h.created(h.admin, `{"name":"k","scopes":["traces:write"]}`)
	want := []string{
		"id", "name", "description", "type", "environment", "ownerId", "role", "scopes", "projects", "plan", "limits",
		"allowedIps", "expectedCountries", "status", "hint", "createdAt", "createdBy", "expiresAt", "revokedAt", "lastUsedAt", "secrets", "declared",
		"quotas", "concurrency",
	}
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(h.get(h.admin, "/api-keys/"+made.ID).body), &fields))
	assert.ElementsMatch(t, want, keysOf(fields))
	assert.JSONEq(t, `[]`, string(fields["limits"]))
	assert.JSONEq(t, `null`, string(fields["lastUsedAt"]))
	assert.JSONEq(t, `null`, string(fields["quotas"]))
	assert.JSONEq(t, `null`, string(fields["concurrency"]))
	assert.JSONEq(t, `"2026-07-01T09:30:00Z"`, string(fields["createdAt"]))
	var secrets []map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(fields["secrets"], &secrets))
	assert.ElementsMatch(t, []string{"id", "hint", "createdAt", "expiresAt", "lastUsedAt"}, keysOf(secrets[0]))
}

func keysOf(m map[string]json.RawMessage) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	return names
}

func TestCreateFillsWhatIsLeftOut(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Member)
	h.user("zoe", identity.AdminRole)
	ada, _ := h.userKey("ada", identity.TracesRead, identity.TracesWrite)
	zoe, _ := h.userKey("zoe", identity.Admin)
	tests := []struct {
		name, as, body string
		want           map[string]any // by API field
		prefix         string
	}{
		{
			"a user key of a system key's making belongs to admin", h.admin, `{"name":"k","preset":"read-write"}`,
			map[string]any{"type": "user", "environment": "live", "ownerId": "admin", "role": "admin", "plan": "free", "status": "active"},
			"px_live_",
		},
		{
			"a user key belongs to its maker", zoe, `{"name":"k","scopes":["admin","traces:read"]}`,
			map[string]any{"ownerId": "zoe", "createdBy": "zoe", "role": "admin", "scopes": []any{"admin"}},
			"px_live_",
		},
		{
			"an administrator may name the owner", h.admin, `{"name":"k","ownerId":"ada","scopes":["traces:read"],"environment":"test","plan":"pro"}`,
			map[string]any{"ownerId": "ada", "role": "member", "environment": "test", "plan": "pro"},
			"px_test_",
		},
		{
			"a lesser caller makes its own", ada, `{"name":"k","scopes":["traces:read"]}`,
			map[string]any{"ownerId": "ada", "role": "member", "plan": "free"},
			"px_live_",
		},
		{
			"a system key gets the least role: viewer", h.admin, `{"name":"k","type":"system","preset":"read-only"}`,
			map[string]any{"ownerId": nil, "role": "viewer", "type": "system"},
			"px_sys_",
		},
		{
			"a system key gets the least role: member", h.admin, `{"name":"k","type":"system","scopes":["traces:write"],"environment":"test"}`,
			map[string]any{"role": "member", "environment": "test"},
			"px_sys_",
		},
		{
			"a system key gets the least role: admin", h.admin, `{"name":"k","type":"system","scopes":["keys:verify"]}`,
			map[string]any{"role": "admin", "scopes": []any{"keys:verify"}},
			"px_sys_",
		},
		{
			"a system key may have more role", h.admin, `{"name":"k","type":"system","scopes":["traces:read"],"role":"member"}`,
			map[string]any{"role": "member"},
			"px_sys_",
		},
		{
			"lists lose repetitions, addresses their host bits", h.admin,
			`{"name":"k","scopes":["traces:read","traces:read"],"projects":["b","a","b"],"allowedIps":["10.1.2.3/8","192.0.2.1","::ffff:10.0.0.0/104","2001:db8::1/32"],"expectedCountries":["DE","FR","DE"],"expiresAt":"2027-01-01T01:00:00.1234567+01:00"}`,
			map[string]any{
				"scopes": []any{"traces:read"}, "projects": []any{"b", "a"}, "allowedIps": []any{"10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"},
				"expectedCountries": []any{"DE", "FR"}, "expiresAt": "2027-01-01T00:00:00.123456Z",
			},
			"px_live_",
		},
		{
			"any script is a name", h.admin, `{"name":"Prüfschlüssel 鍵 👩‍🚀","description":"a\n\tb","scopes":["traces:read"]}`,
			map[string]any{"name": "Prüfschlüssel 鍵 👩‍🚀", "description": "a\n\tb"},
			"px_live_",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := h.create(tt.as, tt.body)
			require.Equal(t, http.StatusCreated, a.status, a.body)
			var got map[string]any
			require.NoError(t, json.Unmarshal([]byte(a.body), &got))
			for field, want := range tt.want {
				assert.Equal(t, want, got[field], field)
			}
			assert.True(t, strings.HasPrefix(got["key"].(string), tt.prefix))
			delete(got, "key")
			var shown map[string]any
			require.NoError(t, json.Unmarshal([]byte(h.get(h.admin, "/api-keys/"+got["id"].(string)).body), &shown))
			assert.Equal(t, got, shown, "what was answered is what is stored")
		})
	}
}

func TestANewKeyWorksAndARevokedOneNoLonger(t *testing.T) {
	h := newHarness(t)
	made := h.created(h.admin, `{"name":"k","preset":"admin"}`)
	secret := value(made.Key)
	require.Equal(t, http.StatusOK, h.get(secret, "/whoami").status)
	require.Equal(t, http.StatusNoContent, h.revoke(secret, made.ID).status, "a key may revoke itself")
	assert.Equal(t, "Unauthorized revoked_key", h.get(secret, "/whoami").code(t))
}

func TestRevocationIsIdempotentAndTheFirstOneStands(t *testing.T) {
	h := newHarness(t)
	made := h.created(h.admin, `{"name":"k","scopes":["traces:read"]}`)
	require.Equal(t, http.StatusNoContent, h.revoke(h.admin, made.ID).status)
	h.setClock(epoch.Add(time.Hour))
	require.Equal(t, http.StatusNoContent, h.revoke(h.admin, made.ID).status)
	shown := keyOf(t, h.get(h.admin, "/api-keys/"+made.ID))
	assert.Equal(t, epoch, *shown.RevokedAt)
	assert.Equal(t, store.Revoked, shown.Status)
	var revocations int
	for _, a := range h.audits() {
		if a.Action == "key.revoke" {
			revocations++
		}
	}
	assert.Equal(t, 1, revocations)
}

func TestStatusFollowsTimeAndOwner(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Member)
	made := h.created(h.admin, `{"name":"k","ownerId":"ada","scopes":["traces:read"],"expiresAt":"2026-07-02T00:00:00Z"}`)
	status := func() string { return string(keyOf(t, h.get(h.admin, "/api-keys/"+made.ID)).Status) }
	assert.Equal(t, "active", status())
	_, err := h.store.UpdateUser(t.Context(), "ada", func(u *store.User) (store.Audit, error) {
		u.Active = false
		return store.Audit{Time: epoch, Action: "user.update", Target: "ada"}, nil
	})
	require.NoError(t, err)
	assert.Equal(t, "disabled", status())
	h.setClock(time.Date(2026, 7, 2, 0, 0, 0, 0, time.UTC))
	assert.Equal(t, "expired", status())
	assert.Equal(t, "OK", h.patch(h.admin, made.ID, `{"expiresAt":null}`).code(t), "an expired key can be extended")
	assert.Equal(t, "disabled", status())
}

func TestListPagesAreDisjointAndComplete(t *testing.T) {
	h := newHarness(t)
	want := map[string]bool{}
	for i := range 7 {
		h.setClock(epoch.Add(time.Duration(i/2) * time.Second)) // some at the same time
		want[h.created(h.admin, fmt.Sprintf(`{"name":"page %d","scopes":["traces:read"]}`, i)).ID] = true
	}
	cursor, pages := "", 0
	for {
		params := &client.ListKeysParams{Limit: new(3), Q: new("PAGE")}
		if cursor != "" {
			params.Cursor = &cursor
		}
		page, err := h.as(h.admin).ListKeysWithResponse(t.Context(), params)
		require.NoError(t, err)
		require.NotNil(t, page.JSON200, string(page.Body))
		pages++
		for _, k := range page.JSON200.Data {
			require.True(t, want[k.ID], "twice or unexpected: %s", k.Name)
			delete(want, k.ID)
		}
		if page.JSON200.NextCursor == nil {
			break
		}
		cursor = *page.JSON200.NextCursor
	}
	assert.Empty(t, want)
	assert.Equal(t, 3, pages)
}

func TestListFilters(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Member)
	h.setClock(epoch.Add(time.Second))
	h.created(h.admin, `{"name":"key-one","ownerId":"ada","scopes":["traces:read"]}`)
	h.setClock(epoch.Add(2 * time.Second))
	h.created(h.admin, `{"name":"two","type":"system","scopes":["traces:read"]}`)
	h.setClock(epoch.Add(3 * time.Second))
	h.created(h.admin, `{"name":"three","description":"of KEY-ONE","scopes":["traces:read"],"expiresAt":"2026-07-01T10:00:00Z"}`)
	h.setClock(epoch.Add(time.Hour))
	// No id or hint, which are random and searched too, holds a hyphen.
	for query, want := range map[string]string{
		"":                       "three two key-one bootstrap",
		"?type=system":           "two bootstrap",
		"?ownerId=ada":           "key-one",
		"?ownerId=nobody":        "",
		"?status=expired":        "three",
		"?q=y-one":               "three key-one",
		"?q=y-one&status=active": "key-one",
		"?type=user&ownerId=ada": "key-one",
		"?limit=1&type=user":     "three",
	} {
		a := h.get(h.admin, "/api-keys"+query)
		require.Equal(t, http.StatusOK, a.status, a.body)
		var list struct{ Data []struct{ Name string } }
		require.NoError(t, json.Unmarshal([]byte(a.body), &list))
		var names []string
		for _, k := range list.Data {
			names = append(names, k.Name)
		}
		assert.Equal(t, want, strings.Join(names, " "), "%s: newest first", query)
	}
}

func TestEveryChangeIsAuditedAndNothingElse(t *testing.T) {
	h := newHarness(t)
	h.user("zoe", identity.AdminRole)
	zoe, zoeKey := h.userKey("zoe", identity.Admin)
	made := h.created(zoe, `{"name":"k","scopes":["traces:read"],"allowedIps":["10.0.0.0/8"],"expiresAt":"2027-01-01T00:00:00Z"}`)
	require.Equal(t, 200, h.patch(zoe, made.ID, `{"name":"k","scopes":["traces:read"],"plan":null}`).status, "changes nothing")
	require.Equal(t, 200, h.patch(zoe, made.ID, `{}`).status, "changes nothing")
	require.Equal(t, 200, h.patch(zoe, made.ID, `{"name":"new","scopes":["logs:write","traces:read"],"expiresAt":null,"allowedIps":["10.0.0.0/9"]}`).status)
	require.Equal(t, 204, h.revoke(zoe, made.ID).status)
	require.Equal(t, 204, h.revoke(zoe, made.ID).status)
	h.get(zoe, "/api-keys")

	actor := store.Actor{KeyID: zoeKey, UserID: "zoe", Address: "192.0.2.7"}
	records := h.audits()
	require.Len(t, records, 3)
	for i, action := range []string{"key.create", "key.update", "key.revoke"} {
		assert.Equal(t, action, records[i].Action)
		assert.Equal(t, made.ID, records[i].Target)
		assert.Equal(t, actor, records[i].Actor)
		assert.Equal(t, epoch, records[i].Time)
	}
	assert.Contains(t, records[0].Changes, "secrets")
	delete(records[0].Changes, "secrets")
	assert.Equal(t, map[string]store.Change{
		"name": {To: "k"}, "type": {To: "user"}, "environment": {To: "live"}, "ownerId": {To: "zoe"}, "scopes": {To: []any{"traces:read"}},
		"allowedIps": {To: []any{"10.0.0.0/8"}}, "expiresAt": {To: "2027-01-01T00:00:00Z"},
	}, records[0].Changes)
	assert.Equal(t, map[string]store.Change{
		"name": {From: "k", To: "new"}, "scopes": {From: []any{"traces:read"}, To: []any{"traces:read", "logs:write"}},
		"allowedIps": {From: []any{"10.0.0.0/8"}, To: []any{"10.0.0.0/9"}}, "expiresAt": {From: "2027-01-01T00:00:00Z"},
	}, records[1].Changes)
	assert.Equal(t, map[string]store.Change{"revokedAt": {To: "2026-07-01T09:30:00Z"}}, records[2].Changes)
	text, err := json.Marshal(records)
	require.NoError(t, err)
	assert.False(t, h.leaks(string(text)))
	stored, err := h.store.Key(t.Context(), made.ID)
	require.NoError(t, err)
	assert.NotContains(t, string(text), fmt.Sprintf("%x", stored.Secrets[0].Digest))
}

func TestPatch(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Member)
	const user = `{"name":"k","ownerId":"ada","description":"d","scopes":["traces:read"],"projects":["p"],"plan":"pro","allowedIps":["10.0.0.0/8"],"expectedCountries":["DE"],"expiresAt":"2027-01-01T00:00:00Z"}`
	const system = `{"name":"k","type":"system","scopes":["traces:write"]}`
	tests := []struct{ name, key, patch, want string }{
		{"an empty patch changes nothing", user, `{}`, `{}`},
		{
			"null clears", user, `{"description":null,"projects":null,"plan":null,"allowedIps":null,"expectedCountries":null,"expiresAt":null}`,
			`{"description":"","projects":[],"plan":"free","allowedIps":[],"expectedCountries":[],"expiresAt":null}`,
		},
		{"empty lists clear", user, `{"projects":[],"allowedIps":[],"expectedCountries":[]}`, `{"projects":[],"allowedIps":[],"expectedCountries":[]}`},
		{
			"values replace", user, `{"name":"n","description":"e","scopes":["logs:write"],"projects":["q","r"],"plan":"free","allowedIps":["192.0.2.9"],"expectedCountries":["FR"],"expiresAt":"2028-01-01T00:00:00Z"}`,
			`{"name":"n","description":"e","scopes":["logs:write"],"projects":["q","r"],"plan":"free","allowedIps":["192.0.2.9/32"],"expectedCountries":["FR"],"expiresAt":"2028-01-01T00:00:00Z"}`,
		},
		{"a preset sets the scopes", system, `{"preset":"admin","role":"admin"}`, `{"scopes":["admin"],"role":"admin"}`},
		{"a null role is the least again", system, `{"scopes":["traces:read"],"role":null}`, `{"scopes":["traces:read"],"role":"viewer"}`},
		{"a role stays where scopes shrink", system, `{"scopes":["traces:read"]}`, `{"scopes":["traces:read"],"role":"member"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			made := h.created(h.admin, tt.key)
			before := fieldsOf(t, h.get(h.admin, "/api-keys/"+made.ID).body)
			a := h.do(h.admin, http.MethodPatch, "/api/v1/api-keys/"+made.ID, tt.patch, func(r *http.Request) {
				r.Header.Set("Content-Type", "application/merge-patch+json; charset=utf-8")
			})
			require.Equal(t, http.StatusOK, a.status, a.body)
			want := before
			maps.Copy(want, fieldsOf(t, tt.want))
			assert.Equal(t, want, fieldsOf(t, a.body))
			assert.Equal(t, want, fieldsOf(t, h.get(h.admin, "/api-keys/"+made.ID).body))
		})
	}
}

func fieldsOf(t *testing.T, text string) map[string]any {
	t.Helper()
	var fields map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &fields), text)
	return fields
}
