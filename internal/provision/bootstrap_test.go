package provision

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

func TestTheFirstStartMintsAnAdministratorsKeyIntoAPrivateFile(t *testing.T) {
	s, directory := open(t)
	out, err := bootstrap(s, directory).Run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(directory, "admin.key"), out.KeyFile)

	info, err := os.Stat(out.KeyFile)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	key := opens(t, s, readKey(t, out.KeyFile))
	assert.Equal(t, identity.SystemKey, key.Type)
	assert.Equal(t, identity.AdminRole, key.Role)
	assert.Equal(t, []identity.Scope{identity.Admin}, key.Scopes)
	assert.Equal(t, "enterprise", key.Plan)

	admin, err := s.User(t.Context(), store.BuiltinUserID)
	require.NoError(t, err)
	assert.Equal(t, identity.AdminRole, admin.Role)
	assert.True(t, admin.Enabled())
}

func TestLaterStartsChangeNothing(t *testing.T) {
	s, directory := open(t)
	first, err := bootstrap(s, directory).Run(t.Context())
	require.NoError(t, err)
	require.NoError(t, os.Remove(first.KeyFile), "operators are told to delete it")
	for range 2 {
		out, err := bootstrap(s, directory).Run(t.Context())
		require.NoError(t, err)
		assert.Equal(t, Outcome{}, out)
	}
	assert.NoFileExists(t, first.KeyFile)
	page, err := s.ListAudit(t.Context(), store.AuditFilter{}, store.Page{})
	require.NoError(t, err)
	assert.Len(t, page.Records, 2)
}

func TestAnInterruptedFirstStartIsCompleted(t *testing.T) {
	t.Run("after the file was written", func(t *testing.T) {
		s, directory := open(t)
		secret := credential.Format{}.Mint(credential.Sys)
		path := filepath.Join(directory, AdminKeyFile)
		require.NoError(t, writeSecretFile(path, secret))
		require.NoError(t, os.Chmod(path, 0o644)) // #nosec G302 -- as a careless copy would be
		_, err := bootstrap(s, directory).Run(t.Context())
		require.NoError(t, err)
		assert.True(t, opens(t, s, secret.Reveal()).Bootstrap)
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	})
	t.Run("after the key was recorded", func(t *testing.T) {
		s, directory := open(t)
		_, err := bootstrap(s, directory).mintKey(t.Context())
		require.NoError(t, err)
		before := readKey(t, filepath.Join(directory, AdminKeyFile))
		_, err = bootstrap(s, directory).Run(t.Context())
		require.NoError(t, err)
		assert.Equal(t, before, readKey(t, filepath.Join(directory, AdminKeyFile)))
		_, err = s.User(t.Context(), store.BuiltinUserID)
		assert.NoError(t, err)
	})
}

func TestNoKeyIsRecordedThatNobodyHolds(t *testing.T) {
	s, directory := open(t)
	_, err := bootstrap(s, filepath.Join(directory, "gone")).Run(t.Context())
	require.ErrorContains(t, err, AdminKeyFile)
	page, err := s.ListKeys(t.Context(), store.KeyFilter{}, store.Page{})
	require.NoError(t, err)
	assert.Empty(t, page.Keys)
}

func TestAConfiguredKeyOpensAndNoFileIsWritten(t *testing.T) {
	s, directory := open(t)
	b := bootstrap(s, directory)
	b.AdminKey = credential.Format{}.Mint(credential.Sys).Reveal()
	for range 2 {
		out, err := b.Run(t.Context())
		require.NoError(t, err)
		assert.Equal(t, Outcome{}, out)
	}
	assert.True(t, opens(t, s, b.AdminKey).Bootstrap)
	assert.NoFileExists(t, filepath.Join(directory, AdminKeyFile))
}

func TestChangingTheConfiguredKeyReplacesTheSecret(t *testing.T) {
	s, directory := open(t)
	b := bootstrap(s, directory)
	first := credential.Format{}.Mint(credential.Sys)
	b.AdminKey = first.Reveal()
	_, err := b.Run(t.Context())
	require.NoError(t, err)
	id := opens(t, s, b.AdminKey).ID
	other, otherSecret := newKey("another system key, and newer")
	other.CreatedAt = now.Add(time.Hour)
	_, err = s.CreateKey(t.Context(), other, store.Audit{Time: now, Action: "test", Target: other.ID})
	require.NoError(t, err)

	b.AdminKey = credential.Format{}.Mint(credential.Sys).Reveal()
	_, err = b.Run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, id, opens(t, s, b.AdminKey).ID)
	assert.Equal(t, other.ID, opens(t, s, otherSecret.Reveal()).ID)
	_, err = s.KeyByDigest(t.Context(), store.Digest(first.Digest()))
	assert.ErrorIs(t, err, store.ErrNotFound)
}

func TestAConfiguredKeyThatHasEndedStaysSoAndIsReported(t *testing.T) {
	for name, end := range map[string]func(*store.Key){
		"revoked": func(k *store.Key) { k.RevokedAt = now },
		"expired": func(k *store.Key) { k.ExpiresAt = now },
	} {
		t.Run(name, func(t *testing.T) {
			s, directory := open(t)
			b := bootstrap(s, directory)
			b.AdminKey = credential.Format{}.Mint(credential.Sys).Reveal()
			_, err := b.Run(t.Context())
			require.NoError(t, err)
			ended, err := s.UpdateKey(t.Context(), opens(t, s, b.AdminKey).ID, func(k *store.Key) (store.Audit, error) {
				end(k)
				return store.Audit{Time: now, Action: "test", Target: k.ID}, nil
			})
			require.NoError(t, err)
			out, err := b.Run(t.Context())
			require.NoError(t, err)
			assert.True(t, out.AdminKeyUnusable)

			// A new one brings the administrator back, as another key.
			b.AdminKey = credential.Format{}.Mint(credential.Sys).Reveal()
			_, err = b.Run(t.Context())
			require.NoError(t, err)
			back := opens(t, s, b.AdminKey)
			assert.Equal(t, store.Active, back.StatusAt(now, nil))
			assert.NotEqual(t, ended.ID, back.ID)
		})
	}
}

func TestABadAdminKeyIsAClearErrorWithoutTheKey(t *testing.T) {
	live := credential.Format{}.Mint(credential.Live).Reveal()
	for name, tt := range map[string]struct{ text, want string }{
		"not a key":  {"hunter2hunter2", "bootstrap key"},
		"a user key": {live, "must be a system key"},
	} {
		t.Run(name, func(t *testing.T) {
			s, directory := open(t)
			b := bootstrap(s, directory)
			b.AdminKey = tt.text
			_, err := b.Run(t.Context())
			require.ErrorContains(t, err, tt.want)
			assert.NotContains(t, err.Error(), tt.text)
		})
	}
	t.Run("a broken file", func(t *testing.T) {
		s, directory := open(t)
		path := filepath.Join(directory, AdminKeyFile)
		require.NoError(t, os.WriteFile(path, []byte("hunter2hunter2"), 0o600))
		_, err := bootstrap(s, directory).Run(t.Context())
		require.ErrorContains(t, err, path)
		assert.ErrorContains(t, err, "delete the file")
		assert.NotContains(t, err.Error(), "hunter2")
	})
}

// rotate does what a rotation through the API does: the newest secret gets a
// grace period, and digests that are dropped are remembered.
func rotate(t *testing.T, s store.Store, id string, grace time.Duration) (fresh credential.Secret) {
	t.Helper()
	fresh = credential.Format{}.Mint(credential.Sys)
	_, err := s.UpdateKey(t.Context(), id, func(k *store.Key) (store.Audit, error) {
		old := k.Secrets[0]
		old.ExpiresAt = now.Add(grace)
		dropped := k.Secrets[1:]
		k.Secrets = []store.Secret{newSecret(fresh, now), old}
		if grace == 0 {
			k.Secrets, dropped = k.Secrets[:1], append([]store.Secret{old}, dropped...)
		}
		var digests []store.Digest
		for _, d := range dropped {
			digests = append(digests, d.Digest)
		}
		k.Retired = append(digests, k.Retired...)
		return store.Audit{Time: now, Action: "key.rotate", Target: id}, nil
	})
	require.NoError(t, err)
	return fresh
}

func TestAConfiguredKeyThatWasRotatedDoesNotComeBack(t *testing.T) {
	revoke := func(t *testing.T, s store.Store, id string) {
		_, err := s.UpdateKey(t.Context(), id, func(k *store.Key) (store.Audit, error) {
			k.RevokedAt = now
			return store.Audit{Time: now, Action: "key.revoke", Target: id}, nil
		})
		require.NoError(t, err)
	}
	for name, tt := range map[string]struct {
		change func(t *testing.T, s store.Store, id string)
		want   Outcome
	}{
		"in its grace period":      {func(t *testing.T, s store.Store, id string) { rotate(t, s, id, time.Hour) }, Outcome{AdminKeyReplaced: true}},
		"after its grace period":   {func(t *testing.T, s store.Store, id string) { rotate(t, s, id, -time.Hour) }, Outcome{AdminKeyReplaced: true}},
		"without a grace period":   {func(t *testing.T, s store.Store, id string) { rotate(t, s, id, 0) }, Outcome{AdminKeyReplaced: true}},
		"after several rotations":  {func(t *testing.T, s store.Store, id string) { rotate(t, s, id, time.Hour); rotate(t, s, id, time.Hour) }, Outcome{AdminKeyReplaced: true}},
		"and then revoked":         {func(t *testing.T, s store.Store, id string) { rotate(t, s, id, 0); revoke(t, s, id) }, Outcome{AdminKeyUnusable: true}},
		"and then revoked, graced": {func(t *testing.T, s store.Store, id string) { rotate(t, s, id, time.Hour); revoke(t, s, id) }, Outcome{AdminKeyUnusable: true}},
		"and superseded by another": {func(t *testing.T, s store.Store, id string) {
			rotate(t, s, id, 0)
			revoke(t, s, id)
			b := bootstrap(s, "")
			b.AdminKey = credential.Format{}.Mint(credential.Sys).Reveal()
			_, err := b.Run(t.Context())
			require.NoError(t, err)
		}, Outcome{AdminKeyUnusable: true}},
	} {
		t.Run(name, func(t *testing.T) {
			onBackends(t, func(t *testing.T, s store.Store) {
				b := bootstrap(s, "")
				b.AdminKey = credential.Format{}.Mint(credential.Sys).Reveal()
				_, err := b.Run(t.Context())
				require.NoError(t, err)
				tt.change(t, s, opens(t, s, b.AdminKey).ID)
				keys, written := snapshot(t, s), len(auditLog(t, s))

				out, err := b.Run(t.Context())
				require.NoError(t, err)
				assert.Equal(t, tt.want, out)
				assert.Equal(t, keys, snapshot(t, s))
				assert.Len(t, auditLog(t, s), written)
			})
		})
	}
}

func TestTheNewestSecretOfARotatedKeyMayBeConfigured(t *testing.T) {
	onBackends(t, func(t *testing.T, s store.Store) {
		b := bootstrap(s, "")
		b.AdminKey = credential.Format{}.Mint(credential.Sys).Reveal()
		_, err := b.Run(t.Context())
		require.NoError(t, err)
		b.AdminKey = rotate(t, s, opens(t, s, b.AdminKey).ID, time.Hour).Reveal()
		out, err := b.Run(t.Context())
		require.NoError(t, err)
		assert.Equal(t, Outcome{}, out)
	})
}

func TestASecretThatTheConfigurationReplacedDoesNotComeBack(t *testing.T) {
	onBackends(t, func(t *testing.T, s store.Store) {
		first, second := credential.Format{}.Mint(credential.Sys).Reveal(), credential.Format{}.Mint(credential.Sys).Reveal()
		b := bootstrap(s, "")
		for _, b.AdminKey = range []string{first, second} {
			_, err := b.Run(t.Context())
			require.NoError(t, err)
		}
		b.AdminKey = first
		out, err := b.Run(t.Context())
		require.NoError(t, err)
		assert.Equal(t, Outcome{AdminKeyReplaced: true}, out)
		assert.Len(t, opens(t, s, second).Secrets, 1, "the other one stays")
	})
}

func TestFormerSecretsAreRememberedNewestFirstAndBounded(t *testing.T) {
	s, directory := open(t)
	b := bootstrap(s, directory)
	var digests []store.Digest
	for range store.MaxRetired + 5 {
		secret := credential.Format{}.Mint(credential.Sys)
		b.AdminKey = secret.Reveal()
		_, err := b.Run(t.Context())
		require.NoError(t, err)
		digests = append([]store.Digest{store.Digest(secret.Digest())}, digests...)
	}
	assert.Equal(t, digests[1:store.MaxRetired+1], opens(t, s, b.AdminKey).Retired)
}

func TestTwoCollectorsThatReplaceTheSecretAtOnceDoItOnce(t *testing.T) {
	onBackends(t, func(t *testing.T, s store.Store) {
		b := bootstrap(s, "")
		b.AdminKey = credential.Format{}.Mint(credential.Sys).Reveal()
		_, err := b.Run(t.Context())
		require.NoError(t, err)
		id := opens(t, s, b.AdminKey).ID
		fresh := credential.Format{}.Mint(credential.Sys)
		for range 2 { // as if both had looked before either wrote
			out, err := b.replaceSecret(t.Context(), id, fresh)
			require.NoError(t, err)
			assert.Equal(t, Outcome{}, out)
		}
		assert.Len(t, opens(t, s, fresh.Reveal()).Retired, 1)
		assert.Len(t, auditLog(t, s), 3)
	})
}

func TestWhatTheFirstStartDoesIsInTheAuditLogWithoutSecrets(t *testing.T) {
	onBackends(t, func(t *testing.T, s store.Store) {
		b := bootstrap(s, "")
		for range 2 {
			b.AdminKey = credential.Format{}.Mint(credential.Sys).Reveal()
			_, err := b.Run(t.Context())
			require.NoError(t, err)
		}
		log := auditLog(t, s)
		require.Len(t, log, 3)
		assert.Equal(t, "key.rotate", log[0].Action)
		assert.Equal(t, []string{"secrets"}, fieldsOf(log[0].Changes))
		assert.Equal(t, "user.create", log[1].Action)
		assert.Equal(t, []string{"active", "name", "role"}, fieldsOf(log[1].Changes))
		assert.Equal(t, "key.create", log[2].Action)
		assert.Equal(t, []string{"description", "environment", "name", "plan", "role", "scopes", "secrets", "type"}, fieldsOf(log[2].Changes))
		requireNoSecret(t, s, b.AdminKey)
	})
}
