package admin

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/identity"
)

// rulesOf renders the broken rules of a problem as "place: rule" lines.
func rulesOf(t *testing.T, a answer) string {
	t.Helper()
	var lines []string
	for _, f := range a.problem(t).Errors {
		place := value(f.Parameter)
		if f.Pointer != nil {
			place = *f.Pointer
		}
		lines = append(lines, place+": "+f.Detail)
	}
	return strings.Join(lines, "\n")
}

func TestBrokenRulesOfANewKeyAreNamed(t *testing.T) {
	h := newHarness(t)
	long := func(n int) string { return strings.Repeat("x", n) }
	const known = "no such field: known are allowedIps, description, digest, environment, expectedCountries, expiresAt, hint, limits, name, ownerId, plan, preset, projects, role, scopes, type"
	tests := []struct{ name, body, want string }{
		{"no object", `[]`, ": must be of type object"},
		{"null", `null`, ": must not be null"},
		{"no name", `{"preset":"admin"}`, "/name: is required"},
		{"empty name", `{"name":"","preset":"admin"}`, "/name: must be 1 to 100 characters long"},
		{"blank name", `{"name":" \u00a0","preset":"admin"}`, "/name: must not be blank"},
		{"long name", `{"name":"` + long(101) + `","preset":"admin"}`, "/name: must be 1 to 100 characters long"},
		{"name of two lines", `{"name":"a\nb","preset":"admin"}`, "/name: must not contain control characters or line breaks"},
		{"name with NUL", `{"name":"a\u0000b","preset":"admin"}`, "/name: must not contain control characters or line breaks"},
		{"name with U+2028", `{"name":"a\u2028b","preset":"admin"}`, "/name: must not contain control characters or line breaks"},
		{"name is a number", `{"name":5,"preset":"admin"}`, "/name: must be of type string"},
		{"name is null", `{"name":null,"preset":"admin"}`, "/name: must not be null"},
		{"long description", `{"name":"k","preset":"admin","description":"` + long(1001) + `"}`, "/description: must be 0 to 1000 characters long"},
		{"description with escape", `{"name":"k","preset":"admin","description":"\u001b[31m"}`, "/description: must not contain control characters other than tabs and line breaks"},
		{"type", `{"name":"k","preset":"admin","type":"robot"}`, "/type: must be one of user, system"},
		{"environment", `{"name":"k","preset":"admin","environment":"prod"}`, "/environment: must be one of live, test"},
		{"neither scopes nor preset", `{"name":"k"}`, "/scopes: is required, or else preset"},
		{"both scopes and preset", `{"name":"k","scopes":["admin"],"preset":"admin"}`, "/preset: must be left out where scopes are given"},
		{"no scopes", `{"name":"k","scopes":[]}`, "/scopes: must hold 1 to 100 items"},
		{"unknown scope", `{"name":"k","scopes":["traces:read","traces:eat"]}`, "/scopes/1: must be one of traces:read, traces:write, metrics:read, metrics:write, logs:read, logs:write, profiles:read, profiles:write, projects:read, projects:write, datasets:read, datasets:write, experiments:read, experiments:write, keys:verify, admin"},
		{"unknown preset", `{"name":"k","preset":"all"}`, "/preset: must be one of read-only, read-write, admin, analytics, ci-cd, instrumentation"},
		{"role of a user key", `{"name":"k","preset":"admin","role":"admin"}`, "/role: must be left out for a user key, whose role is its owner's"},
		{"unknown role", `{"name":"k","preset":"admin","type":"system","role":"root"}`, "/role: must be one of viewer, member, admin"},
		{"owner of a system key", `{"name":"k","preset":"admin","type":"system","ownerId":"admin"}`, "/ownerId: must be left out for a system key, which belongs to no user"},
		{"empty project", `{"name":"k","preset":"admin","projects":["a",""]}`, "/projects/1: must be 1 to 256 characters long"},
		{"project with control", `{"name":"k","preset":"admin","projects":["a\u0007"]}`, "/projects/0: must not contain control characters or line breaks"},
		{"many projects", `{"name":"k","preset":"admin","projects":["a"` + strings.Repeat(`,"a"`, 100) + `]}`, "/projects: must hold 0 to 100 items"},
		{"unknown plan", `{"name":"k","preset":"admin","plan":"gold"}`, "/plan: unknown plan \"gold\": must be one of enterprise, free, pro"},
		{
			"bad addresses", `{"name":"k","preset":"admin","allowedIps":["10.0.0.0/33","::/0","localhost","fe80::1%eth0","::ffff:0:0/90"]}`,
			"/allowedIps/0: must be a CIDR such as 10.0.0.0/8 or 2001:db8::/32, or an address\n/allowedIps/2: must be a CIDR such as 10.0.0.0/8 or 2001:db8::/32, or an address\n/allowedIps/3: must be a CIDR such as 10.0.0.0/8 or 2001:db8::/32, or an address\n/allowedIps/4: must not mix IPv4 and IPv6: give each its own CIDR",
		},
		{"country in lower case", `{"name":"k","preset":"admin","expectedCountries":["de"]}`, "/expectedCountries/0: must match ^[A-Z]{2}$"},
		{"no country", `{"name":"k","preset":"admin","expectedCountries":["DE","ZZ","UK","EU"]}`, "/expectedCountries/1: must be the code of a country (ISO 3166-1 alpha-2, upper-case) such as DE\n/expectedCountries/2: must be the code of a country (ISO 3166-1 alpha-2, upper-case) such as DE\n/expectedCountries/3: must be the code of a country (ISO 3166-1 alpha-2, upper-case) such as DE"},
		{"expired", `{"name":"k","preset":"admin","expiresAt":"2026-07-01T09:30:00Z"}`, "/expiresAt: must be in the future"},
		{"no time", `{"name":"k","preset":"admin","expiresAt":"tomorrow"}`, "/expiresAt: must be a time such as 2027-01-01T00:00:00Z (RFC 3339)"},
		{"no such day", `{"name":"k","preset":"admin","expiresAt":"2027-02-30T00:00:00Z"}`, "/expiresAt: must be a time such as 2027-01-01T00:00:00Z (RFC 3339)"},
		{"beyond the year 9999 in UTC", `{"name":"k","preset":"admin","expiresAt":"9999-12-31T23:59:59-14:00"}`, "/expiresAt: must be a time such as 2027-01-01T00:00:00Z (RFC 3339)"},
		{"names are as they are written", `{"Name":"k","preset":"admin"}`, "/Name: " + known + "\n/name: is required"},
		{"names in pointers are escaped", `{"name":"k","preset":"admin","a/b~c":1}`, "/a~1b~0c: " + known},
		{"key is not accepted", `{"name":"k","preset":"admin","key":"x"}`, "/key: " + known},
		{"several", `{"name":"","type":"x","projects":[1]}`, "/name: must be 1 to 100 characters long\n/projects/0: must be of type string\n/type: must be one of user, system"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := h.create(h.admin, tt.body)
			require.Equal(t, "Bad Request invalid_request", a.code(t), a.body)
			assert.Equal(t, tt.want, rulesOf(t, a))
			assert.NotContains(t, a.problem(t).Detail, "\n")
		})
	}
	assert.Empty(t, h.audits(), "nothing was stored")
}

func TestBrokenRulesOfAPatchAreNamed(t *testing.T) {
	h := newHarness(t)
	id := h.created(h.admin, `{"name":"k","scopes":["traces:read"]}`).ID
	tests := []struct{ name, body, want string }{
		{"null name", `{"name":null}`, "/name: must not be null"},
		{"null scopes", `{"scopes":null}`, "/scopes: must not be null"},
		{"null preset", `{"preset":null}`, "/preset: must be one of read-only, read-write, admin, analytics, ci-cd, instrumentation"},
		{"blank name", `{"name":" "}`, "/name: must not be blank"},
		{"both scopes and preset", `{"scopes":["admin"],"preset":"admin"}`, "/preset: must be left out where scopes are given"},
		{"role of a user key", `{"role":"admin"}`, "/role: must be left out for a user key, whose role is its owner's"},
		{"null role of a user key", `{"role":null}`, "/role: must be left out for a user key, whose role is its owner's"},
		{"unknown role", `{"role":"root"}`, "/role: must be one of viewer, member, admin, null"},
		{"expiry in the past", `{"expiresAt":"2020-01-01T00:00:00Z"}`, "/expiresAt: must be in the future"},
		{"plan", `{"plan":"gold"}`, "/plan: unknown plan \"gold\": must be one of enterprise, free, pro"},
		{"what is fixed", `{"type":"system"}`, "/type: no such field: known are allowedIps, description, expectedCountries, expiresAt, limits, name, plan, preset, projects, role, scopes"},
		{"addresses", `{"allowedIps":["x"]}`, "/allowedIps/0: must be a CIDR such as 10.0.0.0/8 or 2001:db8::/32, or an address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := h.patch(h.admin, id, tt.body)
			require.Equal(t, "Bad Request invalid_request", a.code(t), a.body)
			assert.Equal(t, tt.want, rulesOf(t, a))
		})
	}
	assert.Len(t, h.audits(), 1, "nothing was changed")
}

func TestScopesAboveTheRoleAreRefusedInAPatch(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Viewer)
	user := h.created(h.admin, `{"name":"k","ownerId":"ada","scopes":["traces:read"]}`).ID
	system := h.created(h.admin, `{"name":"k","type":"system","scopes":["traces:read"]}`).ID
	assert.Equal(t, "Unprocessable Entity scopes_exceed_role", h.patch(h.admin, user, `{"scopes":["traces:write"]}`).code(t))
	assert.Equal(t, "Unprocessable Entity scopes_exceed_role", h.patch(h.admin, system, `{"scopes":["traces:write"]}`).code(t))
	assert.Equal(t, "Unprocessable Entity scopes_exceed_role", h.patch(h.admin, system, `{"preset":"admin","role":"member"}`).code(t))
	assert.Equal(t, "OK", h.patch(h.admin, system, `{"scopes":["traces:write"],"role":null}`).code(t))
	assert.Equal(t, "Unprocessable Entity scopes_exceed_role", h.patch(h.admin, system, `{"role":"viewer"}`).code(t))
}

func TestBrokenRulesOfAListingAreNamed(t *testing.T) {
	h := newHarness(t)
	const known = "known are cursor, environment, limit, ownerId, plan, q, sort, status, type"
	for query, want := range map[string]string{
		"?status=gone":                   "status: must be one of active, expired, revoked, disabled",
		"?type=":                         "type: must be one of user, system",
		"?limit=0":                       "limit: must be 1 to 500",
		"?limit=501":                     "limit: must be 1 to 500",
		"?limit=ten":                     "limit: must be of type integer",
		"?limit=1.5":                     "limit: must be of type integer",
		"?limit=1e400":                   "limit: must be of type integer",
		"?limit=":                        "limit: must be of type integer",
		"?q=" + strings.Repeat("x", 201): "q: must be 1 to 200 characters long",
		"?status=active&status=active":   "status: must be given once",
		"?stat=active":                   "stat: no such parameter: " + known,
		"?Status=active":                 "Status: no such parameter: " + known,
		"?x=1&y=2":                       "x: no such parameter: " + known + "\ny: no such parameter: " + known,
	} {
		a := h.get(h.admin, "/api-keys"+query)
		if assert.Equal(t, "Bad Request invalid_request", a.code(t), query) {
			assert.Equal(t, want, rulesOf(t, a), query)
		}
	}
	assert.Equal(t, "q: must be UTF-8", rulesOf(t, h.get(h.admin, "/api-keys?q=%ff%fe")))
	for _, query := range []string{"?%zz", "?a=1;b=2"} {
		assert.Equal(t, "Bad Request invalid_request", h.get(h.admin, "/api-keys"+query).code(t), query)
	}
	a := h.get(h.admin, "/whoami?verbose=1")
	assert.Equal(t, "verbose: no such parameter: there is none", rulesOf(t, a))
}

func TestMalformedBodies(t *testing.T) {
	h := newHarness(t)
	for body, want := range map[string]string{
		`{"name":"k"`:                                     "the body is not valid JSON: the error is at byte 11",
		`{"name":"k","preset":"admin"} {}`:                "the body is not valid JSON: the error is at byte 31",
		`{"name":"k","preset":"admin","name":"l"}`:        `the body has the field "name" twice: send it once`,
		`{"name":"k","preset":"admin","x":{"a":1,"a":2}}`: `the body has the field "a" twice: send it once`,
		"{\"name\":\"\xff\",\"preset\":\"admin\"}":        "the body is not valid UTF-8: encode it as such",
		" ":                        "the body is empty: send a JSON object",
		`name=k`:                   "the body is not valid JSON: the error is at byte 2",
		`{'a':1}`:                  "the body is not valid JSON: the error is at byte 2",
		"\ufeff{}":                 "the body is not valid JSON: the error is at byte 1",
		strings.Repeat("[", 20000): "the body is not valid JSON: the error is at byte 10001",
	} {
		a := h.create(h.admin, body)
		if assert.Equal(t, "Bad Request malformed_json", a.code(t), "%.50s", body) {
			assert.Equal(t, want, a.problem(t).Detail, "%.50s", body)
		}
	}
	empty := h.do(h.admin, http.MethodPost, "/api/v1/api-keys", "", func(r *http.Request) { r.Header.Set("Content-Type", "application/json") })
	assert.Equal(t, "Bad Request malformed_json", empty.code(t))
	many := h.create(h.admin, `{"name":"k","scopes":[`+strings.Repeat("1,", 100_000)+`1]}`)
	assert.Equal(t, "the body holds more than 4096 values: send fewer", many.problem(t).Detail)
}

func TestContentTypes(t *testing.T) {
	h := newHarness(t)
	id := h.created(h.admin, `{"name":"k","scopes":["traces:read"]}`).ID
	send := func(method, path, contentType string) int {
		return h.do(h.admin, method, path, `{"name":"k","scopes":["traces:read"]}`, func(r *http.Request) {
			r.Header.Set("Content-Type", contentType)
		}).status
	}
	const keys = "/api/v1/api-keys"
	assert.Equal(t, 201, send("POST", keys, "application/json"))
	assert.Equal(t, 201, send("POST", keys, "Application/JSON; charset=UTF-8"))
	assert.Equal(t, 200, send("PATCH", keys+"/"+id, "application/merge-patch+json"))
	for _, contentType := range []string{"", "text/plain", "application/merge-patch+json", "application/json-patch+json", "application/jsonx", ";"} {
		assert.Equal(t, 415, send("POST", keys, contentType), contentType)
	}
}

func TestAnAnswerListsAFewRulesOfMany(t *testing.T) {
	h := newHarness(t)
	fields := map[string]any{}
	for i := range 500 {
		fields[strings.Repeat("x", 200)+string(rune('a'+i%26))+string(rune('a'+i/26))] = 1
	}
	body, err := json.Marshal(fields)
	require.NoError(t, err)
	a := h.create(h.admin, string(body))
	assert.Len(t, a.problem(t).Errors, maxFieldErrors)
	assert.Equal(t, "the request breaks 501 rules: see errors", a.problem(t).Detail)
	assert.Less(t, len(a.body), 10_000)
}
