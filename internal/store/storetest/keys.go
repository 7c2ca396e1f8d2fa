package storetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

var keyTests = map[string]func(*testing.T, store.Store){
	"a created key is returned by id and by digest": func(t *testing.T, s store.Store) {
		want := Key(1)
		got := createKey(t, s, want)
		require.NotZero(t, got.Revision)
		want.Revision = got.Revision
		require.Equal(t, want, got)
		byID, err := s.Key(t.Context(), want.ID)
		require.NoError(t, err)
		require.Equal(t, want, byID)
		byDigest, err := s.KeyByDigest(t.Context(), Digest(1))
		require.NoError(t, err)
		require.Equal(t, want, byDigest)
	},
	"a key with nothing but an id is kept": func(t *testing.T, s store.Store) {
		got := createKey(t, s, store.Key{ID: "k"})
		byID, err := s.Key(t.Context(), "k")
		require.NoError(t, err)
		require.Equal(t, store.Key{ID: "k", Revision: got.Revision}, byID)
	},
	"unknown keys are not found": func(t *testing.T, s store.Store) {
		createKey(t, s, Key(1))
		for _, id := range []string{"", "key", Key(2).ID, Key(1).ID + "0", strings.Repeat("x", 5000)} {
			_, err := s.Key(t.Context(), id)
			require.ErrorIs(t, err, store.ErrNotFound)
		}
		_, err := s.KeyByDigest(t.Context(), Digest(2))
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = s.KeyByDigest(t.Context(), store.Digest{})
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = s.UpdateKey(t.Context(), Key(2).ID, func(*store.Key) (store.Audit, error) {
			t.Error("edit of a key that is not there")
			return store.Audit{}, nil
		})
		require.ErrorIs(t, err, store.ErrNotFound)
	},
	"an id or digest that is taken exists": func(t *testing.T, s store.Store) {
		createKey(t, s, Key(1))
		sameID := Key(2)
		sameID.ID = Key(1).ID
		sameDigest := Key(3)
		sameDigest.Secrets = append(sameDigest.Secrets, store.Secret{Digest: Digest(1)})
		for _, k := range []store.Key{sameID, sameDigest} {
			_, err := s.CreateKey(t.Context(), k, Audit("key.create", k.ID))
			require.ErrorIs(t, err, store.ErrExists)
		}
		for _, n := range []int{2, 3} { // nothing of the refused keys is left
			_, err := s.KeyByDigest(t.Context(), Digest(n))
			require.ErrorIs(t, err, store.ErrNotFound)
		}
		require.Equal(t, []string{Key(1).ID}, keyIDs(allKeys(t, s, store.KeyFilter{}, 0)))
		require.Equal(t, 1, requireWholeAudit(t, s))
	},
	"an edit is stored with a higher revision": func(t *testing.T, s store.Store) {
		created := createKey(t, s, Key(1))
		updated := updateKey(t, s, created.ID, func(k *store.Key) {
			require.Equal(t, created, *k)
			k.Name, k.Scopes, k.UpdatedAt, k.RevokedAt = "new", []identity.Scope{identity.Admin}, at(9), at(10)
			k.Plan, k.Limits, k.Projects, k.Declared, k.Applied, k.Withdrawn, k.Bootstrap = "", nil, nil, true, true, true, true
		})
		require.Greater(t, updated.Revision, created.Revision)
		want := created
		want.Name, want.Scopes, want.UpdatedAt, want.RevokedAt = "new", []identity.Scope{identity.Admin}, at(9), at(10)
		want.Plan, want.Limits, want.Projects, want.Declared, want.Applied, want.Withdrawn, want.Bootstrap = "", nil, nil, true, true, true, true
		want.Revision = updated.Revision
		require.Equal(t, want, updated)
		read, err := s.KeyByDigest(t.Context(), Digest(1))
		require.NoError(t, err)
		require.Equal(t, want, read, "a revoked key must still be found by its digest")
	},
	"an edit that fails writes nothing and its error comes back as it is": func(t *testing.T, s store.Store) {
		created := createKey(t, s, Key(1))
		refusal := errors.New("refused")
		_, err := s.UpdateKey(t.Context(), created.ID, func(k *store.Key) (store.Audit, error) {
			k.Name = "new"
			k.Scopes[0] = identity.Admin
			k.Secrets[0].Digest = Digest(2)
			return Audit("key.update", k.ID), refusal
		})
		require.Same(t, refusal, err)
		read, err := s.Key(t.Context(), created.ID)
		require.NoError(t, err)
		require.Equal(t, created, read)
		_, err = s.KeyByDigest(t.Context(), Digest(2))
		require.ErrorIs(t, err, store.ErrNotFound)
		require.Equal(t, 1, requireWholeAudit(t, s))
	},
	"id and creation time cannot change": func(t *testing.T, s store.Store) {
		created := createKey(t, s, Key(1))
		for _, edit := range []func(*store.Key){
			func(k *store.Key) { k.ID = Key(2).ID },
			func(k *store.Key) { k.CreatedAt = k.CreatedAt.Add(time.Microsecond) },
		} {
			_, err := s.UpdateKey(t.Context(), created.ID, func(k *store.Key) (store.Audit, error) {
				edit(k)
				return Audit("key.update", k.ID), nil
			})
			require.ErrorIs(t, err, store.ErrInvalid)
		}
		read, err := s.Key(t.Context(), created.ID)
		require.NoError(t, err)
		require.Equal(t, created, read)
		_, err = s.Key(t.Context(), Key(2).ID)
		require.ErrorIs(t, err, store.ErrNotFound)
	},
	"digests resolve while the key has them": func(t *testing.T, s store.Store) {
		k := createKey(t, s, Key(1))
		rotated := updateKey(t, s, k.ID, func(k *store.Key) {
			k.Secrets[0].ExpiresAt = at(60)
			k.Secrets = append([]store.Secret{{Digest: Digest(11), Hint: "new", CreatedAt: at(5)}}, k.Secrets...)
		})
		for _, n := range []int{1, 11} {
			read, err := s.KeyByDigest(t.Context(), Digest(n))
			require.NoError(t, err)
			require.Equal(t, rotated, read)
		}
		updateKey(t, s, k.ID, func(k *store.Key) { k.Secrets = k.Secrets[:1] })
		_, err := s.KeyByDigest(t.Context(), Digest(1))
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = s.KeyByDigest(t.Context(), Digest(11))
		require.NoError(t, err)
		updateKey(t, s, k.ID, func(k *store.Key) { k.Secrets = nil })
		_, err = s.KeyByDigest(t.Context(), Digest(11))
		require.ErrorIs(t, err, store.ErrNotFound)
	},
	"a digest can be taken once it is given up": func(t *testing.T, s store.Store) {
		one, two := createKey(t, s, Key(1)), createKey(t, s, Key(2))
		take := func(k *store.Key) (store.Audit, error) {
			k.Secrets = append(k.Secrets, store.Secret{Digest: Digest(1)})
			return Audit("key.update", k.ID), nil
		}
		_, err := s.UpdateKey(t.Context(), two.ID, take)
		require.ErrorIs(t, err, store.ErrExists)
		updateKey(t, s, one.ID, func(k *store.Key) { k.Secrets = nil })
		_, err = s.UpdateKey(t.Context(), two.ID, take)
		require.NoError(t, err)
		read, err := s.KeyByDigest(t.Context(), Digest(1))
		require.NoError(t, err)
		require.Equal(t, two.ID, read.ID)
	},
	"the digest of a revoked key stays taken": func(t *testing.T, s store.Store) {
		updateKey(t, s, createKey(t, s, Key(1)).ID, revoke)
		again := Key(2)
		again.Secrets[0].Digest = Digest(1)
		_, err := s.CreateKey(t.Context(), again, Audit("key.create", again.ID))
		require.ErrorIs(t, err, store.ErrExists)
	},
	"records are returned in normal form": func(t *testing.T, s store.Store) {
		k := Key(1)
		zone := time.FixedZone("somewhere", 3600)
		k.CreatedAt = time.Date(2026, 1, 2, 3, 4, 5, 123_456_789, zone)
		k.ExpiresAt = k.CreatedAt.AddDate(1, 0, 0)
		k.Secrets[0].CreatedAt = k.CreatedAt
		k.Scopes, k.Projects, k.Limits, k.Retired = []identity.Scope{}, []string{}, []limit.Limit{}, []store.Digest{}
		got := createKey(t, s, k)
		want := time.Date(2026, 1, 2, 2, 4, 5, 123_456_000, time.UTC)
		require.Equal(t, want, got.CreatedAt)
		require.Nil(t, got.Scopes)
		require.Nil(t, got.Projects)
		require.Nil(t, got.Limits)
		require.Nil(t, got.Retired)
		read, err := s.Key(t.Context(), k.ID)
		require.NoError(t, err)
		require.Equal(t, got, read)
		updateKey(t, s, k.ID, func(k *store.Key) { k.CreatedAt = k.CreatedAt.In(zone) }) // the same moment
	},
	"returned records are not shared": func(t *testing.T, s store.Store) {
		k := Key(1)
		created := createKey(t, s, k)
		scribble := func(k *store.Key) {
			k.Scopes[0], k.Projects[0], k.ExpectedCountries[0] = identity.Admin, "x", "x"
			k.Secrets[0].Request.ID = Digest(9)
			k.AllowedIPs[0], k.Secrets[0] = Key(1).AllowedIPs[1], store.Secret{Hint: "x"}
			k.Limits[0], k.Retired[0], k.Spent[0].ID = Key(1).Limits[1], Digest(9), Digest(9)
		}
		scribble(&k)
		scribble(&created)
		var kept []string
		updated := updateKey(t, s, k.ID, func(k *store.Key) { kept = []string{"kept"}; k.Projects = kept })
		kept[0] = "x"
		scribble(&updated)
		read, err := s.Key(t.Context(), k.ID)
		require.NoError(t, err)
		want := Key(1)
		want.Projects, want.Revision = []string{"kept"}, read.Revision
		require.Equal(t, want, read)
		scribble(&read)
		page, err := s.ListKeys(t.Context(), store.KeyFilter{}, store.Page{})
		require.NoError(t, err)
		require.Equal(t, []store.Key{want}, page.Keys)
	},
	"unusual text survives": func(t *testing.T, s store.Store) {
		for i, text := range unusualTexts {
			k := Key(i)
			k.Name, k.Description, k.Projects = text, text, []string{text}
			createKey(t, s, k)
			read, err := s.Key(t.Context(), k.ID)
			require.NoError(t, err)
			require.Equal(t, []string{text, text, text}, []string{read.Name, read.Description, read.Projects[0]})
		}
	},
	"what cannot be kept is invalid": func(t *testing.T, s store.Store) {
		for name, edit := range map[string]func(*store.Key){
			"empty id":     func(k *store.Key) { k.ID = "" },
			"long id":      func(k *store.Key) { k.ID = strings.Repeat("x", 256) },
			"NUL":          func(k *store.Key) { k.Name = "a\x00b" },
			"not UTF-8":    func(k *store.Key) { k.Description = "\xff" },
			"NUL in lists": func(k *store.Key) { k.Projects = []string{"ok", "\x00"} },
			"same digest":  func(k *store.Key) { k.Secrets = append(k.Secrets, k.Secrets[0]) },
			"bad limit":    func(k *store.Key) { k.Limits[1].Max = 0 },
			"same limit":   func(k *store.Key) { k.Limits[1] = k.Limits[0] },
			"many limits":  func(k *store.Key) { k.Limits = manyLimits() },
			"year 10000":   func(k *store.Key) { k.ExpiresAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		} {
			k := Key(1)
			edit(&k)
			_, err := s.CreateKey(t.Context(), k, Audit("key.create", k.ID))
			require.ErrorIs(t, err, store.ErrInvalid, name)
		}
		require.Zero(t, requireWholeAudit(t, s))
	},
}

var unusualTexts = []string{
	"Ünïcödé 鍵 🔑", "quote ' \" \\ %s {{.}} <b> & \t\r\n", "\x01\x1f\x7f", "\u2028\u202e", "\ufffd", strings.Repeat("long ", 2000),
}

// manyLimits returns sound limits, one more than a key can have.
func manyLimits() []limit.Limit {
	many := make([]limit.Limit, limit.MaxLimits+1)
	for i := range many {
		many[i] = limit.Limit{On: limit.Ingest, Unit: limit.Requests, Max: 1, Window: limit.Window(i+1) * limit.MinWindow}
	}
	return many
}
