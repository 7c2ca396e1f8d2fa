package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/credential"
)

const declaredFile = `users:
  - email: ada@example.com
    name: Ada
keys:
  - name: edge
    digest: ` + digestA + `
    scopes: [traces:write, metrics:write]
    projects: [checkout]
    limits:
      - {on: ingest, unit: requests, max: 5, window: 1h}
    allowed_ips: [10.0.0.0/8]
    expires_at: 2027-01-31T12:00:00Z
`

func TestAFileBecomesADeclaration(t *testing.T) {
	t.Parallel()
	const want = `{"users":[{"email":"ada@example.com","name":"Ada"}],"keys":[{"name":"edge","digest":"` + digestA + `",
		"scopes":["traces:write","metrics:write"],"projects":["checkout"],"limits":[{"on":"ingest","unit":"requests","max":5,"window":"1h"}],
		"allowedIps":["10.0.0.0/8"],"expiresAt":"2027-01-31T12:00:00Z"}]}`
	for _, content := range []string{
		declaredFile,
		`{"users": [{"email": "ada@example.com", "name": "Ada"}], "keys": [{"name": "edge", "digest": "` + digestA + `",
			"scopes": ["traces:write", "metrics:write"], "projects": ["checkout"], "allowed_ips": ["10.0.0.0/8"],
			"limits": [{"on": "ingest", "unit": "requests", "max": 5, "window": "1h"}], "expires_at": "2027-01-31T12:00:00Z"}]}`,
		"extensions:\n  health_check:\n  apikeyauth:\n    storage:\n      directory: ${env:DIR}\n    " + indented(declaredFile) + "\nservice: {}\n",
	} {
		d, err := parseDeclared([]byte(content), "")
		require.NoError(t, err, content)
		body, err := json.Marshal(d.document)
		require.NoError(t, err)
		assert.JSONEq(t, want, string(body))
	}
}

func indented(text string) string { return strings.ReplaceAll(text, "\n", "\n    ") }

func TestMistakesOfAFileAreToldWithTheirPlace(t *testing.T) {
	t.Parallel()
	key := credential.Format{}.Mint(credential.Live).Reveal()
	for content, want := range map[string]string{
		"":                              "it is empty: must declare users or keys",
		"- a":                           "line 1: must be a mapping with the sections users and keys",
		"users: []\n---\nkeys: []":      "line 2: a second document begins: must be one",
		"a: [":                          "line 1: did not find expected node content",
		"user: []":                      "line 1: no such section: \"user\": did you mean users?",
		"{}":                            "line 1: declares nothing: must have users or keys; write keys: [] to withdraw all keys",
		"keys:":                         "line 1: keys must be a list; write [] to declare none",
		"keys: {a: b}":                  "line 1: keys must be a list",
		"keys: [a]":                     "line 1, keys[0]: must be a mapping of fields",
		"keys:\n - name: a\n   name: b": "line 3: mapping key \"name\" already defined at line 2",
		"keys:\n - nam: a\n   digest: " + digestA + "\n   preset: admin":                                                                              "line 2, keys[0].nam: no such field: did you mean name?",
		"keys:\n - name: a\n   digest: x\n   preset: admin":                                                                                           "line 3, keys[0].digest: invalid key digest",
		"keys:\n - name: 7\n   digest: " + digestA + "\n   preset: admin":                                                                             "line 2, keys[0].name: must be text: put it in quotes",
		"keys:\n - name: a\n   digest: " + digestA + "\n   scopes: admin":                                                                             "line 4, keys[0].scopes: must be a list",
		"keys:\n - name: a\n   digest: " + digestA + "\n   preset: admin\n   limits:\n    - {on: ingest, unit: requests, max: 1.5, window: 1h}":       "line 6, keys[0].limits[0].max: must be a whole number",
		"keys:\n - name: a\n   digest: " + digestA + "\n   preset: admin\n   limits:\n    - {on: ingest, unit: requests, max: 1, window: 1h, per: x}": "line 6, keys[0].limits[0].per: no such field",
		"keys:\n - name: a\n   digest: " + digestA + "\n   preset: admin\n   limits:\n    - {on: all, unit: requests, max: 1, window: 1h}":            "line 6, keys[0].limits[0].on: unknown traffic \"all\"",
		"keys:\n - name: a\n   digest: " + digestA + "\n   preset: admin\n   expires_at: soon":                                                        "line 5, keys[0].expires_at: must be a time such as",
		"keys:\n - name: a\n   digest: " + key + "\n   preset: admin":                                                                                 "line 2, keys[0]: holds an API key: put its digest in its place",
		"keys:\n - name: a\n   digest: ${env:DIGEST}\n   preset: admin":                                                                               "line 2, keys[0]: holds \"${env:DIGEST}\": gatectl expands no variables",
		"users:\n - email: a@b.c\n   active: 1":                                                                                                       "line 3, users[0].active: must be true or false",
		"users:\n - email: a@b.c\n - email: A@b.c":                                                                                                    "line 3, users[1]: ",
		"extensions: {}":                         "line 1: no extension is of the type apikeyauth",
		"extensions:\n  apikeyauth:":             "line 2: the extension apikeyauth declares nothing",
		"extensions:\n  apikeyauth: {admin: {}}": "line 2: declares nothing",
		"extensions:\n  apikeyauth: {keys: []}\n  apikeyauth/b: {keys: []}": "the file has several extensions of the type apikeyauth: apikeyauth, apikeyauth/b",
	} {
		_, err := parseDeclared([]byte(content), "")
		require.ErrorContains(t, err, want, content)
		assert.NotContains(t, err.Error(), key)
	}
	_, err := parseDeclared([]byte("keys: []"), "apikeyauth")
	require.ErrorContains(t, err, "the file is no configuration of a collector")
	_, err = parseDeclared([]byte("extensions: {apikeyauth: {keys: []}}"), "apikeyauth/b")
	require.ErrorContains(t, err, `--extension "apikeyauth/b": the file has no such extension`)
	d, err := parseDeclared([]byte("extensions: {apikeyauth: {keys: []}, apikeyauth/b: {users: []}}"), "apikeyauth/b")
	require.NoError(t, err)
	assert.Empty(t, d.document.Keys)
}

func TestPlacesOfTheRequestAreFoundInTheFile(t *testing.T) {
	t.Parallel()
	d, err := parseDeclared([]byte(declaredFile), "")
	require.NoError(t, err)
	for pointer, want := range map[string]string{
		"/keys/0/allowedIps/0":    "line 11, keys[0].allowed_ips[0]",
		"/keys/0/ownerId":         "line 5, keys[0].owner_id",
		"/keys/0/limits/0/window": "line 10, keys[0].limits[0].window",
		"/users/0":                "line 2, users[0]",
		"/":                       "line 1",
		"body":                    "body",
	} {
		assert.Equal(t, want, d.placeText(pointer), pointer)
	}
}

func TestChangesReadLikeADiff(t *testing.T) {
	t.Parallel()
	r := client.ApplyResult{Unchanged: 5, Changes: []client.AppliedChange{
		{Action: "create", Kind: "key", ID: "key_a", Name: "edge\x1b", Fields: map[string]client.AuditChange{"name": {To: "edge"}}},
		{Action: "update", Kind: "user", ID: "user_a", Name: "Ada", Fields: map[string]client.AuditChange{
			"role": {From: "member", To: "admin"}, "email": {From: "a@b.c"}, "active": {From: true, To: false},
		}},
		{Action: "update", Kind: "key", ID: "key_b", Name: "b", Fields: map[string]client.AuditChange{"scopes": {From: []any{"a"}, To: []any{"a", "b"}}}},
		{Action: "restore", Kind: "key", ID: "key_c", Name: "c"},
		{Action: "withdraw", Kind: "key", ID: "key_d", Name: "d"},
	}}
	var lines []string
	for i := range r.Changes {
		lines = append(lines, changeLine(&r.Changes[i], false))
	}
	assert.Equal(t, []string{
		`+ key edge\x1b (key_a)`,
		"~ user Ada (user_a)  active: true → false, email: a@b.c → none, role: member → admin",
		"~ key b (key_b)  scopes: [a] → [a b]",
		"+ key c (key_c)  restored",
		"- key d (key_d)  withdrawn",
	}, lines)
	assert.Equal(t, "\x1b[31m- key d (key_d)  withdrawn\x1b[0m", changeLine(&r.Changes[4], true))
	assert.Equal(t, "1 created, 2 changed, 1 restored, 1 withdrawn, 5 unchanged", appliedSummary(&r))
	r.DryRun = true
	assert.Equal(t, "would be: 1 created, 2 changed, 1 restored, 1 withdrawn, 5 unchanged", appliedSummary(&r))
	assert.Equal(t, "a, b, c, d, e and 1 more", someOf([]string{"a", "b", "c", "d", "e", "f"}))
}

func FuzzParseDeclared(f *testing.F) {
	f.Add([]byte(declaredFile))
	f.Add([]byte("extensions: {apikeyauth: {keys: [&a {name: x, digest: y}, *a, {<<: *a}]}}"))
	f.Add([]byte("keys:\n - name: px_live_000000000000000000000000000000000000"))
	f.Fuzz(func(t *testing.T, content []byte) {
		d, err := parseDeclared(content, "")
		if err != nil {
			require.False(t, anyKey.MatchString(err.Error()))
			return
		}
		body, err := json.Marshal(d.document)
		require.NoError(t, err)
		require.False(t, anyKey.Match(body))
	})
}
