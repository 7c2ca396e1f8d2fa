package apikeyauthextension

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/declaration"
	"github.com/otlpgate/otlpgate/internal/store"
)

// startOnce starts an extension in the directory, does something with it and
// shuts it down.
func startOnce(t *testing.T, directory string, edit func(*Config), do func(*gateExtension)) *observer.ObservedLogs {
	t.Helper()
	e, logs := createIn(t, directory, edit)
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	if do != nil {
		do(e.(*gateExtension))
	}
	require.NoError(t, e.Shutdown(context.Background()))
	return logs
}

func TestDeclaredUsersAndKeysAreReconciledAtStart(t *testing.T) {
	directory := t.TempDir()
	key := declaration.Key{Name: "k", Digest: credential.Format{}.Mint(credential.Live).Digest().String(), Preset: "read-write", Type: "user", OwnerID: "ada"}
	both := func(c *Config) { c.Users, c.Keys = []declaration.User{{ID: "ada"}}, []declaration.Key{key} }
	counts := func(created, updated, restored, withdrawn int64) map[string]any {
		return map[string]any{"created": created, "updated": updated, "restored": restored, "withdrawn": withdrawn}
	}
	for _, step := range []struct {
		config      func(*Config)
		users, keys map[string]any
	}{
		{both, counts(1, 0, 0, 0), counts(1, 0, 0, 0)},
		{both, nil, nil},
		{func(*Config) {}, counts(0, 0, 0, 1), counts(0, 0, 0, 1)},
		{both, counts(0, 0, 1, 0), counts(0, 0, 1, 0)},
	} {
		logs := startOnce(t, directory, step.config, nil)
		for message, want := range map[string]map[string]any{"reconciled declared users": step.users, "reconciled declared keys": step.keys} {
			entries := logs.FilterMessage(message).All()
			if want == nil {
				assert.Empty(t, entries)
				continue
			}
			require.Len(t, entries, 1, message)
			assert.Equal(t, want, entries[0].ContextMap())
		}
	}
}

func TestAKeyOfAnUnknownUserKeepsTheCollectorFromStarting(t *testing.T) {
	e, _ := createIn(t, t.TempDir(), func(c *Config) {
		c.Keys = []declaration.Key{{Name: "k", Digest: credential.Format{}.Mint(credential.Live).Digest().String(), Preset: "admin", Type: "user", OwnerID: "ada"}}
	})
	err := e.Start(t.Context(), componenttest.NewNopHost())
	assert.EqualError(t, err, `reconcile declared users and keys: keys::0::owner_id: there is no user "ada": declare it under users, or create it first`)
}

func TestAnAdminKeyThatWasRotatedIsWarnedOf(t *testing.T) {
	directory := t.TempDir()
	minted := credential.Format{}.Mint(credential.Sys)
	config := func(c *Config) { c.Bootstrap.AdminKey = configopaque.String(minted.Reveal()) }
	const warning = "bootstrap::admin_key is a secret that was replaced by a rotation: configure the new one, or mint another with `gatectl keys mint`"
	logs := startOnce(t, directory, config, func(e *gateExtension) {
		key, err := e.store.KeyByDigest(t.Context(), store.Digest(minted.Digest()))
		require.NoError(t, err)
		_, err = e.store.UpdateKey(t.Context(), key.ID, func(k *store.Key) (store.Audit, error) {
			k.Retired = []store.Digest{k.Secrets[0].Digest}
			k.Secrets = []store.Secret{{Digest: store.Digest(credential.Format{}.Mint(credential.Sys).Digest())}}
			return store.Audit{Action: "key.rotate", Target: k.ID}, nil
		})
		require.NoError(t, err)
	})
	assert.Empty(t, logs.FilterMessage(warning).All())
	logs = startOnce(t, directory, config, nil)
	assert.Len(t, logs.FilterMessage(warning).All(), 1)
}
