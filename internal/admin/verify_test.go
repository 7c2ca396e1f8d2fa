package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

func (h *harness) verify(secret, query string, edits ...func(*http.Request)) answer {
	h.t.Helper()
	return h.do(secret, http.MethodGet, verifyPath+query, "", edits...)
}

func TestVerifyJudgesScopesAndProjects(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Member)
	plain, _ := h.userKey("ada", identity.DatasetsRead, identity.ProjectsRead)
	bound, _ := h.keyAndID(store.Key{OwnerID: "ada", Scopes: []identity.Scope{identity.DatasetsRead}, Projects: []string{"shop", "a&b"}})
	const missing, project, pass = "Forbidden missing_scope", "Forbidden project_not_allowed", "No Content"
	for _, tt := range []struct {
		secret, query, scope, project string
		want                          string
	}{
		{plain, "", "", "", pass},
		{plain, "?scope=datasets:read", "", "", pass},
		{plain, "?scope=datasets:read%20projects:read", "", "", pass},
		{plain, "?scope=datasets:read+projects:read", "", "", pass},
		{plain, "?scope=datasets:write", "", "", missing},
		{plain, "?scope=datasets:read%20datasets:write", "", "", missing},
		{plain, "?scope=admin", "", "", missing},
		{plain, "?scope=datasets:read", "projects:read", "", pass},
		{plain, "?scope=datasets:read", "projects:write", "", missing},
		{plain, "", "datasets:read", "", pass},
		{plain, "", "datasets:read  experiments:read", "", missing},
		{plain, "/any/../path//%2e?scope=nonsense&key=x", "datasets:read", "", "OK"},
		{plain, "/any/path", "datasets:write", "", missing},
		{plain, "/?scope=datasets:write", "", "", missing}, // a slash too many
		{plain, "/?scope=datasets:write", "datasets:read", "", pass},
		{plain, "?scope=datasets:read", " ", "", pass},
		{plain, "?scope=datasets:write", " ", "", missing},
		{plain, "?scope=datasets:read&project=", "", "", "Bad Request invalid_request"},
		{plain, "?project=anything", "", "", pass},
		{bound, "?scope=datasets:read&project=shop", "", "", pass},
		{bound, "?scope=datasets:read&project=a%26b", "", "", pass},
		{bound, "?scope=datasets:read&project=other", "", "", project},
		{bound, "?scope=datasets:read", "", "other", project},
		{bound, "?scope=datasets:read&project=shop", "", "other", project},
		{h.admin, "?scope=experiments:write&project=x", "", "", pass},
		{plain, "?scope=nonsense", "", "", "Bad Request invalid_request"},
		{plain, "?scopes=datasets:read", "", "", "Bad Request invalid_request"},
		{plain, "?scope=&project=", "", "", "Bad Request invalid_request"},
		{plain, "?scope=", "", "", "Bad Request invalid_request"},
		{plain, "?scope=%20", "", "", "Bad Request invalid_request"},
		{plain, "?scope=datasets:read&scope=projects:read", "", "", "Bad Request invalid_request"},
		{plain, "", "nonsense", "", "Bad Request invalid_request"},
		{plain, "", " ", "", "Bad Request invalid_request"},
		{plain, "/any/path", " ", "", "Bad Request invalid_request"},
		{plain, "", "", " ", "Bad Request invalid_request"},
		{"", "?scope=datasets:read", "", "", "Unauthorized no_credential"},
		{"", "?scope=nonsense", "", "", "Unauthorized no_credential"},
	} {
		var edits []func(*http.Request)
		if tt.scope != "" {
			edits = append(edits, with("X-Required-Scope", tt.scope))
		}
		if tt.project != "" {
			edits = append(edits, with("X-Required-Project", tt.project))
		}
		got := h.verify(tt.secret, tt.query, edits...)
		want := tt.want
		if want == pass && strings.HasPrefix(tt.query, "/") {
			want = "OK" // the one status that Envoy lets pass
		}
		assert.Equal(t, want, got.code(t), "%s %q %q", tt.query, tt.scope, tt.project)
	}
}

func TestVerifyTakesAnyMethodAndPath(t *testing.T) {
	h := newHarness(t)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"} {
		for _, path := range []string{"", "/", "/a/b", "//", "/../../etc", "/%2f", "/api/v1/api-keys"} {
			want := http.StatusOK // nothing else passes with Envoy
			if path == "" {
				want = http.StatusNoContent
			}
			assert.Equal(t, want, h.do(h.admin, method, verifyPath+path, "").status, method+" "+path)
			assert.Equal(t, http.StatusUnauthorized, h.do("", method, verifyPath+path, "").status, method+" "+path)
		}
	}
	assert.Equal(t, "Not Found not_found", h.get(h.admin, "/verifyx").code(t))
}

func TestVerifySaysWhoseRequestItIs(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Member)
	secret, id := h.keyAndID(store.Key{Name: "Zoë & Co\t", OwnerID: "ada", Scopes: []identity.Scope{identity.DatasetsRead, identity.TracesWrite}, Projects: []string{"a,b", "ü"}})
	a := h.verify(secret, "")
	want := map[string]string{
		"X-Api-Key-Id": id, "X-Api-Key-Owner": "ada", "X-Api-Key-Name": "Zo%C3%AB%20&%20Co%09", "X-Api-Key-Type": "user",
		"X-Api-Key-Scopes": "traces:write datasets:read", "X-Api-Key-Projects": "a%2Cb,%C3%BC",
	}
	for name, value := range want {
		assert.Equal(t, value, a.header.Get(name), name)
	}
	system := h.verify(h.admin, "")
	assert.Equal(t, []string{"", "admin", "system"}, []string{system.header.Get("X-Api-Key-Owner"), system.header.Get("X-Api-Key-Scopes"), system.header.Get("X-Api-Key-Type")})
	assert.Empty(t, h.verify(secret, "?scope=admin").header.Get("X-Api-Key-Id"), "a refusal describes nobody")
}

func TestVerifyChargesThePresentedKeyAndRefusesForNothing(t *testing.T) {
	h := newLimitedHarness(t)
	secret := h.limitedKey("", limit.Limit{On: limit.API, Unit: limit.Requests, Max: 3, Window: limit.Window(time.Minute)})
	for left := 2; left >= 0; left-- {
		for range 3 {
			require.Equal(t, "Forbidden missing_scope", h.verify(secret, "?scope=datasets:write").code(t))
		}
		a := h.verify(secret, "?scope=projects:read")
		require.Equal(t, "No Content", a.code(t))
		assert.Equal(t, string(rune('0'+left)), a.header.Get("X-RateLimit-Remaining"))
	}
	a := h.verify(secret, "?scope=projects:read")
	assert.Equal(t, "Too Many Requests rate_limited", a.code(t))
	assert.Equal(t, "61", a.header.Get("Retry-After"))
	h.setClock(epoch.Add(61 * time.Second))
	assert.Equal(t, "No Content", h.verify(secret, "?scope=projects:read").code(t))
}

func TestVerifyIsSilentInTheAuditLog(t *testing.T) {
	h := newHarness(t)
	before := h.newestAudit().Seq
	h.verify("", "")
	h.verify(h.key(store.Key{OwnerID: "admin", Scopes: []identity.Scope{identity.TracesRead}}), "?scope=admin")
	assert.Equal(t, before+1, h.newestAudit().Seq, "only the key that was made")
}

func TestIntrospectionSaysWhatAKeyStandsFor(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Viewer)
	_, err := h.store.UpdateUser(t.Context(), "ada", func(u *store.User) (store.Audit, error) {
		u.Name = "Ada"
		return store.Audit{Time: epoch, Action: "user.update", Target: "ada"}, nil
	})
	require.NoError(t, err)
	end := epoch.Add(time.Hour)
	secret, id := h.keyAndID(store.Key{Name: "notebook", OwnerID: "ada", Scopes: []identity.Scope{identity.DatasetsRead, identity.DatasetsWrite}, Projects: []string{"a"}, ExpiresAt: end})
	verifier := h.key(store.Key{Type: identity.SystemKey, Role: identity.AdminRole, Scopes: []identity.Scope{identity.KeysVerify}})
	a := h.introspect(verifier, secret)
	require.Equal(t, http.StatusOK, a.status, a.body)
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(a.body), &got))
	assert.Equal(t, map[string]any{
		"active": true, "scope": "datasets:read", "client_id": id, "username": "Ada", "token_type": "Bearer", "sub": "ada",
		"exp": float64(end.Unix()), "iat": float64(epoch.Unix()), "key_name": "notebook", "key_type": "user", "environment": "live",
		"plan": "free", "projects": []any{"a"}, "allowed_ips": []any{},
	}, got, "the scopes are the effective ones")

	require.NoError(t, json.Unmarshal([]byte(h.introspect(verifier, h.admin).body), &got))
	assert.Equal(t, got["client_id"], got["sub"], "a system key stands for itself")
}

func TestIntrospectionTellsNothingOfAKeyThatIsNotValid(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Viewer)
	read := []identity.Scope{identity.TracesRead}
	expired := h.key(store.Key{OwnerID: "ada", Scopes: read, ExpiresAt: epoch})
	revoked, id := h.userKey("ada", read...)
	h.revoke(h.admin, id)
	made := h.created(h.admin, `{"name":"k","scopes":["traces:read"]}`)
	h.rotated(made.ID, "0")
	h.user("bob", identity.Viewer)
	bobs, _ := h.userKey("bob", read...)
	h.patchUser(h.admin, "bob", `{"active":false}`)
	for name, token := range map[string]string{
		"expired": expired, "revoked": revoked, "rotated away": *made.Key, "its owner deactivated": bobs,
		"unknown": h.format.Mint("live").Reveal(), "malformed": "px_live_x", "something else": "hello",
	} {
		a := h.introspect(h.admin, token)
		assert.Equal(t, http.StatusOK, a.status, name)
		assert.JSONEq(t, `{"active":false}`, a.body, name)
	}
}

// unresolving judges no key but those of callers.
type unresolving struct{ Door }

func (unresolving) Judge(context.Context, string) (*identity.Identity, *identity.Refusal) {
	return nil, identity.NewRetryableRefusal(identity.KeyUnresolvable, "not now", time.Second)
}

func TestIntrospectionFailsWhereNothingCanBeTold(t *testing.T) {
	h := newHarnessWith(t, func(o *Options) {
		o.Door = unresolving{o.Door}
	})
	a := h.introspect(h.admin, h.format.Mint("live").Reveal())
	assert.Equal(t, "Service Unavailable key_unresolvable", a.code(t), "which is not the same as not active")
	assert.NotEmpty(t, a.header.Get("Retry-After"))
}

func TestBrokenRulesOfAnIntrospectionAreNamedWithoutTheToken(t *testing.T) {
	h := newHarness(t)
	secret := h.format.Mint("live").Reveal()
	form := with("Content-Type", formType+"; charset=utf-8")
	post := func(body string, edit func(*http.Request)) answer {
		return h.do(h.admin, http.MethodPost, "/api/v1/introspect", body, edit)
	}
	for _, tt := range []struct {
		a    answer
		want string
	}{
		{post("token="+url.QueryEscape(secret), with("Content-Type", "application/json")), "Unsupported Media Type unsupported_media_type"},
		{post(`{"token":"`+secret+`"}`, with("Content-Type", "application/json")), "Unsupported Media Type unsupported_media_type"},
		{post("", form), "Bad Request invalid_request"},
		{post("token=", form), "Bad Request invalid_request"},
		{post("token="+secret+"&token="+secret, form), "Bad Request invalid_request"},
		{post("token=%zz"+secret, form), "Bad Request invalid_request"},
		{post("token="+strings.Repeat("x", maxForm), form), "Request Entity Too Large body_too_large"},
		{h.get(h.admin, "/introspect?token="+secret), "Method Not Allowed method_not_allowed"},
		{h.do(h.admin, http.MethodPost, "/api/v1/introspect?token="+secret, "token=x", form), "Bad Request secret_in_request"},
	} {
		assert.Equal(t, tt.want, tt.a.code(t))
		assert.NotContains(t, tt.a.body, secret)
	}
	assert.Equal(t, http.StatusOK, post("token="+secret+"&token_type_hint=access_token", form).status)
}
