package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/credential"
)

func TestPrintableLeavesNothingThatControlsTheTerminal(t *testing.T) {
	t.Parallel()
	for hostile, want := range map[string]string{
		"plain äöü 日本 🚀":    "plain äöü 日本 🚀",
		"\x1b[31mred":       `\x1b[31mred`,
		"bell\a\b\r\n\ttab": `bell\a\b\r\n\ttab`,
		"c1\u009b31m":       `c1\u009b31m`,
		"bidi\u202etxt":     `bidi\u202etxt`,
		"zero\u200bwidth":   `zero\u200bwidth`,
		"bad\xff":           `bad\xff`,
		"line\u2028sep":     `line\u2028sep`,
	} {
		assert.Equal(t, want, printable(hostile))
	}
}

func TestEscapedJSONHasTheSameValue(t *testing.T) {
	t.Parallel()
	value := map[string]string{"a": "\x1b[2J\u009b\u202e\U000e0001 ä 🚀"}
	body, err := json.Marshal(value)
	require.NoError(t, err)
	escaped := escapeJSON(string(body))
	assert.NotContains(t, escaped, "\u202e")
	assert.NotContains(t, escaped, "\u009b")
	assert.NotContains(t, escaped, "\U000e0001")
	var got map[string]string
	require.NoError(t, json.Unmarshal([]byte(escaped), &got))
	assert.Equal(t, value, got)
}

func TestGridAligns(t *testing.T) {
	t.Parallel()
	rows := [][]cell{heading("ID", "NAME"), {text("a"), text("größer")}, {text("abc\x1b"), {text: "x", color: red}}}
	assert.Equal(t, "ID       NAME\na        größer\nabc\\x1b  x\n", grid(rows, false))
	assert.Equal(t, "\x1b[1mID\x1b[0m       \x1b[1mNAME\x1b[0m\na        größer\nabc\\x1b  \x1b[31mx\x1b[0m\n", grid(rows, true))
}

func TestNoColorsOffTheTerminal(t *testing.T) {
	t.Parallel()
	p := program{stdout: &bytes.Buffer{}, getenv: func(string) string { return "" }}
	assert.False(t, p.colored())
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer null.Close()
	p.stdout = null
	assert.False(t, p.colored(), "the null device is no terminal")
}

func TestShortScopes(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "admin", shortScopes([]client.Scope{"admin"}))
	assert.Equal(t, "traces:write", shortScopes([]client.Scope{"traces:write"}))
	assert.Equal(t, "a, b +2", shortScopes([]client.Scope{"a", "b", "c", "d"}))
}

func TestClosest(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"trace:write": "traces:write", "traces:wirte": "traces:write", "amdin": "admin", "log:read": "logs:read",
		"nonsense": "", "": "",
	} {
		got, _ := closest(word, scopeNames())
		assert.Equal(t, want, got, word)
	}
}

// fullDisk fails every write.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// A secret that could not be shown is lost, and its key must not be forgotten.
func TestSecretThatCouldNotBeShownIsReported(t *testing.T) {
	t.Parallel()
	secret := credential.Format{}.Mint(credential.Live).Reveal()
	p := program{stdout: fullDisk{}}
	key := client.Key{ID: "key_x", Key: &secret}
	err := p.showSecret(&showFlags{quiet: true, output: &choice{}}, secretMade{verb: "created", key: &key})
	var f *failure
	require.ErrorAs(t, err, &f)
	assert.Equal(t, exitRefused, f.exit)
	assert.Contains(t, f.text, "created key_x but could not show its secret")
	assert.Contains(t, f.hint, "gatectl keys revoke key_x")
	assert.NotContains(t, f.text+f.hint, secret)
}

func TestNoMessageHoldsAKey(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"px", "acme2"} {
		secret := credential.Format{Prefix: prefix}.Mint(credential.Sys).Reveal()
		var stderr bytes.Buffer
		p := program{stderr: &stderr}
		p.report(refuse(secret, "in the middle%sof words", secret))
		p.warn("%s", secret)
		assert.NotContains(t, stderr.String(), secret)
		assert.NotContains(t, stderr.String(), secret[len(secret)-36:])
		assert.Equal(t, 3, strings.Count(stderr.String(), prefix+"_sys_…"))
	}
}
