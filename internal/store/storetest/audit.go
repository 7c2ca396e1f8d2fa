package storetest

import (
	"strings"
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
		for limit := range 6 {
			got := allAudit(t, s, store.AuditFilter{}, limit)
			require.Len(t, got, len(want))
			for i := range want {
				want[i].Seq, want[i].Outcome = uint64(len(want)-i), store.Success
				want[i].PreviousHash, want[i].Hash = got[i].PreviousHash, got[i].Hash
			}
			require.Equal(t, want, got)
		}
	},
	"a record of a change names what was changed, whatever it was given": func(t *testing.T, s store.Store) {
		create, update := Audit("create", "another"), Audit("update", "")
		_, err := s.CreateKey(t.Context(), Key(1), create)
		require.NoError(t, err)
		_, err = s.CreateUser(t.Context(), User(1), create)
		require.NoError(t, err)
		_, err = s.UpdateKey(t.Context(), Key(1).ID, func(*store.Key) (store.Audit, error) { return update, nil })
		require.NoError(t, err)
		_, err = s.UpdateUser(t.Context(), User(1).ID, func(*store.User) (store.Audit, error) { return update, nil })
		require.NoError(t, err)
		var targets []string
		for _, a := range allAudit(t, s, store.AuditFilter{}, 0) {
			targets = append(targets, a.Target)
		}
		require.Equal(t, []string{User(1).ID, Key(1).ID, User(1).ID, Key(1).ID}, targets)
	},
	"each record holds the hash of the one before": func(t *testing.T, s store.Store) {
		createKey(t, s, Key(1))
		updateKey(t, s, Key(1).ID, revoke)
		createUser(t, s, User(1))
		records := allAudit(t, s, store.AuditFilter{}, 0)
		require.Empty(t, BrokenLinks(records))
		require.Zero(t, records[2].PreviousHash)
		require.NotZero(t, records[2].Hash)
		require.Equal(t, records[2].Hash, records[1].PreviousHash)
		require.Equal(t, records[1].Hash, records[0].PreviousHash)
	},
	"a record of its own is numbered and chained like those of changes": func(t *testing.T, s store.Store) {
		createKey(t, s, Key(1))
		given := refusal(Key(1).ID)
		given.Time = given.Time.Add(time.Nanosecond)
		given.Seq, given.Hash, given.PreviousHash = 99, Digest(1), Digest(2)
		refused, err := s.AppendAudit(t.Context(), given)
		require.NoError(t, err)
		want := refusal(Key(1).ID)
		want.Seq, want.Hash, want.PreviousHash = 2, refused.Hash, refused.PreviousHash
		require.Equal(t, want, refused)
		act := Audit("backup.create", "")
		act.Changes = nil
		act, err = s.AppendAudit(t.Context(), act)
		require.NoError(t, err)
		require.Equal(t, store.Success, act.Outcome)
		updated := updateKey(t, s, Key(1).ID, func(*store.Key) {})
		require.Equal(t, 4, requireWholeAudit(t, s))
		all := allAudit(t, s, store.AuditFilter{}, 1)
		require.Equal(t, []store.Audit{act, refused}, all[1:3])
		read, err := s.Key(t.Context(), Key(1).ID)
		require.NoError(t, err)
		require.Equal(t, updated, read)
	},
	"a record that cannot be kept is invalid": func(t *testing.T, s store.Store) {
		for name, edit := range map[string]func(*store.Audit){
			"NUL in the reason":   func(a *store.Audit) { a.Reason = "a\x00b" },
			"outcome not UTF-8":   func(a *store.Audit) { a.Outcome = "\xff" },
			"long target":         func(a *store.Audit) { a.Target = strings.Repeat("x", 256) },
			"year 10000":          func(a *store.Audit) { a.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
			"changes not of JSON": func(a *store.Audit) { a.Changes = map[string]store.Change{"x": {To: func() {}}} },
		} {
			a := refusal("")
			edit(&a)
			_, err := s.AppendAudit(t.Context(), a)
			require.ErrorIs(t, err, store.ErrInvalid, name)
		}
		require.Zero(t, requireWholeAudit(t, s))
	},
	"appended records are not shared": func(t *testing.T, s store.Store) {
		given := Audit("key.create", "")
		appended, err := s.AppendAudit(t.Context(), given)
		require.NoError(t, err)
		given.Changes["name"] = store.Change{From: "scribble"}
		appended.Changes["name"] = store.Change{From: "scribble"}
		require.Equal(t, 1, requireWholeAudit(t, s))
	},
	"unusual text is chained": func(t *testing.T, s store.Store) {
		for i, text := range unusualTexts {
			a := Audit(text, Key(i).ID)
			a.Reason, a.Actor.Address = text, text
			a.Changes = map[string]store.Change{text: {From: text, To: []any{map[string]any{text: text}, 1e21, 1e-7, -0.1, 0.0, nil}}}
			_, err := s.AppendAudit(t.Context(), a)
			require.NoError(t, err)
		}
		require.Equal(t, len(unusualTexts), requireWholeAudit(t, s))
	},
	"a change and its record are written together or not at all": func(t *testing.T, s store.Store) {
		bad := Audit("a\x00b", Key(1).ID)
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
		require.Equal(t, 1, requireWholeAudit(t, s))
	},
	"the number is the backend's to assign": func(t *testing.T, s store.Store) {
		a := Audit("key.create", Key(1).ID)
		a.Seq = 99
		k := Key(1)
		k.Revision = 99
		created, err := s.CreateKey(t.Context(), k, a)
		require.NoError(t, err)
		require.NotEqualValues(t, 99, created.Revision)
		require.Equal(t, 1, requireWholeAudit(t, s))
	},
	"records are selected by every filter": func(t *testing.T, s store.Store) {
		for n := range 10 {
			k := Key(n)
			a := Audit("key.create", k.ID)
			a.Time = at(n)
			_, err := s.CreateKey(t.Context(), k, a)
			require.NoError(t, err)
		}
		updateKey(t, s, Key(3).ID, func(*store.Key) {}) // at epoch
		for _, edit := range []func(*store.Audit){
			func(*store.Audit) {},
			func(a *store.Audit) { a.Target, a.Actor = "", store.Actor{UserID: "ada"} },
		} {
			a := refusal(Key(3).ID)
			a.Time = at(100)
			edit(&a)
			_, err := s.AppendAudit(t.Context(), a)
			require.NoError(t, err)
		}
		for name, want := range map[string]struct {
			filter store.AuditFilter
			seqs   []uint64
		}{
			"target":            {store.AuditFilter{Target: Key(3).ID}, []uint64{12, 11, 4}},
			"no such target":    {store.AuditFilter{Target: Key(33).ID}, nil},
			"a target's prefix": {store.AuditFilter{Target: Key(3).ID[:5]}, nil},
			"action":            {store.AuditFilter{Action: "key.update"}, []uint64{11}},
			"both":              {store.AuditFilter{Target: Key(3).ID, Action: "key.create"}, []uint64{4}},
			"from is inclusive": {store.AuditFilter{From: at(8)}, []uint64{13, 12, 10, 9}},
			"to is exclusive":   {store.AuditFilter{To: at(2)}, []uint64{11, 2, 1}},
			"from and to":       {store.AuditFilter{From: at(4), To: at(6)}, []uint64{6, 5}},
			"refused":           {store.AuditFilter{Outcome: store.Refused}, []uint64{13, 12}},
			"success":           {store.AuditFilter{Outcome: store.Success, Target: Key(3).ID}, []uint64{11, 4}},
			"user":              {store.AuditFilter{Actor: "ada"}, []uint64{13}},
			"key":               {store.AuditFilter{Actor: "key_actor", Outcome: store.Refused}, []uint64{12}},
			"an actor's prefix": {store.AuditFilter{Actor: "ad"}, nil},
			"an address":        {store.AuditFilter{Actor: "192.0.2.1"}, nil},
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
		for _, f := range []store.AuditFilter{{Target: "x"}, {Action: "x"}, {Actor: "x"}, {Outcome: "x"}, {From: epoch}, {To: epoch}} {
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
