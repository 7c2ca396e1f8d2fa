package provision

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/badgerstore"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
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

// onBackends runs a test on each store.
func onBackends(t *testing.T, test func(t *testing.T, s store.Store)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, storetest.NewMemory()) })
	t.Run("badger", func(t *testing.T) {
		s, _ := open(t)
		test(t, s)
	})
}

// newKey returns a system key as a document declares it, and its secret.
func newKey(name string) (store.Key, credential.Secret) {
	secret := credential.Format{}.Mint(credential.Live)
	digest := store.Digest(secret.Digest())
	return store.Key{
		ID: store.KeyIDFor(digest), Name: name, Type: identity.SystemKey, Environment: identity.Live, Role: identity.AdminRole,
		Scopes: []identity.Scope{identity.TracesWrite}, Secrets: []store.Secret{{Digest: digest, Hint: secret.Hint()}},
	}, secret
}

// newUser returns a user as a document declares it.
func newUser(id string) store.User {
	return store.User{ID: id, Email: id + "@example.com", Name: id, Role: identity.Member, Active: true}
}

func auditLog(t *testing.T, s store.Store) []store.Audit {
	t.Helper()
	page, err := s.ListAudit(t.Context(), store.AuditFilter{}, store.Page{Limit: store.MaxLimit})
	require.NoError(t, err)
	return page.Records
}

// emptyLike returns an empty store of the same backend.
func emptyLike(t *testing.T, s store.Store) store.Store {
	t.Helper()
	if _, isBadger := s.(*badgerstore.Store); isBadger {
		s, _ := open(t)
		return s
	}
	return storetest.NewMemory()
}
