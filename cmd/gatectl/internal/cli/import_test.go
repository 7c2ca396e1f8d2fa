package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/credential"
)

const (
	digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func parseImport(content string, parse func([]byte, *importParser) []importRow) ([]importRow, []string) {
	r := &importParser{now: noon}
	rows := parse([]byte(content), r)
	r.checkOnce(rows)
	var errs []string
	for _, e := range r.errs {
		errs = append(errs, rowsFailure("f", []rowError{e}).Error())
	}
	return rows, errs
}

func TestCSVBecomesKeys(t *testing.T) {
	t.Parallel()
	rows, errs := parseImport(strings.Join([]string{
		" Name ,digest,hint,description,type,environment,owner,role,scopes,preset,projects,plan,allowed_ips,expires_at",
		"a," + digestA + ",px_live_4kTz…9aQe,\"two,\nlines\",user,test,ada@example.com,,traces:write logs:write,,x; y ;,pro,10.0.0.0/8;::1,2027-01-31",
		"",
		"b," + strings.ToUpper(digestB[7:]) + ",,,,,,,,read-only,,,,",
		"c," + digestB + ",,,system,,,viewer,,read-only,,,,2027-01-31T12:00:00+02:00",
	}, "\n"), parseCSV)
	assert.Equal(t, []string{"import f: 1 mistake, nothing was imported\n  line 5: digest: invalid key digest of 64 characters: must be sha256:<64 hex digits>, the SHA-256 of the whole key and not the key itself"}, errs)
	require.Len(t, rows, 2)
	assert.Equal(t, []int{2, 6}, []int{rows[0].line, rows[1].line})
	body, err := json.Marshal(rows[0].key)
	require.NoError(t, err)
	assert.JSONEq(t, `{"name":"a","digest":"`+digestA+`","hint":"px_live_4kTz…9aQe","description":"two,\nlines","type":"user","environment":"test",
		"ownerId":"ada@example.com","scopes":["traces:write","logs:write"],"projects":["x","y"],"plan":"pro","allowedIps":["10.0.0.0/8","::1"],
		"expiresAt":"2027-01-31T23:59:59Z"}`, string(body))
	body, err = json.Marshal(rows[1].key)
	require.NoError(t, err)
	assert.JSONEq(t, `{"name":"c","digest":"`+digestB+`","type":"system","role":"viewer","preset":"read-only","expiresAt":"2027-01-31T10:00:00Z"}`, string(body))
}

func TestCSVMistakesAreToldWithTheirLine(t *testing.T) {
	t.Parallel()
	key := credential.Format{}.Mint(credential.Live).Reveal()
	for content, want := range map[string]string{
		"name,digest,owners\n":                      "line 1: no such column: \"owners\": did you mean owner?",
		"name,digest,colour\n":                      "line 1: no such column: \"colour\": known are name, digest, hint, ",
		"name,digest,name\n":                        "line 1: the column name stands twice",
		"name,scopes\na,traces:write\n":             "line 1: the column digest is missing",
		"name,digest,preset\na," + digestA + "\n":   "line 2: has 2 values, and the first line 3",
		"name,digest,preset\na," + key + ",admin\n": "line 2: holds an API key: put its digest in its place",
		key + "\n": "line 1: holds an API key",
		"name,digest,preset\n ," + digestA + ",admin\n":                                                      "line 2: name: must not be empty",
		"name,digest,preset\na,,admin\n":                                                                     "line 2: digest: is required",
		"name,digest,preset\na,hunter2,admin\n":                                                              "line 2: digest: invalid key digest of 7 characters: must be sha256:",
		"name,digest,preset\na," + digestA + ",\n":                                                           "line 2: scopes: set either scopes or preset, and not both",
		"name,digest,preset\na," + digestA + ",all\n":                                                        "line 2: preset: unknown preset \"all\"",
		"name,digest,scopes\na," + digestA + ",trace:write\n":                                                "line 2: scopes \"trace:write\": must be one of traces:read",
		"name,digest,preset,expires_at\na," + digestA + ",admin,soon\n":                                      "line 2: expires_at \"soon\": must be a day such as",
		"name,digest,preset,expires_at\na," + digestA + ",admin,2020-01-01\n":                                "line 2: expires_at 2020-01-01T23:59:59Z: must be in the future",
		"name,digest,preset\na," + digestA + ",admin\nb,SHA256:" + digestA[7:] + ",admin\n":                  "line 3: digest: invalid",
		"name,digest,preset\na," + digestA + ",admin\nb,sha256:" + strings.ToUpper(digestA[7:]) + ",admin\n": "line 3: digest: is that of line 2",
		"name,digest\n\"a": "line 2: is no CSV: ",
	} {
		_, errs := parseImport(content, parseCSV)
		require.Len(t, errs, 1, content)
		assert.Contains(t, errs[0], want)
		assert.NotContains(t, errs[0], key)
		assert.NotContains(t, errs[0], "hunter2")
	}
}

func TestJSONBecomesKeys(t *testing.T) {
	t.Parallel()
	rows, errs := parseImport("[\n {\"name\": \"a\", \"digest\": \""+digestA+"\", \"preset\": \"admin\", \"limits\": [{\"on\": \"ingest\", \"unit\": \"items\", \"max\": 5, \"window\": \"1h\"}]},\n\n {\"name\": \"b\",\n  \"digest\": \""+digestB+"\", \"scopes\": [\"traces:write\"]}\n]\n", parseJSON)
	assert.Empty(t, errs)
	require.Len(t, rows, 2)
	assert.Equal(t, []int{2, 4}, []int{rows[0].line, rows[1].line})
	assert.EqualValues(t, 5, rows[0].key.Limits[0].Max)
	assert.Equal(t, "b", rows[1].key.Name)
}

func TestJSONMistakesAreToldWithTheirLine(t *testing.T) {
	t.Parallel()
	key := credential.Format{}.Mint(credential.Live).Reveal()
	for content, want := range map[string]string{
		`{"name": "a"}`:          "line 1: is no list of objects: must begin with [",
		"[\n1]":                  "line 2: must be an object",
		"[\n{\"name\": 1}]":      "line 2: name: must not be of type number",
		"[\n\n{\"nam\": \"a\"}]": "line 3: no such field: \"nam\"",
		"[\n{\"name\": \"a\", \"digest\": \"" + key + "\"}]":                                                 "line 2: holds an API key",
		"[\n{\"name\": \"\\u0070" + key[1:] + "\", \"digest\": \"" + digestA + "\", \"preset\": \"admin\"}]": "line 2: holds an API key",
		"[\n{\"name\": \"a\", \"preset\": \"admin\"}]":                                                       "line 2: digest: is required",
		"[\n{\"name\": \"a\", \"digest\": \"x\", \"preset\": \"admin\", \"expiresAt\": \"soon\"}]":           "line 2: holds a time that is not as in RFC 3339",
		"[\n{\"name\": }]":  "line 2: is no JSON: invalid character '}'",
		"[\n{\"name\": \"a": "line 2: is no JSON: it is cut off",
		"[]\n[]":            "line 2: something follows the list",
		"[\n":               "line 2: the list does not end",
	} {
		_, errs := parseImport(content, parseJSON)
		require.Len(t, errs, 1, content)
		assert.Contains(t, errs[0], want)
		assert.NotContains(t, errs[0], key)
	}
}

func TestManyMistakesAreCounted(t *testing.T) {
	t.Parallel()
	_, errs := parseImport("name,digest\n"+strings.Repeat("a,b\n", 1), parseCSV)
	assert.Len(t, errs, 2)
	many := make([]rowError, 30)
	err := rowsFailure("f", many)
	require.ErrorContains(t, err, "30 mistakes, nothing was imported")
	require.ErrorContains(t, err, "\n  and 10 more")
}

// fuzzImport checks what holds of every file: nothing is sent that was not
// checked, and nothing that is told holds a key.
func fuzzImport(f *testing.F, parse func([]byte, *importParser) []importRow) {
	f.Helper()
	f.Fuzz(func(t *testing.T, content []byte) {
		r := &importParser{now: noon}
		for _, row := range parse(content, r) {
			if len(r.errs) > 0 {
				break
			}
			require.NotEmpty(t, strings.TrimSpace(row.key.Name))
			require.NotNil(t, row.key.Digest)
			require.Positive(t, row.line)
			require.LessOrEqual(t, row.line, 1+strings.Count(string(content), "\n"))
			body, err := json.Marshal(row.key)
			require.NoError(t, err)
			require.False(t, anyKey.Match(body))
		}
		for _, e := range r.errs {
			require.False(t, anyKey.MatchString(e.text))
			require.Positive(t, e.line)
		}
	})
}

func FuzzParseImportCSV(f *testing.F) {
	f.Add([]byte("name,digest,preset\na," + digestA + ",admin\n"))
	f.Add([]byte("name,digest,scopes,projects,expires_at\n\"a\nb\"," + digestA + ",traces:write,x;y,2027-01-31\n"))
	f.Add([]byte("name,digest\na,px_live_000000000000000000000000000000000000\n"))
	fuzzImport(f, parseCSV)
}

func FuzzParseImportJSON(f *testing.F) {
	f.Add([]byte(`[{"name":"a","digest":"` + digestA + `","preset":"admin"}]`))
	f.Add([]byte("[\n{\"name\":\"a\",\"digest\":\"" + digestA + "\",\"scopes\":[\"traces:write\"],\"expiresAt\":\"2027-01-31T00:00:00Z\"},\n{}]"))
	f.Add([]byte(`[{"name":"px_live_000000000000000000000000000000000000"}`))
	fuzzImport(f, parseJSON)
}
