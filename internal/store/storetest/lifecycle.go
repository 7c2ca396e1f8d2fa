package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/store"
)

// operations calls every method but Close; each error is under its name.
func operations(ctx context.Context, s store.Store) map[string]error {
	errs := map[string]error{}
	_, errs["CreateKey"] = s.CreateKey(ctx, Key(9), Audit("key.create", Key(9).ID))
	_, errs["UpdateKey"] = s.UpdateKey(ctx, Key(1).ID, func(k *store.Key) (store.Audit, error) { return Audit("key.update", k.ID), nil })
	_, errs["Key"] = s.Key(ctx, Key(1).ID)
	_, errs["KeyByDigest"] = s.KeyByDigest(ctx, Digest(1))
	_, errs["ListKeys"] = s.ListKeys(ctx, store.KeyFilter{}, store.Page{})
	_, errs["CreateUser"] = s.CreateUser(ctx, User(9), Audit("user.create", User(9).ID))
	_, errs["UpdateUser"] = s.UpdateUser(ctx, User(1).ID, func(u *store.User) (store.Audit, error) { return Audit("user.update", u.ID), nil })
	_, errs["User"] = s.User(ctx, User(1).ID)
	_, errs["UserByEmail"] = s.UserByEmail(ctx, User(1).Email)
	_, errs["ListUsers"] = s.ListUsers(ctx, store.UserFilter{}, store.Page{})
	_, errs["AppendAudit"] = s.AppendAudit(ctx, Audit("key.create", ""))
	errs["KeepUses"] = s.KeepUses(ctx, []store.Use{use(1, 1, epoch)})
	_, errs["LastUses"] = s.LastUses(ctx, Key(1).ID)
	_, errs["AllUses"] = allUses(ctx, s)
	_, errs["ListAudit"] = s.ListAudit(ctx, store.AuditFilter{}, store.Page{})
	return errs
}

var lifecycleTests = map[string]func(*testing.T, store.Store){
	"a cancelled context stops every call": func(t *testing.T, s store.Store) {
		createKey(t, s, Key(1))
		createUser(t, s, User(1))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for name, err := range operations(ctx, s) {
			require.ErrorIs(t, err, context.Canceled, name)
		}
		expired, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		for name, err := range operations(expired, s) {
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
		}
		require.Equal(t, 2, requireWholeAudit(t, s))
	},
	"a context cancelled during the edit prevents the write": func(t *testing.T, s store.Store) {
		created := createKey(t, s, Key(1))
		ctx, cancel := context.WithCancel(t.Context())
		_, err := s.UpdateKey(ctx, created.ID, func(k *store.Key) (store.Audit, error) {
			cancel()
			k.Name = "new"
			return Audit("key.update", k.ID), nil
		})
		require.ErrorIs(t, err, context.Canceled)
		read, err := s.Key(t.Context(), created.ID)
		require.NoError(t, err)
		require.Equal(t, created, read)
		require.Equal(t, 1, requireWholeAudit(t, s))
	},
	"a closed store says so": func(t *testing.T, s store.Store) {
		createKey(t, s, Key(1))
		require.NoError(t, s.Close())
		for name, err := range operations(t.Context(), s) {
			require.ErrorIs(t, err, store.ErrClosed, name)
		}
		require.NoError(t, s.Close(), "closing is idempotent")
	},
	"a store may be closed while it is used": func(t *testing.T, s store.Store) {
		createKey(t, s, Key(1))
		var using sync.WaitGroup
		started := make(chan struct{}, 4)
		for n := range 4 {
			using.Go(func() {
				started <- struct{}{}
				for i := 0; ; i++ {
					_, err := s.UpdateKey(t.Context(), Key(1).ID, func(*store.Key) (store.Audit, error) { return Audit("", ""), nil })
					if errors.Is(err, store.ErrClosed) {
						return
					}
					_, err2 := s.CreateKey(t.Context(), Key(10+n*100000+i), Audit("", ""))
					_, err3 := s.KeyByDigest(t.Context(), Digest(1))
					_, err4 := s.ListKeys(t.Context(), store.KeyFilter{}, store.Page{Limit: store.MaxLimit})
					for _, err := range []error{err, err2, err3, err4} {
						if err != nil && !errors.Is(err, store.ErrClosed) {
							t.Error(err)
						}
					}
				}
			})
		}
		for range 4 {
			<-started
		}
		time.Sleep(5 * time.Millisecond)
		var closing sync.WaitGroup
		for range 3 {
			closing.Go(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		closing.Wait()
		using.Wait()
	},
}

// testReopen closes a store after every kind of change and compares what it
// holds afterwards.
func (s *suite) testReopen(t *testing.T) {
	if s.reopen == nil {
		t.Skip("the backend does not outlive its process")
	}
	st := s.open(t)
	for n := range 5 {
		createUser(t, st, User(n))
		createKey(t, st, ownedKey(n, User(n).ID))
	}
	updateKey(t, st, Key(1).ID, revoke)
	updateKey(t, st, Key(2).ID, func(k *store.Key) { k.Secrets[0].Digest = Digest(22) })
	updateUser(t, st, User(3).ID, func(u *store.User) { u.DeletedAt = at(50) })
	_, err := st.AppendAudit(t.Context(), refusal(""))
	require.NoError(t, err)
	keepUses(t, st, use(1, 1, at(60)), use(2, 22, at(61)))
	keys, users, audit := allKeys(t, st, store.KeyFilter{}, 2), allUsers(t, st, store.UserFilter{}, 2), allAudit(t, st, store.AuditFilter{}, 2)
	for range 3 {
		st = s.reopen(t, st)
		require.Equal(t, keys, allKeys(t, st, store.KeyFilter{}, 2))
		require.Equal(t, users, allUsers(t, st, store.UserFilter{}, 2))
		require.Equal(t, audit, allAudit(t, st, store.AuditFilter{}, 2))
		_, err := st.KeyByDigest(t.Context(), Digest(2))
		require.ErrorIs(t, err, store.ErrNotFound)
		read, err := st.KeyByDigest(t.Context(), Digest(22))
		require.NoError(t, err)
		require.Equal(t, Key(2).ID, read.ID)
		_, err = st.UserByEmail(t.Context(), User(3).Email)
		require.ErrorIs(t, err, store.ErrNotFound)
		requireUses(t, st, use(1, 1, at(60)))
		requireUses(t, st, use(2, 22, at(61)))
	}
	newest := slices.MaxFunc(keys, func(a, b store.Key) int { return int(a.Revision) - int(b.Revision) }).Revision
	require.Greater(t, createKey(t, st, Key(50)).Revision, newest, "revisions must go on where they were")
	require.Equal(t, len(audit)+1, requireWholeAudit(t, st))
	require.NoError(t, st.Close())
}
