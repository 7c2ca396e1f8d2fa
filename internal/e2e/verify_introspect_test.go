package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/credential"
)

const formType = "application/x-www-form-urlencoded"

// tell asks with one key about another.
func (c *collector) tell(t *testing.T, asker key, token string) reply {
	t.Helper()
	return c.tellForm(t, asker, url.Values{"token": {token}, "token_type_hint": {"access_token"}}.Encode())
}

func (c *collector) tellForm(t *testing.T, asker key, form string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.admin.address+"/api/v1/introspect", strings.NewReader(form))
	require.NoError(t, err)
	r.Header.Set("Content-Type", formType)
	r.Header.Set("Authorization", "Bearer "+asker.secret)
	return doHTTP(t, c.admin.http, r)
}

// verifier is the key of a service that asks about others.
func (c *collector) verifier(t *testing.T, edits ...edit) key {
	t.Helper()
	return c.create(t, append([]edit{ofType("system"), scopes("keys:verify"), named("phoenix")}, edits...)...)
}

func introspection(t *testing.T, r reply) (got map[string]any) {
	t.Helper()
	require.Equal(t, http.StatusOK, r.status, r.body)
	assert.Equal(t, []string{jsonType}, r.header.Values("Content-Type"))
	assert.Equal(t, []string{"no-store"}, r.header.Values("Cache-Control"))
	require.NoError(t, json.Unmarshal([]byte(r.body), &got), r.body)
	return got
}

func TestIntrospectionSaysWhatALiveKeyStandsForNow(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	asker := c.verifier(t)
	end := time.Now().Add(time.Hour).Truncate(time.Second)
	ada := c.createUser(t, "ada", "viewer")
	k := c.create(t, ownedBy(ada), named("notebook"), scopes("datasets:read", "traces:read"), projects("shop"), fromAddresses("192.0.2.0/24"), expiring(end), inEnvironment("test"))
	got := introspection(t, c.tell(t, asker, k.secret))
	iat, _ := got["iat"].(float64)
	assert.InDelta(t, time.Now().Unix(), iat, patience.Seconds())
	delete(got, "iat")
	assert.Equal(t, map[string]any{
		"active": true, "client_id": k.id, "sub": ada, "username": "ada", "token_type": "Bearer", "exp": float64(end.Unix()),
		"scope": "traces:read datasets:read", "key_name": "notebook", "key_type": "user", "environment": "test", "plan": "enterprise",
		"projects": []any{"shop"}, "allowed_ips": []any{"192.0.2.0/24"},
	}, got)

	system := c.create(t, ofType("system"), scopes("traces:write"))
	got = introspection(t, c.tell(t, asker, system.secret))
	assert.Equal(t, []any{system.id, system.id, nil, nil}, []any{got["client_id"], got["sub"], got["username"], got["exp"]})
	assert.Equal(t, true, introspection(t, c.tell(t, asker, asker.secret))["active"], "it may ask about itself")
	assert.Equal(t, true, introspection(t, c.tell(t, asker, c.secret))["active"], "and about administrators")
}

func TestIntrospectionTellsNothingOfAKeyThatDoesNotOpen(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	asker := c.verifier(t)
	revoked, rotated, expired := c.create(t), c.create(t), c.create(t, expiring(time.Now().Add(2*time.Second)))
	owner := c.createUser(t, "bob", "member")
	orphan := c.create(t, ownedBy(owner))
	for name, k := range map[string]key{"revoked": revoked, "rotated": rotated, "expired": expired, "orphan": orphan} {
		require.Equal(t, true, introspection(t, c.tell(t, asker, k.secret))["active"], name)
	}
	c.revoke(t, revoked.id)
	renewed := c.rotate(t, rotated, "0s")
	c.deleteUser(t, owner)
	for name, token := range map[string]string{
		"revoked": revoked.secret, "rotated out": rotated.secret, "its owner deleted": orphan.secret,
		"unknown": c.vault.mint(credential.Live), "malformed": "px_live_x", "cut off": c.vault.keep(renewed.secret[:len(renewed.secret)-1]),
		"another kind of token": "eyJhbGciOiJub25lIn0.e30.", "with a scheme": "Bearer " + renewed.secret, "white space": " ", "control characters": "\x00\r\n", "long": strings.Repeat("x", 10_000),
	} {
		r := c.tell(t, asker, token)
		assert.Equal(t, http.StatusOK, r.status, name)
		assert.JSONEq(t, `{"active":false}`, r.body, name)
	}
	assert.Equal(t, true, introspection(t, c.tell(t, asker, renewed.secret))["active"])
	assert.Eventually(t, func() bool {
		r := c.tell(t, asker, expired.secret)
		return r.status == http.StatusOK && strings.TrimSpace(r.body) == `{"active":false}`
	}, patience, 10*tick, "expired")
}

func TestIntrospectionIsForVerifiersAlone(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	member := c.create(t, ownedBy(c.createUser(t, "eve", "member")), preset("read-write"))
	for name, asker := range map[string]key{
		"a member's key":           member,
		"a system key without":     c.create(t, ofType("system"), preset("read-write")),
		"an administrator's, bare": c.create(t, scopes("traces:write")),
	} {
		for _, token := range []string{c.secret, member.secret, "px_live_x"} {
			assert.Equal(t, http.StatusForbidden, c.tell(t, asker, token).status, name)
		}
	}
	revoked := c.verifier(t)
	c.revoke(t, revoked.id)
	for name, asker := range map[string]key{"no key": {}, "unknown": {secret: c.vault.mint(credential.Sys)}, "revoked": revoked} {
		assert.Equal(t, http.StatusUnauthorized, c.tell(t, asker, member.secret).status, name)
	}
	elsewhere := c.verifier(t, fromAddresses("192.0.2.1"))
	assert.Equal(t, http.StatusForbidden, c.tell(t, elsewhere, member.secret).status)

	asker := c.verifier(t)
	for _, path := range []string{"/api/v1/api-keys", "/api/v1/users", "/api/v1/audit-log", "/api/v1/backup"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+c.admin.address+path, http.NoBody)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+asker.secret)
		assert.Equal(t, http.StatusForbidden, doHTTP(t, c.admin.http, r).status, "a verifier may ask and nothing else: %s", path)
	}
	assert.Equal(t, statusDenied, c.verify(t, asker, "traces:read"))
}

func TestIntrospectionChargesWhoAsksAndIsNoUseOfTheKey(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	asker := c.verifier(t, limitedTo("3 requests in 1m on api"))
	k := c.create(t, limitedTo("1 requests in 1m on api"))
	for range 3 {
		assert.Equal(t, true, introspection(t, c.tell(t, asker, k.secret))["active"])
	}
	overLimitCall(t, c.tell(t, asker, k.secret))
	assert.Equal(t, []int64{0}, c.used(t, k.id))
	assert.Nil(t, c.details(t, k.id).LastUsedAt)
}

func TestIntrospectionNeverRepeatsAToken(t *testing.T) {
	t.Parallel()
	// The vault of the collector looks for keys in all answers, in the log and in
	// the files of the storage when the test ends.
	c := start(t, options{overlay: "service: {telemetry: {logs: {level: debug}}}"})
	asker, k := c.verifier(t), c.create(t)
	stranger := c.vault.mint(credential.Live)
	for form, want := range map[string]int{
		"token=" + k.secret:                             http.StatusOK,
		"token=" + stranger:                             http.StatusOK,
		"token=" + k.secret + "&token=" + stranger:      http.StatusBadRequest,
		"token=%zz" + k.secret:                          http.StatusBadRequest,
		"tokens=" + k.secret:                            http.StatusBadRequest,
		`{"token":"` + k.secret + `"}`:                  http.StatusBadRequest,
		k.secret:                                        http.StatusBadRequest,
		"token=" + strings.Repeat(k.secret, 1000):       http.StatusRequestEntityTooLarge,
		"token=" + k.secret + "x":                       http.StatusOK,
		"token_type_hint=" + stranger + "&token=" + "x": http.StatusOK,
	} {
		assert.Equal(t, want, c.tellForm(t, asker, form).status, "%.20s", form)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.admin.address+"/api/v1/introspect?token="+k.secret, strings.NewReader("token=x"))
	require.NoError(t, err)
	r.Header.Set("Content-Type", formType)
	r.Header.Set("X-Api-Key", asker.secret)
	assert.Equal(t, http.StatusBadRequest, doHTTP(t, c.admin.http, r).status, "a key has no place in a query")
	assert.Equal(t, http.StatusForbidden, c.tell(t, k, stranger).status, "which the audit log records")
}
