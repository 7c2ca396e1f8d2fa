package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/credential"
)

func mint(prefix string) string {
	return credential.Format{Prefix: prefix}.Mint(credential.Sys).Reveal()
}

func TestKeySourcePrecedence(t *testing.T) {
	t.Parallel()
	fromFile, fromStdin, fromEnvironment, fromDirectory := mint("px"), mint("px"), mint("acme"), mint("px")
	dir := t.TempDir()
	named := filepath.Join(dir, "named.key")
	require.NoError(t, os.WriteFile(named, []byte(" "+fromFile+"\r\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, adminKeyFile), []byte(fromDirectory+"\n"), 0o600))

	variables := map[string]string{}
	var stderr bytes.Buffer
	p := program{stdin: strings.NewReader(fromStdin), stderr: &stderr, getenv: func(name string) string { return variables[name] }}
	found := func() string {
		t.Helper()
		key, err := p.callerKey(false)
		require.NoError(t, err)
		assert.NotContains(t, key.source, key.secret.Reveal())
		return key.secret.Reveal()
	}

	variables[dataDirVariable] = dir
	assert.Equal(t, fromDirectory, found(), "the directory of the environment")
	variables[dataDirVariable], p.flags.dataDir = "nowhere", dir
	assert.Equal(t, fromDirectory, found(), "--data-dir goes before it")
	variables[keyVariable] = fromEnvironment
	assert.Equal(t, fromEnvironment, found(), "the environment goes before the directory")
	p.flags.keyFile = named
	assert.Equal(t, fromFile, found(), "--key-file goes first")
	p.flags.keyFile = "-"
	assert.Equal(t, fromStdin, found(), "- is standard input")
	assert.Empty(t, stderr.String())
}

// The key of the local otlpgate must not reach another only because a URL was
// set.
func TestLocalKeyIsNotForOtherMachines(t *testing.T) {
	t.Parallel()
	p := program{stderr: &bytes.Buffer{}, getenv: func(string) string { return "" }}
	_, err := p.callerKey(true)
	require.ErrorContains(t, err, "on this machine alone")
}

func TestParseCallerKeyNeverRepeatsTheText(t *testing.T) {
	t.Parallel()
	key := mint("px")
	for _, text := range []string{"hunter2", "hunter2_sys_x", "Hunter2_x", "_hunter2", key + "hunter2", key[:len(key)-1], key + "\n" + key, "Bearer " + key} {
		_, err := parseCallerKey(text, "there")
		var f *failure
		require.ErrorAs(t, err, &f, text)
		assert.NotContains(t, f.text+f.hint, "unter2")
		assert.NotContains(t, f.text+f.hint, key[8:20])
		assert.Contains(t, f.text, "there")
	}
}

func TestAdminURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"http://localhost:4319":            "http://localhost:4319",
		"http://localhost:4319/":           "http://localhost:4319",
		"https://gate.example.com/api/v1":  "https://gate.example.com",
		"https://example.com/gate/api/v1/": "https://example.com/gate",
	} {
		got, err := parseAdminURL(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got.String(), text)
	}
}

func TestPlaintextIsForLoopbackOnly(t *testing.T) {
	t.Parallel()
	for text, allowed := range map[string]bool{
		"http://localhost:4319": true, "http://LOCALHOST": true, "http://127.0.0.1:4319": true, "http://127.9.9.9": true,
		"http://[::1]:4319": true, "http://[::ffff:127.0.0.1]": true, "https://gate.example.com": true,
		"http://gate.example.com": false, "http://10.0.0.1": false, "http://0.0.0.0": false, "http://localhost.example.com": false,
		"http://127.0.0.1.example.com": false,
	} {
		target, err := parseAdminURL(text)
		require.NoError(t, err)
		var flags connectionFlags
		assert.Equal(t, allowed, flags.checkPlaintext(target) == nil, text)
		flags.allowPlaintext = true
		assert.NoError(t, flags.checkPlaintext(target), text)
	}
}
