package e2e

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/credential"
)

const someDigest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestBadConfigurationIsRefusedWithThePlaceTheValueAndTheRule(t *testing.T) {
	for name, tt := range map[string]struct {
		overlay string
		says    []string // place, value, rule
	}{
		"an unknown setting": {
			"extensions: {apikeyauth: {storag: {directory: x}}}",
			[]string{"extensions", "apikeyauth", "invalid keys: storag"},
		},
		"an unknown setting in a section": {
			"extensions: {apikeyauth: {cache: {max_key: 1}}}",
			[]string{"extensions", "apikeyauth", "cache", "invalid keys: max_key"},
		},
		"an unknown setting of the processor": {
			"processors: {apikey: {tags: span}}",
			[]string{"processors", "apikey", "invalid keys: tags"},
		},
		"a wrong type": {
			"extensions: {apikeyauth: {cache: {max_keys: many}}}",
			[]string{"extensions", "apikeyauth", "cache.max_keys", "int64"},
		},
		"a cache of nothing": {
			"extensions: {apikeyauth: {cache: {max_keys: 0}}}",
			[]string{"extensions::apikeyauth::cache", "max_keys: 0", "must be at least 1"},
		},
		"a bad prefix": {
			"extensions: {apikeyauth: {credentials: {prefix: Not_Good}}}",
			[]string{"extensions::apikeyauth::credentials", "prefix", `"Not_Good"`, "must be a lower-case letter"},
		},
		"a bad header": {
			"extensions: {apikeyauth: {credentials: {headers: ['not a header']}}}",
			[]string{"extensions::apikeyauth::credentials", "headers", `"not a header"`, "must be"},
		},
		"a bad proxy": {
			"extensions: {apikeyauth: {trusted_proxies: [10.0.0.0/99]}}",
			[]string{"extensions::apikeyauth", "trusted_proxies", `"10.0.0.0/99"`, "must be an IP address or a CIDR"},
		},
		"no directory": {
			"extensions: {apikeyauth: {storage: {directory: ''}}}",
			[]string{"extensions::apikeyauth::storage", "directory", "must not be empty"},
		},
		"an unknown plan": {
			"extensions: {apikeyauth: {default_plan: gold}}",
			[]string{"extensions::apikeyauth", "default_plan", `"gold"`, "must be one of"},
		},
		"a digest twice": {
			"extensions: {apikeyauth: {keys: [{name: a, digest: '" + someDigest + "', scopes: ['traces:write']}, {name: b, digest: '" + someDigest + "', scopes: ['logs:write']}]}}",
			[]string{"extensions::apikeyauth", "keys::1", "keys::0", "declare each key once"},
		},
		"a declared key with faults": {
			"extensions: {apikeyauth: {keys: [{digest: 'sha256:beef', scopes: ['traces:fly']}]}}",
			[]string{"extensions::apikeyauth::keys::0", "digest", "name: must not be empty", `"traces:fly"`},
		},
		"an unknown level": {
			"processors: {apikey: {tag: spam}}",
			[]string{"processors::apikey", "tag", `"spam"`, "must be span, resource or none"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := launch(t, options{overlay: tt.overlay})
			assert.NotZero(t, c.wait(t), "exit code of a start")
			overlay := filepath.Join(filepath.Dir(c.config), "overlay.yaml")
			validate := run(t, binary(t, "otlpgate"), "validate", "--feature-gates=service.profilesSupport", "--config", c.config, "--config", overlay)
			assert.NotZero(t, validate.wait(t), "exit code of validate")
			for _, part := range tt.says {
				assert.Contains(t, c.output.String(), part)
				assert.Contains(t, validate.output.String(), part)
			}
			assert.NoDirExists(t, c.storage, "nothing is made")
		})
	}
}

func TestABadBootstrapKeyIsRefusedWithoutRepeatingIt(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	for name, tt := range map[string]struct{ key, says string }{
		"a user's key":   {v.mint(credential.Live), "must be a system key"},
		"a broken key":   {v.keep(withBadChecksum(v.mint(credential.Sys))), "checksum"},
		"no key at all":  {v.keep("a-password-of-somebody"), "bootstrap::admin_key"},
		"another prefix": {v.keep(credential.Format{Prefix: "zz"}.Mint(credential.Sys).Reveal()), "bootstrap::admin_key"},
	} {
		c := launch(t, options{vault: v, overlay: "extensions: {apikeyauth: {bootstrap: {admin_key: '" + tt.key + "'}}}"})
		assert.NotZero(t, c.wait(t), name)
		assert.Contains(t, c.output.String(), tt.says, name)
	}
}

func TestTheConfiguredBootstrapKeyIsTheAdministrators(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	secret := v.mint(credential.Sys)
	c := start(t, options{vault: v, overlay: "extensions: {apikeyauth: {bootstrap: {admin_key: '" + secret + "'}}}"})
	assert.NoFileExists(t, filepath.Join(c.storage, "admin.key"), "no other is minted")
	c.admin.secret = secret
	assert.Equal(t, 200, sendProtobuf(t, c, traces, traces.request(), c.create(t).bearer()).http)
}

func TestAConfiguredBootstrapKeyThatWasRotatedDoesNotComeBack(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	secret := v.mint(credential.Sys)
	overlay := "extensions: {apikeyauth: {bootstrap: {admin_key: '" + secret + "'}}}"
	c := start(t, options{vault: v, overlay: overlay})
	c.admin.secret = secret
	id := c.whoami(t).ID
	fresh := c.rotate(t, key{id: id}, "0")
	for range 2 { // also where it is one of the key's two secrets no more
		c = c.restart(t, overlay)
		assert.Contains(t, c.output.String(), "replaced by a rotation")
		assert.Equal(t, 401, whoami(t, c, key{secret: secret}).status)
		c.admin.secret = fresh.secret
		assert.Equal(t, id, c.whoami(t).ID)
		fresh = c.rotate(t, key{id: id}, "0")
		c.admin.secret = fresh.secret
	}
}

func TestAnAddressThatIsTakenStopsTheStart(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for place, overlay := range map[string]string{
		"admin::endpoint": "extensions: {apikeyauth: {admin: {endpoint: '" + taken.Addr().String() + "'}}}",
		"otlp":            "receivers: {otlp: {protocols: {grpc: {endpoint: '" + taken.Addr().String() + "'}}}}",
	} {
		c := launch(t, options{overlay: overlay})
		assert.NotZero(t, c.wait(t), place)
		assert.Contains(t, c.output.String(), place)
		assert.Contains(t, c.output.String(), taken.Addr().String())
	}
}

func TestAStorageDirectoryThatCannotBeUsedStopsTheStart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, storage := range map[string]string{"a file": file, "below a file": filepath.Join(file, "data")} {
		c := launch(t, options{storage: storage})
		assert.NotZero(t, c.wait(t), name)
		assert.Contains(t, c.output.String(), "storage::directory", name)
		assert.Contains(t, c.output.String(), file, name)
	}
}
