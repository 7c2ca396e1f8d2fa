package keyring

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

// lateFailure is a store whose changes are made and then reported as failed,
// as where the context ends after the commit.
type lateFailure struct{ store.Store }

var errLate = errors.New("the connection was lost")

func (s lateFailure) UpdateKey(ctx context.Context, id string, edit func(*store.Key) (store.Audit, error)) (store.Key, error) {
	_, err := s.Store.UpdateKey(ctx, id, edit)
	return store.Key{}, errors.Join(err, errLate)
}

func (s lateFailure) UpdateUser(ctx context.Context, id string, edit func(*store.User) (store.Audit, error)) (store.User, error) {
	_, err := s.Store.UpdateUser(ctx, id, edit)
	return store.User{}, errors.Join(err, errLate)
}

func TestAChangeHasTakenEffectWhenTheWriterReturns(t *testing.T) {
	first, second := digestOf(0), digestOf(0)
	audit := store.Audit{Time: epoch, Action: "test"}
	create := func(k store.Key) func(*testing.T, store.Store) {
		return func(t *testing.T, s store.Store) {
			t.Helper()
			k.CreatedAt = epoch
			_, err := s.CreateKey(t.Context(), k, audit)
			require.NoError(t, err)
		}
	}
	updateKey := func(t *testing.T, s store.Store, edit func(*store.Key)) error {
		t.Helper()
		_, err := s.UpdateKey(t.Context(), "key_a", func(k *store.Key) (store.Audit, error) { edit(k); return audit, nil })
		return err
	}
	updateUser := func(t *testing.T, s store.Store, edit func(*store.User)) error {
		t.Helper()
		_, err := s.UpdateUser(t.Context(), "ada", func(u *store.User) (store.Audit, error) { edit(u); return audit, nil })
		return err
	}
	replaceSecret := func(t *testing.T, s store.Store) {
		t.Helper()
		require.NoError(t, updateKey(t, s, func(k *store.Key) { k.Secrets = []store.Secret{{Digest: store.Digest(second), CreatedAt: epoch}} }))
	}
	ada := store.User{ID: "ada", Role: identity.Member, Active: true, CreatedAt: epoch}
	ownerless := userKey(first)
	ownerless.OwnerID = "grace"

	for name, tt := range map[string]struct {
		key           store.Key // there before the change
		change        func(*testing.T, store.Store)
		digest        credential.Digest
		before, after identity.Reason
	}{
		"key created": {store.Key{}, create(userKey(first)), first, identity.UnknownKey, ""},
		"key revoked": {userKey(first), func(t *testing.T, s store.Store) {
			require.NoError(t, updateKey(t, s, func(k *store.Key) { k.RevokedAt = epoch }))
		}, first, "", identity.RevokedKey},
		"key revoked, reported as failed": {userKey(first), func(t *testing.T, s store.Store) {
			w := s.(*Writer)
			require.ErrorIs(t, updateKey(t, NewWriter(lateFailure{w.Store}, w.ring), func(k *store.Key) { k.RevokedAt = epoch }), errLate)
		}, first, "", identity.RevokedKey},
		"old secret replaced": {userKey(first), replaceSecret, first, "", identity.UnknownKey},
		"new secret added":    {userKey(first), replaceSecret, second, identity.UnknownKey, ""},
		"owner created": {ownerless, func(t *testing.T, s store.Store) {
			_, err := s.CreateUser(t.Context(), store.User{ID: "grace", Role: identity.Member, Active: true, CreatedAt: epoch}, audit)
			require.NoError(t, err)
		}, first, identity.DisabledKey, ""},
		"owner deactivated": {userKey(first), func(t *testing.T, s store.Store) {
			require.NoError(t, updateUser(t, s, func(u *store.User) { u.Active = false }))
		}, first, "", identity.DisabledKey},
		"owner deactivated, reported as failed": {userKey(first), func(t *testing.T, s store.Store) {
			w := s.(*Writer)
			require.ErrorIs(t, updateUser(t, NewWriter(lateFailure{w.Store}, w.ring), func(u *store.User) { u.Active = false }), errLate)
		}, first, "", identity.DisabledKey},
	} {
		t.Run(name, func(t *testing.T) {
			backend := storetest.NewMemory()
			_, err := backend.CreateUser(t.Context(), ada, audit)
			require.NoError(t, err)
			if tt.key.ID != "" {
				create(tt.key)(t, backend)
			}
			ring, _ := newRing(t, backend)
			_, refusal := ring.Lookup(t.Context(), tt.digest)
			require.Equal(t, tt.before, reasonOf(refusal))
			settle(ring)

			tt.change(t, NewWriter(backend, ring))
			_, refusal = ring.Lookup(t.Context(), tt.digest)
			assert.Equal(t, tt.after, reasonOf(refusal))
		})
	}
}
