package provision

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/badgerstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

func open(t *testing.T) (store.Store, string) {
	t.Helper()
	directory := t.TempDir()
	s, err := badgerstore.Open(t.Context(), badgerstore.Options{Directory: directory})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, directory
}

func bootstrap(s store.Store, directory string) Bootstrap {
	return Bootstrap{Store: s, Directory: directory, Now: func() time.Time { return now }}
}

// opens returns the key that the text opens.
func opens(t *testing.T, s store.Store, text string) store.Key {
	t.Helper()
	secret, err := credential.Format{}.Parse(text)
	require.NoError(t, err)
	key, err := s.KeyByDigest(t.Context(), store.Digest(secret.Digest()))
	require.NoError(t, err)
	return key
}

func readKey(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return strings.TrimSpace(string(text))
}

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
	other, otherSecret := declared("another system key, and newer")
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

func declared(name string) (store.Key, credential.Secret) {
	secret := credential.Format{}.Mint(credential.Live)
	digest := store.Digest(secret.Digest())
	return store.Key{
		ID: store.KeyIDFor(digest), Name: name, Type: identity.SystemKey, Environment: identity.Live, Role: identity.AdminRole,
		Scopes: []identity.Scope{identity.TracesWrite}, Secrets: []store.Secret{{Digest: digest}},
	}, secret
}

func reconcile(t *testing.T, s store.Store, keys ...store.Key) Reconciliation {
	t.Helper()
	done, err := Declared(t.Context(), s, keys, now)
	require.NoError(t, err)
	return done
}

func TestDeclaredKeysFollowTheConfiguration(t *testing.T) {
	s, _ := open(t)
	a, secretA := declared("a")
	b, secretB := declared("b")

	assert.Equal(t, Reconciliation{Created: 2}, reconcile(t, s, a, b))
	assert.Equal(t, Reconciliation{}, reconcile(t, s, a, b), "the same again changes nothing")
	first := opens(t, s, secretA.Reveal())
	assert.True(t, first.Declared)

	a.Scopes = []identity.Scope{identity.LogsWrite}
	assert.Equal(t, Reconciliation{Updated: 1, Withdrawn: 1}, reconcile(t, s, a))
	changed := opens(t, s, secretA.Reveal())
	assert.Equal(t, a.Scopes, changed.Scopes)
	assert.Equal(t, first.CreatedAt, changed.CreatedAt)
	withdrawn := opens(t, s, secretB.Reveal())
	assert.Equal(t, store.Disabled, withdrawn.StatusAt(now, nil))
	assert.Equal(t, Reconciliation{}, reconcile(t, s, a))

	assert.Equal(t, Reconciliation{Updated: 1}, reconcile(t, s, a, b), "declared again, it comes back")
	back := opens(t, s, secretB.Reveal())
	assert.Equal(t, store.Active, back.StatusAt(now, nil))
}

func TestADeclaredKeysNewDigestReplacesTheOld(t *testing.T) {
	s, _ := open(t)
	a, old := declared("a")
	reconcile(t, s, a)
	_, fresh := declared("a")
	a.Secrets = []store.Secret{{Digest: store.Digest(fresh.Digest())}}
	assert.Equal(t, Reconciliation{Updated: 1}, reconcile(t, s, a))
	changed := opens(t, s, fresh.Reveal())
	assert.Equal(t, a.ID, changed.ID)
	assert.Equal(t, now, changed.Secrets[0].CreatedAt)
	_, err := s.KeyByDigest(t.Context(), store.Digest(old.Digest()))
	assert.ErrorIs(t, err, store.ErrNotFound)
}

func TestADeclarationThatTheStoreKeepsInAnotherFormIsNoChange(t *testing.T) {
	s, _ := open(t)
	a, _ := declared("a")
	a.ExpiresAt = now.Add(time.Hour + time.Nanosecond)
	a.Projects, a.ExpectedCountries = []string{}, []string{}
	assert.Equal(t, Reconciliation{Created: 1}, reconcile(t, s, a))
	assert.Equal(t, Reconciliation{}, reconcile(t, s, a))
}

func TestADigestMayMoveBetweenDeclaredKeys(t *testing.T) {
	t.Run("a key is given another id", func(t *testing.T) {
		s, _ := open(t)
		a, secret := declared("a")
		reconcile(t, s, a)
		a.ID = store.NewKeyID()
		assert.Equal(t, Reconciliation{Created: 1, Withdrawn: 1}, reconcile(t, s, a))
		assert.Equal(t, a.ID, opens(t, s, secret.Reveal()).ID)
		assert.Equal(t, Reconciliation{}, reconcile(t, s, a))
	})
	t.Run("two keys change places", func(t *testing.T) {
		s, _ := open(t)
		a, secretA := declared("a")
		b, secretB := declared("b")
		reconcile(t, s, a, b)
		a.Secrets, b.Secrets = b.Secrets, a.Secrets
		assert.Equal(t, Reconciliation{Updated: 2}, reconcile(t, s, a, b))
		assert.Equal(t, b.ID, opens(t, s, secretA.Reveal()).ID)
		assert.Equal(t, a.ID, opens(t, s, secretB.Reveal()).ID)
	})
	t.Run("but a revoked one does not come back", func(t *testing.T) {
		s, _ := open(t)
		a, secret := declared("a")
		reconcile(t, s, a)
		_, err := s.UpdateKey(t.Context(), a.ID, func(k *store.Key) (store.Audit, error) {
			k.RevokedAt = now
			return store.Audit{Time: now, Action: "key.revoke", Target: k.ID}, nil
		})
		require.NoError(t, err)
		reconcile(t, s, a)
		assert.False(t, opens(t, s, secret.Reveal()).RevokedAt.IsZero(), "nor by being declared again")
		a.ID = store.NewKeyID()
		_, err = Declared(t.Context(), s, []store.Key{a}, now)
		require.ErrorContains(t, err, "same digest")
	})
}

func TestDeclaredKeysNeverTouchKeysOfTheAPI(t *testing.T) {
	s, _ := open(t)
	made, _ := declared("made by hand")
	made.CreatedAt = now
	_, err := s.CreateKey(t.Context(), made, store.Audit{Time: now, Action: "key.create", Target: made.ID})
	require.NoError(t, err)

	assert.Equal(t, Reconciliation{}, reconcile(t, s), "not withdrawn")
	_, err = Declared(t.Context(), s, []store.Key{made}, now)
	require.ErrorContains(t, err, "declare another id")
	sameDigest, _ := declared("other")
	sameDigest.Secrets = made.Secrets
	_, err = Declared(t.Context(), s, []store.Key{sameDigest}, now)
	require.ErrorContains(t, err, "same digest")
}
