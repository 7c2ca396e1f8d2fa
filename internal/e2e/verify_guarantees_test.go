package e2e

import (
	"crypto/sha256"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/credential"
)

// guarantees hold for every documented proxy.
var guarantees = map[string]func(t *testing.T, f *front){
	"a method needs its scope":                                 methodsNeedTheirScopes,
	"without a valid key nothing passes":                       withoutAValidKeyNothingPasses,
	"a revoked key is refused with the next request":           revokedKeysAreRefused,
	"projects are kept apart":                                  projectsAreKeptApart,
	"whoever is over a limit is told how long to wait":         limitsAreTold,
	"the service learns whose request it is, and nobody lies":  identityCannotBeForged,
	"the service does not see the key":                         keysStayOutside,
	"bodies reach the service":                                 bodiesReachTheService,
	"failures of the service pass unchanged":                   failuresPassUnchanged,
	"addresses are those of clients and cannot be forged":      addressesCannotBeForged,
	"who tries unknown keys slows nobody else down":            guessersSlowNobodyElseDown,
	"what a client asks the gate for only makes things harder": clientsCannotWiden,
}

func (f *front) guaranteed(t *testing.T) {
	t.Helper()
	for name, check := range guarantees {
		t.Run(name, func(t *testing.T) {
			f.take()
			check(t, f)
		})
	}
}

// statuses returns the answers to a GET and a POST.
func (f *front) statuses(t *testing.T, path string, h headers) [2]int {
	t.Helper()
	return [2]int{f.ask(t, http.MethodGet, path, h).status, f.ask(t, http.MethodPost, path, h).status}
}

const (
	statusPass    = http.StatusOK
	statusUnknown = http.StatusUnauthorized
	statusDenied  = http.StatusForbidden
)

func methodsNeedTheirScopes(t *testing.T, f *front) {
	for _, tt := range []struct {
		edit edit
		want [2]int
	}{
		{scopes("datasets:read"), [2]int{statusPass, statusDenied}},
		{scopes("datasets:read", "datasets:write"), [2]int{statusPass, statusPass}},
		{scopes("datasets:write"), [2]int{statusDenied, statusPass}},
		{scopes("experiments:read", "experiments:write"), [2]int{statusDenied, statusDenied}},
		{scopes("admin"), [2]int{statusPass, statusPass}},
	} {
		k := f.gate.create(t, tt.edit)
		f.take()
		assert.Equal(t, tt.want, f.statuses(t, "/datasets", k.bearer()))
		passed := 0
		for _, status := range tt.want {
			if status == statusPass {
				passed++
			}
		}
		assert.Len(t, f.take(), passed, "what is refused does not reach the service")
	}
	reader := f.gate.create(t, scopes("datasets:read")).bearer()
	assert.Equal(t, statusPass, f.ask(t, http.MethodHead, "/datasets", reader).status)
	for _, method := range []string{"PUT", "PATCH", "DELETE", "PROPFIND"} {
		assert.Equal(t, statusDenied, f.ask(t, method, "/datasets", reader).status, method)
	}
	assert.Equal(t, statusPass, f.ask(t, http.MethodGet, "/datasets/a%20b/c?scope=admin&x=%20", reader).status, "paths and queries do not matter")
}

func withoutAValidKeyNothingPasses(t *testing.T, f *front) {
	k := f.gate.create(t, scopes("admin"))
	for name, h := range map[string]headers{
		"no key":         {},
		"unknown":        {"Authorization": "Bearer " + f.gate.vault.mint(credential.Live)},
		"malformed":      {"Authorization": "Bearer px_live_x"},
		"another scheme": {"Authorization": "Basic " + k.secret},
		"two keys":       {"Authorization": "Bearer " + k.secret, "X-Api-Key": f.gate.create(t).secret},
	} {
		r := f.ask(t, http.MethodGet, "/datasets", h)
		assert.Equal(t, statusUnknown, r.status, name)
		assert.Contains(t, r.header.Get("WWW-Authenticate"), "Bearer", name)
	}
	assert.Empty(t, f.take())
	assert.Equal(t, statusPass, f.ask(t, http.MethodGet, "/datasets", headers{"X-Api-Key": k.secret}).status)
}

func revokedKeysAreRefused(t *testing.T, f *front) {
	for range 20 {
		k := f.gate.create(t, scopes("datasets:read"))
		require.Equal(t, statusPass, f.ask(t, http.MethodGet, "/datasets", k.bearer()).status)
		f.gate.revoke(t, k.id)
		require.Equal(t, statusUnknown, f.ask(t, http.MethodGet, "/datasets", k.bearer()).status)
	}
}

func projectsAreKeptApart(t *testing.T, f *front) {
	of := func(names ...string) headers {
		return f.gate.create(t, scopes("projects:read"), projects(names...)).bearer()
	}
	for _, path := range []string{"/projects/shop", "/projects/shop/spans?project=other"} {
		assert.Equal(t, statusPass, f.ask(t, http.MethodGet, path, of("shop", "a")).status, path)
		assert.Equal(t, statusPass, f.ask(t, http.MethodGet, path, of()).status, path)
		assert.Equal(t, statusDenied, f.ask(t, http.MethodGet, path, of("other")).status, path)
	}
	f.take()
	for _, path := range []string{"/projects/shopping", "/projects/other", "/projects/../projects/other", "/projects/%6fther"} {
		f.ask(t, http.MethodGet, path, of("shop"))
		assert.Empty(t, f.take(), "%s is another project", path)
	}
}

func limitsAreTold(t *testing.T, f *front) {
	k := f.gate.create(t, scopes("datasets:read"), limitedTo("2 requests in 1m on api")).bearer()
	for range 3 {
		assert.Equal(t, statusDenied, f.ask(t, http.MethodPost, "/datasets", k).status, "which costs nothing")
	}
	for range 2 {
		require.Equal(t, statusPass, f.ask(t, http.MethodGet, "/datasets", k).status)
	}
	f.take()
	r := f.ask(t, http.MethodGet, "/datasets", k)
	assert.Equal(t, http.StatusTooManyRequests, r.status)
	wait, err := strconv.Atoi(r.header.Get("Retry-After"))
	require.NoError(t, err, "Retry-After")
	assert.Positive(t, wait)
	assert.LessOrEqual(t, wait, 61)
	assert.Empty(t, f.take())
}

// lies are what a client claims to be.
var lies = headers{
	"X-Api-Key-Id": "key_forged", "x-api-key-owner": "forged", "X-API-KEY-NAME": "forged", "X-Api-Key-Type": "system",
	"X-Api-Key-Scopes": "admin", "X-Api-Key-Projects": "forged",
}

func identityCannotBeForged(t *testing.T, f *front) {
	user := f.gate.create(t, named("Zoë"), scopes("datasets:read", "traces:write"), projects("a b"))
	system := f.gate.create(t, ofType("system"), scopes("datasets:read"))
	for _, tt := range []struct {
		k    key
		want headers
	}{
		{user, headers{"Id": user.id, "Owner": "admin", "Name": "Zo%C3%AB", "Type": "user", "Scopes": "traces:write datasets:read", "Projects": "a+b"}},
		{system, headers{"Id": system.id, "Owner": "", "Name": "test%20key", "Type": "system", "Scopes": "datasets:read", "Projects": ""}},
	} {
		require.Equal(t, statusPass, f.ask(t, http.MethodGet, "/datasets", with(lies, tt.k.bearer())).status)
		got := f.take()
		require.Len(t, got, 1)
		for name, want := range tt.want {
			values := got[0].header.Values("X-Api-Key-" + name)
			assert.Equal(t, want, strings.Join(values, "|"), name)
		}
	}
	// An intermediary drops what Connection names: that must not be the identity.
	f.ask(t, http.MethodGet, "/datasets", with(user.bearer(), headers{"Connection": "close, X-Api-Key-Id, X-Api-Key-Scopes"}))
	for _, r := range f.take() {
		assert.Equal(t, user.id, r.header.Get("X-Api-Key-Id"))
		assert.Equal(t, "traces:write datasets:read", r.header.Get("X-Api-Key-Scopes"))
	}
}

func keysStayOutside(t *testing.T, f *front) {
	k := f.gate.create(t, scopes("datasets:read"))
	for _, h := range []headers{
		k.bearer(),
		{"X-Api-Key": k.secret},
		{"X-Api-Key": k.secret, "Authorization": "Bearer " + k.secret},
	} {
		require.Equal(t, statusPass, f.ask(t, http.MethodGet, "/datasets", h).status)
		got := f.take()
		require.Len(t, got, 1)
		for name, values := range got[0].header {
			assert.NotContains(t, strings.Join(values, " "), k.secret, name)
		}
	}
}

func bodiesReachTheService(t *testing.T, f *front) {
	k := f.gate.create(t, scopes("datasets:write")).bearer()
	body := strings.Repeat("0123456789abcdef", 1<<14) // 256 KiB
	for name, reader := range map[string]io.Reader{
		"of known length": strings.NewReader(body),
		"in chunks":       io.MultiReader(strings.NewReader(body)),
	} {
		r := f.send(t, f.client(t, someAddress), http.MethodPost, "/datasets?x=1", k, reader)
		require.Equal(t, statusPass, r.status, name)
		got := f.take()
		require.Len(t, got, 1)
		assert.Equal(t, http.MethodPost+" /datasets?x=1", got[0].method+" "+got[0].uri, name)
		assert.Equal(t, sha256.Sum256([]byte(body)), sha256.Sum256([]byte(got[0].body)), name)
	}
}

func failuresPassUnchanged(t *testing.T, f *front) {
	r := f.ask(t, http.MethodGet, brokenPath, f.gate.create(t, scopes("datasets:read")).bearer())
	assert.Equal(t, http.StatusInternalServerError, r.status)
	assert.Equal(t, brokenBody, r.body)
}

func addressesCannotBeForged(t *testing.T, f *front) {
	bound := f.gate.create(t, scopes("datasets:read"), fromAddresses(someAddress)).bearer()
	inside := f.gate.create(t, scopes("datasets:read"), fromAddresses(proxyAddress)).bearer()
	some, other := f.client(t, someAddress), f.client(t, otherAddress)
	for _, h := range []headers{
		{},
		{"X-Forwarded-For": someAddress},
		{"X-Forwarded-For": someAddress + ", " + proxyAddress},
		{"Forwarded": "for=" + someAddress},
		{"Forwarded": "for=192.0.2.1"},
		{"X-Real-Ip": someAddress},
		{"Forwarded": "for=" + proxyAddress, "X-Forwarded-For": proxyAddress},
	} {
		assert.Equal(t, statusDenied, f.send(t, other, http.MethodGet, "/datasets", with(bound, h), http.NoBody).status, "%v", h)
		assert.Equal(t, statusDenied, f.send(t, other, http.MethodGet, "/datasets", with(inside, h), http.NoBody).status, "the proxy's address, %v", h)
		assert.Equal(t, statusPass, f.send(t, some, http.MethodGet, "/datasets", with(bound, h), http.NoBody).status, "%v", h)
	}
}

func guessersSlowNobodyElseDown(t *testing.T, f *front) {
	guesser := f.client(t, "127.0.0.66")
	guess := func(c *http.Client) reply {
		return f.send(t, c, http.MethodGet, "/datasets", headers{"Authorization": "Bearer " + f.gate.vault.mint(credential.Live)}, http.NoBody)
	}
	r := guess(guesser)
	for i := 0; r.status == statusUnknown && i < 1000; i++ {
		r = guess(guesser)
	}
	assert.Equal(t, http.StatusTooManyRequests, r.status)
	assert.NotEmpty(t, r.header.Get("Retry-After"))
	assert.Equal(t, statusUnknown, guess(f.client(t, someAddress)).status)
}

func clientsCannotWiden(t *testing.T, f *front) {
	k := f.gate.create(t, scopes("datasets:read", "traces:read"), projects("shop")).bearer()
	for _, h := range []headers{
		{"X-Required-Scope": "traces:read"},
		{"X-Required-Scope": ""},
		{"X-Required-Project": "shop"},
		{"X-Original-Method": "GET", "X-Forwarded-Method": "GET", "X-Http-Method-Override": "GET"},
		{"X-Original-Url": "/", "X-Forwarded-Uri": "/"},
	} {
		assert.Equal(t, statusDenied, f.ask(t, http.MethodPost, "/datasets", with(k, h)).status, "%v", h)
	}
	assert.Empty(t, f.take())
}
