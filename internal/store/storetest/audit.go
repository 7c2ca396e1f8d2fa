package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/store"
)

var auditTests = map[string]func(*testing.T, store.Store){
	"every change leaves one record, newest first": func(t *testing.T, s store.Store) {
		createUser(t, s, User(1))
		createKey(t, s, Key(1))
		updateKey(t, s, Key(1).ID, revoke)
		updateUser(t, s, User(1).ID, func(u *store.User) { u.Active = false })
		want := []store.Audit{
			Audit("user.update", User(1).ID), Audit("key.update", Key(1).ID),
			Audit("key.create", Key(1).ID), Audit("user.create", User(1).ID),
		}
		for i := range want {
			want[i].Seq = uint64(len(want) - i)
		}
		for limit := range 6 {
			require.Equal(t, want, allAudit(t, s, store.AuditFilter{}, limit))
		}
	},
	"a change and its record are written together or not at all": func(t *testing.T, s store.Store) {
		bad := Audit("key.create", "a\x00b")
		_, err := s.CreateKey(t.Context(), Key(1), bad)
		require.ErrorIs(t, err, store.ErrInvalid)
		_, err = s.Key(t.Context(), Key(1).ID)
		require.ErrorIs(t, err, store.ErrNotFound)
		bad = Audit("key.create", Key(1).ID)
		bad.Changes = map[string]store.Change{"name": {To: func() {}}}
		_, err = s.CreateKey(t.Context(), Key(1), bad)
		require.ErrorIs(t, err, store.ErrInvalid)
		bad.Changes = map[string]store.Change{"name": {To: []any{"\x00"}}}
		_, err = s.CreateUser(t.Context(), User(1), bad)
		require.ErrorIs(t, err, store.ErrInvalid)
		_, err = s.User(t.Context(), User(1).ID)
		require.ErrorIs(t, err, store.ErrNotFound)

		createKey(t, s, Key(1))
		_, err = s.CreateKey(t.Context(), Key(1), Audit("key.create", Key(1).ID))
		require.ErrorIs(t, err, store.ErrExists)
		require.Equal(t, 1, requireGaplessAudit(t, s))
	},
	"the number is the backend's to assign": func(t *testing.T, s store.Store) {
		a := Audit("key.create", Key(1).ID)
		a.Seq = 99
		k := Key(1)
		k.Revision = 99
		created, err := s.CreateKey(t.Context(), k, a)
		require.NoError(t, err)
		require.NotEqualValues(t, 99, created.Revision)
		require.Equal(t, 1, requireGaplessAudit(t, s))
	},
	"records are selected by target, action and time": func(t *testing.T, s store.Store) {
		for n := range 10 {
			k := Key(n)
			a := Audit("key.create", k.ID)
			a.Time = at(n)
			_, err := s.CreateKey(t.Context(), k, a)
			require.NoError(t, err)
		}
		updateKey(t, s, Key(3).ID, func(*store.Key) {}) // at epoch
		for name, want := range map[string]struct {
			filter store.AuditFilter
			seqs   []uint64
		}{
			"target":            {store.AuditFilter{Target: Key(3).ID}, []uint64{11, 4}},
			"no such target":    {store.AuditFilter{Target: Key(33).ID}, nil},
			"a target's prefix": {store.AuditFilter{Target: Key(3).ID[:5]}, nil},
			"action":            {store.AuditFilter{Action: "key.update"}, []uint64{11}},
			"both":              {store.AuditFilter{Target: Key(3).ID, Action: "key.create"}, []uint64{4}},
			"from is inclusive": {store.AuditFilter{From: at(8)}, []uint64{10, 9}},
			"to is exclusive":   {store.AuditFilter{To: at(2)}, []uint64{11, 2, 1}},
			"from and to":       {store.AuditFilter{From: at(4), To: at(6)}, []uint64{6, 5}},
		} {
			t.Run(name, func(t *testing.T) {
				for limit := 1; limit < 4; limit++ {
					var seqs []uint64
					for _, a := range allAudit(t, s, want.filter, limit) {
						seqs = append(seqs, a.Seq)
					}
					require.Equal(t, want.seqs, seqs)
				}
			})
		}
	},
	"cursors belong to their listing": func(t *testing.T, s store.Store) {
		for n := range 3 {
			createKey(t, s, Key(n))
		}
		page, err := s.ListAudit(t.Context(), store.AuditFilter{}, store.Page{Limit: 1})
		require.NoError(t, err)
		for _, f := range []store.AuditFilter{{Target: "x"}, {Action: "x"}, {From: epoch}, {To: epoch}} {
			_, err := s.ListAudit(t.Context(), f, store.Page{Cursor: page.Next})
			require.ErrorIs(t, err, store.ErrBadCursor)
		}
		_, err = s.ListKeys(t.Context(), store.KeyFilter{}, store.Page{Cursor: page.Next})
		require.ErrorIs(t, err, store.ErrBadCursor)
	},
	"times keep their microseconds": func(t *testing.T, s store.Store) {
		a := Audit("key.create", Key(1).ID)
		a.Time = time.Date(2026, 1, 2, 3, 4, 5, 987_654_321, time.FixedZone("", -3600))
		_, err := s.CreateKey(t.Context(), Key(1), a)
		require.NoError(t, err)
		require.Equal(t, time.Date(2026, 1, 2, 4, 4, 5, 987_654_000, time.UTC), allAudit(t, s, store.AuditFilter{}, 0)[0].Time)
	},
}
