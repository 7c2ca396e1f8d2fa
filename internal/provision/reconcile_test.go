package provision

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/declaration"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

type document = declaration.Records

func users(list ...store.User) document { return document{Users: list} }
func keys(list ...store.Key) document   { return document{Keys: list} }

func both(users []store.User, keys []store.Key) document { return document{Users: users, Keys: keys} }

func from(source Source) Options {
	return Options{Source: source, Now: now, Actor: store.Actor{KeyID: "key_actor", UserID: "admin", Address: "192.0.2.1"}}
}

// done tells what was done with each record, such as "create a".
func done(r *Result) []string {
	list := []string{}
	for _, c := range r.Changes {
		list = append(list, string(c.Action)+" "+c.Name)
	}
	return list
}

// reconciles checks what a document changes.
func reconciles(t *testing.T, s store.Store, source Source, d document, want ...string) Result {
	t.Helper()
	result, err := Reconcile(t.Context(), s, d, from(source))
	require.NoError(t, err)
	assert.Equal(t, append([]string{}, want...), done(&result))
	return result
}

// refused checks that a document is an error that names what is wrong, and
// changes nothing.
func refused(t *testing.T, s store.Store, source Source, d document, path, rule string) *declaration.Error {
	t.Helper()
	before, written := snapshot(t, s), len(auditLog(t, s))
	result, err := Reconcile(t.Context(), s, d, from(source))
	require.Error(t, err)
	assert.Empty(t, result)
	assert.Equal(t, before, snapshot(t, s))
	assert.Len(t, auditLog(t, s), written)
	faults := declaration.Errors(err)
	require.Len(t, faults, 1, "%v", err)
	assert.Equal(t, path, strings.Join(faults[0].Path, "::"))
	assert.Contains(t, faults[0].Rule, rule)
	return faults[0]
}

// state of a store, but for revisions.
type contents struct {
	users map[string]store.User
	keys  map[string]store.Key
}

func snapshot(t require.TestingT, s store.Store) contents {
	c := contents{map[string]store.User{}, map[string]store.Key{}}
	for k, err := range store.AllKeys(context.Background(), s, store.KeyFilter{}) {
		require.NoError(t, err)
		k.Revision = 0
		c.keys[k.ID] = k
	}
	page, err := s.ListUsers(context.Background(), store.UserFilter{}, store.Page{Limit: store.MaxLimit})
	require.NoError(t, err)
	for _, u := range page.Users {
		u.Revision = 0
		c.users[u.ID] = u
	}
	return c
}

func fieldsOf(changes map[string]store.Change) []string { return slices.Sorted(maps.Keys(changes)) }

func requireNoSecret(t *testing.T, s store.Store, secrets ...string) {
	t.Helper()
	text, err := json.Marshal(auditLog(t, s))
	require.NoError(t, err)
	for _, secret := range secrets {
		assert.NotContains(t, string(text), secret)
	}
	for _, k := range snapshot(t, s).keys {
		for _, secret := range k.Secrets {
			digest, err := secret.Digest.MarshalText()
			require.NoError(t, err)
			assert.NotContains(t, string(text), strings.TrimPrefix(string(digest), "sha256:"))
		}
	}
}

func editKey(t *testing.T, s store.Store, id string, edit func(*store.Key)) {
	t.Helper()
	_, err := s.UpdateKey(t.Context(), id, func(k *store.Key) (store.Audit, error) {
		edit(k)
		return store.Audit{Time: now, Action: "key.update", Target: id}, nil
	})
	require.NoError(t, err)
}

func revoke(k *store.Key) { k.RevokedAt = now }

func editUser(t *testing.T, s store.Store, id string, edit func(*store.User)) {
	t.Helper()
	_, err := s.UpdateUser(t.Context(), id, func(u *store.User) (store.Audit, error) {
		edit(u)
		return store.Audit{Time: now, Action: "user.update", Target: id}, nil
	})
	require.NoError(t, err)
}

func createKey(t *testing.T, s store.Store, k store.Key) {
	t.Helper()
	k.CreatedAt = now
	_, err := s.CreateKey(t.Context(), k, store.Audit{Time: now, Action: "key.create", Target: k.ID})
	require.NoError(t, err)
}

func createUser(t *testing.T, s store.Store, u store.User) {
	t.Helper()
	u.CreatedAt = now
	_, err := s.CreateUser(t.Context(), u, store.Audit{Time: now, Action: "user.create", Target: u.ID})
	require.NoError(t, err)
}

func stored(t *testing.T, s store.Store, id string) store.Key {
	t.Helper()
	k, err := s.Key(t.Context(), id)
	require.NoError(t, err)
	return k
}

func storedUser(t *testing.T, s store.Store, id string) store.User {
	t.Helper()
	u, err := s.User(t.Context(), id)
	require.NoError(t, err)
	return u
}

func TestDeclaredKeysFollowTheDocument(t *testing.T) {
	onBackends(t, func(t *testing.T, s store.Store) {
		a, secretA := newKey("a")
		b, secretB := newKey("b")
		reconciles(t, s, Configuration, keys(a, b), "create a", "create b")
		assert.Equal(t, 2, reconcilesNothing(t, s, Configuration, keys(a, b)).Unchanged)
		first := opens(t, s, secretA.Reveal())
		assert.True(t, first.Declared)
		assert.False(t, first.Applied)

		a.Scopes = []identity.Scope{identity.LogsWrite}
		result := reconciles(t, s, Configuration, keys(a), "update a", "withdraw b")
		assert.Equal(t, []string{"scopes"}, fieldsOf(result.Changes[0].Fields))
		assert.Equal(t, map[string]store.Change{"withdrawn": {To: true}}, result.Changes[1].Fields)
		changed := opens(t, s, secretA.Reveal())
		assert.Equal(t, a.Scopes, changed.Scopes)
		assert.Equal(t, first.CreatedAt, changed.CreatedAt)
		withdrawn := opens(t, s, secretB.Reveal())
		assert.Equal(t, store.Disabled, withdrawn.StatusAt(now, nil))
		reconcilesNothing(t, s, Configuration, keys(a))

		reconciles(t, s, Configuration, keys(a, b), "restore b")
		back := opens(t, s, secretB.Reveal())
		assert.Equal(t, store.Active, back.StatusAt(now, nil))
	})
}

// reconcilesNothing checks that a document is so already and leaves no trace.
func reconcilesNothing(t *testing.T, s store.Store, source Source, d document) Result {
	t.Helper()
	before, written := snapshot(t, s), len(auditLog(t, s))
	result := reconciles(t, s, source, d)
	assert.Equal(t, before, snapshot(t, s))
	assert.Len(t, auditLog(t, s), written)
	return result
}

func TestDeclaredUsersFollowTheDocument(t *testing.T) {
	onBackends(t, func(t *testing.T, s store.Store) {
		a, b := newUser("a"), newUser("b")
		reconciles(t, s, Configuration, users(a, b), "create a", "create b")
		assert.Equal(t, 2, reconcilesNothing(t, s, Configuration, users(a, b)).Unchanged)

		a.Role, a.Active = identity.Viewer, false
		result := reconciles(t, s, Configuration, users(a), "update a", "withdraw b")
		assert.Equal(t, []string{"active", "role"}, fieldsOf(result.Changes[0].Fields))
		withdrawn := storedUser(t, s, "b")
		assert.True(t, withdrawn.Active)
		assert.False(t, withdrawn.Enabled())
		reconcilesNothing(t, s, Configuration, users(a))

		reconciles(t, s, Configuration, users(a, b), "restore b")
		back := storedUser(t, s, "b")
		assert.True(t, back.Enabled())
	})
}

func TestADeclaredKeysNewDigestReplacesTheOld(t *testing.T) {
	onBackends(t, func(t *testing.T, s store.Store) {
		a, old := newKey("a")
		reconciles(t, s, Configuration, keys(a), "create a")
		b, fresh := newKey("a")
		a.Secrets = b.Secrets
		result := reconciles(t, s, Configuration, keys(a), "update a")
		assert.Equal(t, []string{"secrets"}, fieldsOf(result.Changes[0].Fields))
		changed := opens(t, s, fresh.Reveal())
		assert.Equal(t, a.ID, changed.ID)
		assert.Equal(t, now, changed.Secrets[0].CreatedAt)
		_, err := s.KeyByDigest(t.Context(), store.Digest(old.Digest()))
		assert.ErrorIs(t, err, store.ErrNotFound)
	})
}

func TestADeclarationThatTheStoreKeepsInAnotherFormIsNoChange(t *testing.T) {
	onBackends(t, func(t *testing.T, s store.Store) {
		a, _ := newKey("a")
		a.ExpiresAt = now.Add(time.Hour + time.Nanosecond)
		a.Projects, a.ExpectedCountries = []string{}, []string{}
		reconciles(t, s, Configuration, keys(a), "create a")
		reconcilesNothing(t, s, Configuration, keys(a))
	})
}

func TestADigestMayMoveBetweenDeclaredKeys(t *testing.T) {
	t.Run("a key is given another id", func(t *testing.T) {
		onBackends(t, func(t *testing.T, s store.Store) {
			a, secret := newKey("a")
			reconciles(t, s, Configuration, keys(a), "create a")
			a.ID = store.NewKeyID()
			result := reconciles(t, s, Configuration, keys(a), "create a", "withdraw a")
			assert.Equal(t, []string{"secrets", "withdrawn"}, fieldsOf(result.Changes[1].Fields))
			assert.Equal(t, a.ID, opens(t, s, secret.Reveal()).ID)
			reconcilesNothing(t, s, Configuration, keys(a))
		})
	})
	t.Run("two keys change places", func(t *testing.T) {
		onBackends(t, func(t *testing.T, s store.Store) {
			a, secretA := newKey("a")
			b, secretB := newKey("b")
			reconciles(t, s, Configuration, keys(a, b), "create a", "create b")
			a.Secrets, b.Secrets = b.Secrets, a.Secrets
			reconciles(t, s, Configuration, keys(a, b), "update a", "update b")
			assert.Equal(t, b.ID, opens(t, s, secretA.Reveal()).ID)
			assert.Equal(t, a.ID, opens(t, s, secretB.Reveal()).ID)
		})
	})
}

func TestAnEmailMayMoveBetweenDeclaredUsers(t *testing.T) {
	t.Run("a user is given another id", func(t *testing.T) {
		onBackends(t, func(t *testing.T, s store.Store) {
			a := newUser("a")
			reconciles(t, s, Configuration, users(a), "create a")
			a.ID = "z"
			result := reconciles(t, s, Configuration, users(a), "create a", "withdraw a")
			assert.Equal(t, []string{"email", "withdrawn"}, fieldsOf(result.Changes[1].Fields))
			holder, err := s.UserByEmail(t.Context(), a.Email)
			require.NoError(t, err)
			assert.Equal(t, "z", holder.ID)
		})
	})
	t.Run("two users change places", func(t *testing.T) {
		onBackends(t, func(t *testing.T, s store.Store) {
			a, b := newUser("a"), newUser("b")
			reconciles(t, s, Configuration, users(a, b), "create a", "create b")
			a.Email, b.Email = b.Email, a.Email
			reconciles(t, s, Configuration, users(a, b), "update a", "update b")
			assert.Equal(t, a.Email, storedUser(t, s, "a").Email)
			assert.Equal(t, b.Email, storedUser(t, s, "b").Email)
			reconcilesNothing(t, s, Configuration, users(a, b))
		})
	})
}

func TestARevokedKeyDoesNotComeBack(t *testing.T) {
	onBackends(t, func(t *testing.T, s store.Store) {
		a, secret := newKey("a")
		reconciles(t, s, Configuration, keys(a), "create a")
		editKey(t, s, a.ID, revoke)
		isRevoked := func() { assert.False(t, opens(t, s, secret.Reveal()).RevokedAt.IsZero()) }

		reconcilesNothing(t, s, Configuration, keys(a))
		isRevoked()
		other := a
		other.ID = store.NewKeyID()
		refused(t, s, Configuration, keys(other), "keys::0::digest", "same digest: "+a.ID+" is revoked for good")

		// Nor in two steps, by giving the digest up first.
		fresh, _ := newKey("a")
		fresh.ID = a.ID
		reconciles(t, s, Configuration, keys(fresh), "update a")
		isRevoked()
		refused(t, s, Configuration, keys(fresh, other), "keys::1::digest", "is revoked for good")
		reconcilesNothing(t, s, Configuration, keys(fresh))

		reconciles(t, s, Configuration, keys(), "withdraw a")
		reconciles(t, s, Configuration, keys(fresh), "update a") // not restored: it stays revoked
		isRevoked()
	})
}

func TestRecordsOfTheAPIAreNeverTouched(t *testing.T) {
	for _, source := range []Source{Configuration, Applied} {
		onBackends(t, func(t *testing.T, s store.Store) {
			key, _ := newKey("made by hand")
			user := newUser("byhand")
			createKey(t, s, key)
			createUser(t, s, user)
			reconcilesNothing(t, s, source, document{})

			assert.True(t, refused(t, s, source, keys(key), "keys::0::id", "made through the admin API: declare another id").Conflict)
			sameDigest, _ := newKey("other")
			sameDigest.Secrets = key.Secrets
			assert.True(t, refused(t, s, source, keys(sameDigest), "keys::0::digest", "same digest: "+key.ID+" was made through the admin API").Conflict)
			assert.True(t, refused(t, s, source, users(user), "users::0::id", "made through the admin API: declare another id").Conflict)
			sameEmail := newUser("other")
			sameEmail.Email = strings.ToUpper(user.Email)
			assert.True(t, refused(t, s, source, users(newUser("fine"), sameEmail), "users::1::email", "same email: byhand was made through the admin API").Conflict)
		})
	}
}

func TestADeletedUsersIDCannotBeDeclaredAgain(t *testing.T) {
	onBackends(t, func(t *testing.T, s store.Store) {
		a := newUser("a")
		reconciles(t, s, Configuration, users(a), "create a")
		editUser(t, s, "a", func(u *store.User) { u.DeletedAt = now })
		refused(t, s, Configuration, users(a), "users::0::id", "was deleted, which is final")
		a.ID = "again"
		reconciles(t, s, Configuration, users(a), "create a")
	})
}

// owned returns a key of a user as a document declares it.
func owned(by string) store.Key {
	k, _ := newKey("k")
	k.Type, k.Role, k.OwnerID = identity.UserKey, "", by
	return k
}

func TestTheOwnerOfADeclaredKeyMustBeThere(t *testing.T) {
	onBackends(t, func(t *testing.T, s store.Store) {
		createUser(t, s, newUser("byhand"))
		refused(t, s, Configuration, both([]store.User{newUser("a")}, []store.Key{owned("a"), owned("b")}), "keys::1::owner_id", `there is no user "b"`)
		d := both([]store.User{newUser("a")}, []store.Key{owned("a"), owned("byhand"), owned(store.BuiltinUserID)})
		reconciles(t, s, Configuration, d, "create a", "create k", "create k", "create k")

		// One that is deleted while the collector runs must not keep it from
		// starting again.
		editUser(t, s, "byhand", func(u *store.User) { u.DeletedAt = now })
		reconcilesNothing(t, s, Configuration, d)
		d.Keys = append(d.Keys, owned("byhand"))
		refused(t, s, Configuration, d, "keys::3::owner_id", `there is no user "byhand"`)
	})
}

func TestTheOwnerOfADeclaredKeyMustBeInForce(t *testing.T) {
	const remedy = ": declare it under users, or give the key another owner"
	for _, source := range []Source{Configuration, Applied} {
		onBackends(t, func(t *testing.T, s store.Store) {
			k := owned("u")
			reconciles(t, s, source, both([]store.User{newUser("u")}, []store.Key{k}), "create u", "create k")
			refused(t, s, source, keys(k), "keys::0::owner_id", `user "u" is withdrawn by leaving it out`+remedy)

			reconciles(t, s, source, document{}, "withdraw k", "withdraw u")
			refused(t, s, source, keys(k), "keys::0::owner_id", `user "u" is withdrawn`+remedy)
			refused(t, s, source, keys(owned("u")), "keys::0::owner_id", `user "u" is withdrawn`+remedy)
			reconciles(t, s, source, both([]store.User{newUser("u")}, []store.Key{k}), "restore u", "restore k")
		})
	}
	t.Run("of the other source", func(t *testing.T) {
		onBackends(t, func(t *testing.T, s store.Store) {
			reconciles(t, s, Configuration, users(newUser("u")), "create u")
			reconciles(t, s, Applied, keys(owned("u")), "create k")
		})
	})
	t.Run("but an applied document does not keep the collector from starting", func(t *testing.T) {
		onBackends(t, func(t *testing.T, s store.Store) {
			k := owned("u")
			reconciles(t, s, Applied, users(newUser("u")), "create u")
			reconciles(t, s, Configuration, keys(k), "create k")
			reconciles(t, s, Applied, document{}, "withdraw u")
			reconcilesNothing(t, s, Configuration, keys(k))
		})
	})
}

func TestUsersComeBeforeTheirKeysAndGoAfterThem(t *testing.T) {
	onBackends(t, func(t *testing.T, s store.Store) {
		k, _ := newKey("k")
		k.Type, k.Role, k.OwnerID = identity.UserKey, "", "u"
		reconciles(t, s, Configuration, both([]store.User{newUser("u")}, []store.Key{k}), "create u", "create k")
		reconciles(t, s, Configuration, document{}, "withdraw k", "withdraw u")
		var actions []string
		for _, a := range slices.Backward(auditLog(t, s)) {
			actions = append(actions, a.Action)
		}
		assert.Equal(t, []string{"user.declare", "key.declare", "key.withdraw", "user.withdraw"}, actions)
	})
}

func TestTheConfigurationAndAppliedDocumentsLeaveEachOtherAlone(t *testing.T) {
	onBackends(t, func(t *testing.T, s store.Store) {
		c, _ := newKey("of the configuration")
		a, _ := newKey("applied")
		reconciles(t, s, Configuration, both([]store.User{newUser("cu")}, []store.Key{c}), "create cu", "create of the configuration")
		result := reconciles(t, s, Applied, both([]store.User{newUser("au")}, []store.Key{a}), "create au", "create applied")
		assert.Equal(t, []string{"cu", c.ID}, result.Kept)
		assert.True(t, stored(t, s, a.ID).Applied)
		assert.True(t, storedUser(t, s, "au").Applied)

		again := reconcilesNothing(t, s, Configuration, both([]store.User{newUser("cu")}, []store.Key{c}))
		assert.Empty(t, again.Kept)
		result = reconciles(t, s, Applied, document{}, "withdraw applied", "withdraw au")
		assert.Equal(t, []string{"cu", c.ID}, result.Kept)
		reconciles(t, s, Configuration, document{}, "withdraw of the configuration", "withdraw cu")
		assert.Empty(t, reconcilesNothing(t, s, Applied, document{}).Kept, "what is not in force is not kept")
	})
}

func TestTheNextStartDecidesOnWhatWasAppliedToTheConfigurationsRecords(t *testing.T) {
	onBackends(t, func(t *testing.T, s store.Store) {
		k, _ := newKey("k")
		reconciles(t, s, Configuration, keys(k), "create k")
		changed := k
		changed.Plan = "pro"
		reconciles(t, s, Applied, keys(changed), "update k")
		assert.False(t, stored(t, s, k.ID).Applied)
		reconciles(t, s, Applied, keys())
		assert.False(t, stored(t, s, k.ID).Withdrawn, "it is the configuration's")
		reconciles(t, s, Configuration, keys(k), "update k")
		assert.Empty(t, stored(t, s, k.ID).Plan)
	})
}

func TestARecordMovesFromADocumentToTheConfigurationAndBack(t *testing.T) {
	onBackends(t, func(t *testing.T, s store.Store) {
		k, secret := newKey("k")
		inForce := func() {
			known := opens(t, s, secret.Reveal())
			assert.Equal(t, store.Active, known.StatusAt(now, nil))
		}
		reconciles(t, s, Applied, keys(k), "create k")
		result := reconciles(t, s, Configuration, keys(k), "update k")
		assert.Equal(t, map[string]store.Change{"applied": {From: true}}, result.Changes[0].Fields)
		reconciles(t, s, Configuration, keys(), "withdraw k")
		reconciles(t, s, Applied, keys(k), "restore k")
		inForce()
		reconcilesNothing(t, s, Configuration, keys())
		inForce()
	})
}

func TestAnAppliedDocumentCannotTakeAwayFromTheConfiguration(t *testing.T) {
	onBackends(t, func(t *testing.T, s store.Store) {
		k, _ := newKey("k")
		u := newUser("u")
		reconciles(t, s, Configuration, both([]store.User{u}, []store.Key{k}), "create u", "create k")
		other, _ := newKey("other")
		other.Secrets = k.Secrets
		refused(t, s, Applied, keys(other), "keys::0::digest", k.ID+" is declared in the collector's configuration")
		u.ID = "other"
		refused(t, s, Applied, users(u), "users::0::email", "u is declared in the collector's configuration")
		reconciles(t, s, Applied, both([]store.User{newUser("u")}, []store.Key{k}))
	})
}

func TestTheConfigurationMayTakeADigestFromAnAppliedKey(t *testing.T) {
	onBackends(t, func(t *testing.T, s store.Store) {
		k, secret := newKey("applied")
		reconciles(t, s, Applied, keys(k), "create applied")
		moved := k
		moved.ID, moved.Name = store.NewKeyID(), "moved"
		reconciles(t, s, Configuration, keys(moved), "create moved", "update applied")
		assert.Equal(t, moved.ID, opens(t, s, secret.Reveal()).ID)
		reconcilesNothing(t, s, Configuration, keys(moved))
	})
}

func TestEveryWriteIsInTheAuditLogWithItsActorAndChanges(t *testing.T) {
	onBackends(t, func(t *testing.T, s store.Store) {
		a, secretA := newKey("a")
		b, secretB := newKey("b")
		reconciles(t, s, Applied, both([]store.User{newUser("u")}, []store.Key{a, b}), "create u", "create a", "create b")
		a.Secrets, b.Secrets = b.Secrets, a.Secrets
		u := newUser("u")
		u.ID = "v"
		reconciles(t, s, Applied, both([]store.User{u}, []store.Key{a, b}), "create u", "update a", "update b", "withdraw u")
		var told []string
		for _, record := range slices.Backward(auditLog(t, s)) {
			assert.Equal(t, from(Applied).Actor, record.Actor)
			assert.NotEmpty(t, record.Changes, "%s of %s", record.Action, record.Target)
			assert.Equal(t, now, record.Time)
			told = append(told, record.Action+" "+record.Target)
		}
		assert.Equal(t, []string{
			"user.declare u", "key.declare " + a.ID, "key.declare " + b.ID,
			"user.declare u", "user.declare v", // the email moves
			"key.declare " + b.ID, "key.declare " + a.ID, "key.declare " + b.ID,
			"user.withdraw u",
		}, told)
		requireNoSecret(t, s, secretA.Reveal(), secretB.Reveal())
	})
}

// meddler does something between the plan and the first write.
type meddler struct {
	store.Store
	meddle func()
}

func (m *meddler) once() {
	if m.meddle != nil {
		m.meddle()
		m.meddle = nil
	}
}

func (m *meddler) CreateKey(ctx context.Context, k store.Key, a store.Audit) (store.Key, error) {
	m.once()
	return m.Store.CreateKey(ctx, k, a)
}

func (m *meddler) UpdateKey(ctx context.Context, id string, edit func(*store.Key) (store.Audit, error)) (store.Key, error) {
	m.once()
	return m.Store.UpdateKey(ctx, id, edit)
}

func (m *meddler) CreateUser(ctx context.Context, u store.User, a store.Audit) (store.User, error) {
	m.once()
	return m.Store.CreateUser(ctx, u, a)
}

func (m *meddler) UpdateUser(ctx context.Context, id string, edit func(*store.User) (store.Audit, error)) (store.User, error) {
	m.once()
	return m.Store.UpdateUser(ctx, id, edit)
}

func TestAChangeBetweenThePlanAndItsWritesIsNotLost(t *testing.T) {
	a, _ := newKey("a")
	b, _ := newKey("b")
	changed := a
	changed.Plan = "pro"
	moved := a
	moved.ID, moved.Name = store.NewKeyID(), "moved"
	renamed := newUser("u")
	renamed.Name = "renamed"
	for name, tt := range map[string]struct {
		next   document
		meddle func(t *testing.T, s store.Store)
		err    string
		at     string // what in the document collides
		check  func(t *testing.T, s store.Store)
	}{
		"a revocation before an update": {
			next:   both([]store.User{newUser("u")}, []store.Key{changed, b}),
			meddle: func(t *testing.T, s store.Store) { editKey(t, s, a.ID, revoke) },
			check: func(t *testing.T, s store.Store) {
				assert.False(t, stored(t, s, a.ID).RevokedAt.IsZero())
				assert.Equal(t, "pro", stored(t, s, a.ID).Plan)
			},
		},
		"a revocation before its digest is taken": {
			next:   both([]store.User{newUser("u")}, []store.Key{moved, b}),
			meddle: func(t *testing.T, s store.Store) { editKey(t, s, a.ID, revoke) },
			err:    "has changed meanwhile: it is revoked for good",
			at:     "keys::0::digest",
			check:  func(t *testing.T, s store.Store) { assert.Len(t, stored(t, s, a.ID).Secrets, 1) },
		},
		"a withdrawal that was done already": {
			next: both([]store.User{newUser("u")}, []store.Key{changed}),
			meddle: func(t *testing.T, s store.Store) {
				editKey(t, s, b.ID, func(k *store.Key) { k.Withdrawn = true })
			},
			check: func(t *testing.T, s store.Store) { assert.True(t, stored(t, s, b.ID).Withdrawn) },
		},
		"a deletion before an update": {
			next:   both([]store.User{renamed}, []store.Key{a, b}),
			meddle: func(t *testing.T, s store.Store) { editUser(t, s, "u", func(u *store.User) { u.DeletedAt = now }) },
			err:    `"u" has changed meanwhile: it belongs to a user that was deleted`,
			at:     "users::0::id",
			check:  func(t *testing.T, s store.Store) { assert.False(t, storedUser(t, s, "u").DeletedAt.IsZero()) },
		},
		"another collector that starts with the same configuration": {
			next: both([]store.User{renamed, newUser("v")}, []store.Key{a, b}),
			meddle: func(t *testing.T, s store.Store) {
				reconciles(t, s, Configuration, both([]store.User{renamed, newUser("v")}, []store.Key{a, b}), "update renamed", "create v")
			},
			check: func(t *testing.T, s store.Store) { assert.Equal(t, "renamed", storedUser(t, s, "u").Name) },
		},
		"a new user of the API with that id": {
			next:   both([]store.User{renamed, newUser("v")}, []store.Key{a, b}),
			meddle: func(t *testing.T, s store.Store) { createUser(t, s, newUser("v")) },
			err:    `"v" has changed meanwhile: it belongs to a user made through the admin API`,
			at:     "users::1::id",
			check:  func(t *testing.T, s store.Store) { assert.False(t, storedUser(t, s, "v").Declared) },
		},
		"a new user of the API with that email": {
			next: both([]store.User{renamed, newUser("v")}, []store.Key{a, b}),
			meddle: func(t *testing.T, s store.Store) {
				u := newUser("v")
				u.ID = "w"
				createUser(t, s, u)
			},
			err: "already exists",
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBackends(t, func(t *testing.T, s store.Store) {
				_, err := Reconcile(t.Context(), s, both([]store.User{newUser("u")}, []store.Key{a, b}), from(Configuration))
				require.NoError(t, err)
				m := &meddler{Store: s, meddle: func() { tt.meddle(t, s) }}
				_, err = Reconcile(t.Context(), m, tt.next, from(Configuration))
				if tt.err == "" {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, tt.err)
					require.ErrorContains(t, err, "steps were done: reconcile again")
				}
				requireConflict(t, err, tt.at)
				assert.Nil(t, m.meddle, "it was called")
				if tt.check != nil {
					tt.check(t, s)
				}
			})
		})
	}
}

// requireConflict checks that an error is a collision at a path of the document;
// with no path, that it is none.
func requireConflict(t *testing.T, err error, path string) {
	t.Helper()
	faults := declaration.Errors(err)
	if path == "" {
		require.Empty(t, faults)
		return
	}
	require.Len(t, faults, 1)
	assert.Equal(t, path, strings.Join(faults[0].Path, "::"))
	assert.True(t, faults[0].Conflict)
}

var errFailing = errors.New("the disk is full")

// failing fails the n-th write, before or after it took place.
type failing struct {
	store.Store
	writes, at int
	after      bool
}

func write1[T any](f *failing, do func() (T, error)) (T, error) {
	f.writes++
	if f.writes != f.at {
		return do()
	}
	var none T
	if f.after {
		if _, err := do(); err != nil {
			return none, err
		}
	}
	return none, errFailing
}

func (f *failing) CreateKey(ctx context.Context, k store.Key, a store.Audit) (store.Key, error) {
	return write1(f, func() (store.Key, error) { return f.Store.CreateKey(ctx, k, a) })
}

func (f *failing) UpdateKey(ctx context.Context, id string, edit func(*store.Key) (store.Audit, error)) (store.Key, error) {
	return write1(f, func() (store.Key, error) { return f.Store.UpdateKey(ctx, id, edit) })
}

func (f *failing) CreateUser(ctx context.Context, u store.User, a store.Audit) (store.User, error) {
	return write1(f, func() (store.User, error) { return f.Store.CreateUser(ctx, u, a) })
}

func (f *failing) UpdateUser(ctx context.Context, id string, edit func(*store.User) (store.Audit, error)) (store.User, error) {
	return write1(f, func() (store.User, error) { return f.Store.UpdateUser(ctx, id, edit) })
}

func TestAReconciliationThatIsInterruptedIsCompletedByTheNext(t *testing.T) {
	first, next := twoDocuments()
	whole := func(t *testing.T, s store.Store) { // without interruption
		for _, d := range []document{first, next} {
			_, err := Reconcile(t.Context(), s, d, from(Configuration))
			require.NoError(t, err)
		}
	}
	onBackends(t, func(t *testing.T, s store.Store) {
		whole(t, s)
		want := snapshot(t, s)
		for _, after := range []bool{false, true} {
			for n := 1; ; n++ {
				s := emptyLike(t, s)
				_, err := Reconcile(t.Context(), s, first, from(Configuration))
				require.NoError(t, err)
				f := &failing{Store: s, at: n, after: after}
				result, err := Reconcile(t.Context(), f, next, from(Configuration))
				if f.writes < n {
					require.NoError(t, err)
					assert.Greater(t, n, 15, "writes")
					break
				}
				if err == nil {
					continue // that write had nothing left to do
				}
				require.ErrorIs(t, err, errFailing)
				assert.Empty(t, result)
				assert.Empty(t, declaration.Errors(err))
				_, err = Reconcile(t.Context(), s, next, from(Configuration))
				require.NoError(t, err, "after write %d failed", n)
				require.Equal(t, want, snapshot(t, s), "after write %d failed", n)
				reconcilesNothing(t, s, Configuration, next)
			}
		}
	})
}

// twoDocuments differ in every way that a reconciliation knows.
func twoDocuments() (first, next document) {
	var list []store.Key
	for _, name := range []string{"same", "changed", "swapped", "with this", "moved", "gone"} {
		k, _ := newKey(name)
		k.Type, k.Role, k.OwnerID = identity.UserKey, "", "same"
		list = append(list, k)
	}
	first = both([]store.User{newUser("same"), newUser("changed"), newUser("swapped"), newUser("with"), newUser("moved"), newUser("gone")}, list)
	next = both(slices.Clone(first.Users[:5]), slices.Clone(first.Keys[:5]))
	next.Users[1].Role, next.Keys[1].Plan = identity.Viewer, "pro"
	next.Users[2].Email, next.Users[3].Email = next.Users[3].Email, next.Users[2].Email
	next.Keys[2].Secrets, next.Keys[3].Secrets = next.Keys[3].Secrets, next.Keys[2].Secrets
	next.Users[4].ID, next.Keys[4].ID = "elsewhere", store.NewKeyID()
	fresh, _ := newKey("new")
	next.Users, next.Keys = append(next.Users, newUser("new")), append(next.Keys, fresh)
	return first, next
}
