package storetest

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/store"
)

var errGuarded = errors.New("not any more")

var guardTests = map[string]func(*testing.T, store.Store){
	"a write that is refused at its turn writes nothing": func(t *testing.T, s store.Store) {
		createKey(t, s, Key(1))
		createUser(t, s, User(1))
		guarded := store.Guarded(t.Context(), func(context.Context) error { return errGuarded })
		audit := Audit("key.update", "x")
		_, err := s.CreateKey(guarded, Key(2), audit)
		require.ErrorIs(t, err, errGuarded)
		_, err = s.UpdateKey(guarded, Key(1).ID, func(k *store.Key) (store.Audit, error) { k.Name = "x"; return audit, nil })
		require.ErrorIs(t, err, errGuarded)
		_, err = s.CreateUser(guarded, User(2), audit)
		require.ErrorIs(t, err, errGuarded)
		_, err = s.UpdateUser(guarded, User(1).ID, func(u *store.User) (store.Audit, error) { u.Name = "x"; return audit, nil })
		require.ErrorIs(t, err, errGuarded)
		_, err = s.AppendAudit(guarded, audit)
		require.ErrorIs(t, err, errGuarded)
		require.Equal(t, 2, requireWholeAudit(t, s))

		_, err = s.AppendAudit(store.Unguarded(guarded), audit)
		require.NoError(t, err)
		require.Equal(t, 3, requireWholeAudit(t, s))
	},
	"a guard that has nothing against it is as if it were not there": func(t *testing.T, s store.Store) {
		guarded := store.Guarded(t.Context(), func(context.Context) error { return nil })
		_, err := s.CreateKey(guarded, Key(1), Audit("key.create", Key(1).ID))
		require.NoError(t, err)
		ended, cancel := context.WithCancel(guarded)
		cancel()
		_, err = s.CreateKey(ended, Key(2), Audit("key.create", Key(2).ID))
		require.ErrorIs(t, err, context.Canceled)
	},
}
