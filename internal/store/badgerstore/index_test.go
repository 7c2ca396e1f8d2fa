package badgerstore

import (
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

// plant writes entries behind the store's back.
func plant(t *testing.T, s *Store, stage func(*change)) {
	t.Helper()
	c := &change{}
	stage(c)
	require.NoError(t, s.writeAll(c.staged))
}

// TestResurrectedIndexEntriesResolveToNothing brings entries back that were
// given up, as Badger has done with deleted ones.
func TestResurrectedIndexEntriesResolveToNothing(t *testing.T) {
	s := openIn(t, newDirectory(t))
	create(t, s, 1)
	u := storetest.User(1)
	_, err := s.CreateUser(t.Context(), u, storetest.Audit("", ""))
	require.NoError(t, err)
	edit(t, s, 1, func(k *store.Key) { k.Secrets[0].Digest, k.RevokedAt = storetest.Digest(11), k.CreatedAt })
	_, err = s.UpdateUser(t.Context(), u.ID, func(u *store.User) (store.Audit, error) { u.Email = "x@y"; return store.Audit{}, nil })
	require.NoError(t, err)
	at := position(storetest.Key(1).CreatedAt, storetest.Key(1).ID)
	plant(t, s, func(c *change) {
		c.put(digestKey(storetest.Digest(1)), []byte(storetest.Key(1).ID))
		c.put(emailKey(u.Email), []byte(u.ID))
		c.list(join(statePrefix(stateLive), at))
		c.list(join(ownerPrefix("somebody"), at))
	})
	_, err = s.KeyByDigest(t.Context(), storetest.Digest(1))
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = s.UserByEmail(t.Context(), u.Email)
	require.ErrorIs(t, err, store.ErrNotFound)
	for _, f := range []store.KeyFilter{{Status: store.Active, Now: storetest.Key(0).CreatedAt}, {OwnerID: "somebody"}} {
		page, err := s.ListKeys(t.Context(), f, store.Page{})
		require.NoError(t, err)
		require.Empty(t, page.Keys)
	}
	k := storetest.Key(2)
	k.Secrets[0].Digest = storetest.Digest(1)
	_, err = s.CreateKey(t.Context(), k, storetest.Audit("", ""))
	require.NoError(t, err, "what is not held is not taken")
}

// TestMissingRecordIsDamage: an index that names a record that is not there is
// no "not found".
func TestMissingRecordIsDamage(t *testing.T) {
	s := openIn(t, newDirectory(t))
	plant(t, s, func(c *change) {
		c.put(digestKey(storetest.Digest(1)), []byte("gone"))
		c.list(join([]byte{createdFamily}, position(storetest.Key(1).CreatedAt, "gone")))
		c.put(keyKey("garbled"), []byte("{"))
		c.put(keyKey("moved"), nil)
		c.staged[3].key = keyKey("elsewhere")
	})
	_, err := s.KeyByDigest(t.Context(), storetest.Digest(1))
	require.ErrorIs(t, err, ErrDamaged)
	_, err = s.ListKeys(t.Context(), store.KeyFilter{}, store.Page{})
	require.ErrorIs(t, err, ErrDamaged)
	for _, id := range []string{"garbled", "elsewhere"} {
		_, err = s.Key(t.Context(), id)
		require.ErrorIs(t, err, ErrDamaged)
		require.NotErrorIs(t, err, store.ErrNotFound)
	}
}

// TestNothingThatSaysNoIsDeleted goes through a key's life and looks for
// deletions of anything but listing entries and last uses.
func TestNothingThatSaysNoIsDeleted(t *testing.T) {
	s := fullStore(t)
	txn := s.db.NewTransaction(false)
	defer txn.Discard()
	o := badger.DefaultIteratorOptions
	o.AllVersions = true
	it := txn.NewIterator(o)
	defer it.Close()
	deleted := 0
	for it.Rewind(); it.Valid(); it.Next() {
		if it.Item().IsDeletedOrExpired() {
			deleted++
			require.True(t, strings.ContainsRune("cosn", rune(it.Item().Key()[0])), "%q was deleted", it.Item().Key())
		}
	}
	require.NotZero(t, deleted)
}

func TestRecordTooLarge(t *testing.T) {
	s := openIn(t, newDirectory(t))
	k := storetest.Key(1)
	k.Description = strings.Repeat("x", maxRecord)
	_, err := s.CreateKey(t.Context(), k, storetest.Audit("key.create", k.ID))
	require.ErrorIs(t, err, store.ErrInvalid)
	require.ErrorContains(t, err, "must be at most 262144")
	k.Description = strings.Repeat("x", maxRecord-2000)
	_, err = s.CreateKey(t.Context(), k, storetest.Audit("key.create", k.ID))
	require.NoError(t, err)
}
