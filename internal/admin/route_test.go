package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

func TestPathsThatDoNotExist(t *testing.T) {
	h := newHarness(t)
	for _, path := range []string{
		"/", "/index.html", "/api", "/api/v1", "/api/v1/", "/api/v1/api-keys/", "/api/v1/api-keys/a/b", "/api/v2/api-keys", "/api/v1/user",
		"/api/v1//api-keys", "//api/v1/api-keys", "/api/v1/../v1/api-keys", "/api/v1/x/%2e%2e/api-keys", "/api/v1/healthz", "/healthz/", "/Healthz",
	} {
		a := h.do(h.admin, http.MethodGet, path, "")
		assert.Equal(t, "Not Found not_found", a.code(t), path)
		assert.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
	}
}

func TestMethodsThatAPathDoesNotKnow(t *testing.T) {
	h := newHarness(t)
	for _, tt := range []struct{ method, path, allow string }{
		{"PUT", "/api/v1/api-keys", "GET, HEAD, POST"},
		{"POST", "/api/v1/api-keys/key_a", "DELETE, GET, HEAD, PATCH"},
		{"OPTIONS", "/api/v1/whoami", "GET, HEAD"},
		{"DELETE", "/healthz", "GET, HEAD"},
		{"get", "/healthz", "GET, HEAD"},
	} {
		a := h.do(h.admin, tt.method, tt.path, "")
		assert.Equal(t, "Method Not Allowed method_not_allowed", a.code(t), tt.method+" "+tt.path)
		assert.Equal(t, tt.allow, a.header.Get("Allow"))
	}
}

func TestAnIDThatIsEscapedAmiss(t *testing.T) {
	h := newHarness(t)
	assert.Equal(t, "Not Found key_not_found", h.get(h.admin, "/api-keys/%25zz").code(t))
	assert.Equal(t, "Not Found key_not_found", h.get(h.admin, "/api-keys/a%2Fb").code(t))
	assert.Equal(t, "Bad Request invalid_request", h.get(h.admin, "/api-keys/"+strings.Repeat("a", 101)).code(t))
}

func TestEveryOperationNeedsAKeyButTheProbes(t *testing.T) {
	h := newHarness(t)
	for path, item := range h.spec.document.Paths.Map() {
		for method, operation := range item.Operations() {
			if operation.Security != nil && len(*operation.Security) == 0 {
				assert.Equal(t, http.StatusOK, h.do("", method, path, "").status, path)
				continue
			}
			// Even with a query that would be refused: nothing is parsed before.
			a := h.do("", method, api.BasePath+path+"?limit=x&%zz", "not json")
			assert.Equal(t, "Unauthorized no_credential", a.code(t), method+" "+path)
		}
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	h := newHarness(t)
	for _, path := range []string{"/api/v1/whoami", "/api/v1/nothing", "/", "/healthz"} {
		header := h.do(h.admin, http.MethodGet, path, "").header
		assert.Equal(t, "no-store", header.Get("Cache-Control"))
		assert.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
		assert.Contains(t, header.Get("Content-Security-Policy"), "default-src 'none'")
	}
}

func TestHeadIsGetWithoutItsBody(t *testing.T) {
	h := newHarness(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodHead, h.server.URL+"/healthz", nil)
	require.NoError(t, err)
	answer, err := h.server.Client().Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	assert.Equal(t, http.StatusOK, answer.StatusCode)
	assert.Equal(t, http.StatusOK, h.do(h.admin, http.MethodHead, "/api/v1/whoami", "").status)
}

func TestHealthAndReadiness(t *testing.T) {
	h := newHarness(t)
	probe := func(path string) int { return h.do("", http.MethodGet, path, "").status }
	assert.Equal(t, 200, probe("/healthz"))
	assert.Equal(t, 200, probe("/readyz"))
	assert.JSONEq(t, `{"status":"ok"}`, h.do("", http.MethodGet, "/healthz", "").body)
	down := errors.New("store is down")
	h.unready.Store(&down)
	assert.Equal(t, 200, probe("/healthz"), "alive all the same")
	assert.Equal(t, 503, probe("/readyz"))
}

func TestWhoami(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Viewer)
	user, id := h.keyAndID(store.Key{Name: "laptop", OwnerID: "ada", Scopes: []identity.Scope{identity.TracesRead, identity.TracesWrite}, Projects: []string{"shop"}, Environment: identity.Test})
	assert.JSONEq(t, `{"id":"`+id+`","name":"laptop","type":"user","environment":"test","ownerId":"ada","role":"viewer",
		"scopes":["traces:read"],"projects":["shop"],"plan":"free"}`, h.get(user, "/whoami").body, "scopes are cut down to the role")
	a := fieldsOf(t, h.get(h.admin, "/whoami").body)
	assert.Nil(t, a["ownerId"])
	assert.Equal(t, []any{"admin"}, a["scopes"])
	assert.Equal(t, "enterprise", a["plan"])
}

func TestWhatASystemKeyWithoutAdminMayCall(t *testing.T) {
	h := newHarness(t)
	secret, id := h.keyAndID(store.Key{Type: identity.SystemKey, Role: identity.Viewer, Scopes: []identity.Scope{identity.TracesRead}})
	for _, path := range []string{"/whoami", "/scopes", "/openapi.json"} {
		assert.Equal(t, "OK", h.get(secret, path).code(t), path)
	}
	for _, a := range []answer{
		h.get(secret, "/api-keys"), h.get(secret, "/api-keys/"+id), h.create(secret, `{"name":"k","scopes":["traces:read"]}`),
		h.patch(secret, id, `{"name":"x"}`), h.revoke(secret, id), h.revoke(secret, "key_none"),
	} {
		assert.Equal(t, "Forbidden not_permitted", a.code(t))
	}
}

func TestScopesPresetsAndRolesAreThoseOfTheCore(t *testing.T) {
	h := newHarness(t)
	var got api.ScopeCatalogue
	require.NoError(t, json.Unmarshal([]byte(h.get(h.admin, "/scopes").body), &got))
	require.Len(t, got.Scopes, len(identity.Scopes()))
	for i, info := range identity.Scopes() {
		assert.Equal(t, api.ScopeInfo{Scope: info.Scope, Description: info.Description}, got.Scopes[i])
	}
	assert.Len(t, got.Presets, len(identity.Presets()))
	assert.Equal(t, api.NamedScopes{Name: "admin", Scopes: []identity.Scope{identity.Admin}}, got.Roles[2])
	assert.Equal(t, got.Presets[0].Scopes, got.Roles[0].Scopes, "read-only is what a viewer may")
}

func TestTheDocumentIsServedAndSound(t *testing.T) {
	h := newHarness(t)
	a := h.get(h.admin, "/openapi.json")
	assert.Equal(t, "application/json", a.header.Get("Content-Type"))
	document, err := openapi3.NewLoader().LoadFromData([]byte(a.body))
	require.NoError(t, err)
	require.NoError(t, document.Validate(t.Context(), openapi3.EnableExamplesValidation()))
	assert.Equal(t, "test", document.Info.Version)
}

func TestTheDocumentListsTheScopesAndStatesOfTheCore(t *testing.T) {
	s, err := loadSpec("")
	require.NoError(t, err)
	enum := func(name string) (values []string) {
		for _, v := range s.document.Components.Schemas[name].Value.Enum {
			values = append(values, v.(string))
		}
		return values
	}
	var scopes []string
	for _, info := range identity.Scopes() {
		scopes = append(scopes, string(info.Scope))
	}
	assert.Equal(t, scopes, enum("Scope"))
	assert.Equal(t, identity.Presets(), enum("Preset"))
	assert.Equal(t, []string{"viewer", "member", "admin"}, enum("Role"))
	assert.Equal(t, []string{"active", "expired", "revoked", "disabled"}, enum("KeyStatus"))
}
