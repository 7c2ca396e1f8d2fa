package provision

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otlpgate/otlpgate/internal/audit"
	"github.com/otlpgate/otlpgate/internal/declaration"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

// There are few ids, emails and digests, so that they collide.
const few = 4

func someUser(t *rapid.T, id, email int) store.User {
	u := store.User{
		ID: fmt.Sprintf("user%d", id), Name: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name"), Role: identity.Member,
		Active: rapid.Bool().Draw(t, "active"),
	}
	if email < few {
		u.Email = fmt.Sprintf("%d@example.com", email)
	}
	return u
}

func someKey(t *rapid.T, id, digest int) store.Key {
	k := store.Key{
		ID: storetest.Key(id).ID, Name: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name"), Type: identity.UserKey, Environment: identity.Live,
		OwnerID: rapid.SampledFrom([]string{store.BuiltinUserID, "user0", "user1"}).Draw(t, "owner"),
		Scopes:  []identity.Scope{identity.TracesWrite},
		Secrets: []store.Secret{{Digest: storetest.Digest(digest), Hint: fmt.Sprint("hint ", digest)}},
	}
	return k
}

// order returns some of the first numbers in any order.
func order(t *rapid.T, what string) []int {
	all := rapid.Permutation([]int{0, 1, 2, 3}).Draw(t, what)
	return all[:rapid.IntRange(0, few).Draw(t, "length")]
}

func someDocument(t *rapid.T) document {
	var d document
	emails := rapid.Permutation([]int{0, 1, 2, 3, few, few}).Draw(t, "emails") // few: none
	for i, id := range order(t, "users") {
		d.Users = append(d.Users, someUser(t, id, emails[i]))
	}
	digests := rapid.Permutation([]int{0, 1, 2, 3, 4, 5}).Draw(t, "digests")
	for i, id := range order(t, "keys") {
		d.Keys = append(d.Keys, someKey(t, id, digests[i]))
	}
	return d
}

// happen does what may happen to records between two reconciliations.
func happen(t *rapid.T, s store.Store) {
	user, key := rapid.IntRange(0, few-1).Draw(t, "user"), rapid.IntRange(0, few-1).Draw(t, "key")
	a := store.Audit{Time: now, Action: "test"}
	ctx := t.Context()
	// Errors are of records that are not there, or there already.
	switch rapid.IntRange(0, 4).Draw(t, "happens") {
	case 0:
		u := someUser(t, user, rapid.IntRange(0, few).Draw(t, "email"))
		u.CreatedAt = now
		_, _ = s.CreateUser(ctx, u, a)
	case 1:
		k := someKey(t, key, rapid.IntRange(0, 5).Draw(t, "digest"))
		k.CreatedAt = now
		_, _ = s.CreateKey(ctx, k, a)
	case 2:
		_, _ = s.UpdateUser(ctx, fmt.Sprintf("user%d", user), func(u *store.User) (store.Audit, error) {
			u.DeletedAt = now
			return a, nil
		})
	case 3:
		_, _ = s.UpdateKey(ctx, storetest.Key(key).ID, func(k *store.Key) (store.Audit, error) {
			k.RevokedAt = now
			return a, nil
		})
	}
}

// predicted compares two states of a store with what a result says.
func predicted(t *rapid.T, before, after contents, result Result) {
	told := map[string]Change{}
	for _, c := range result.Changes {
		require.NotContains(t, told, string(c.Kind)+c.ID, "told once")
		require.NotEmpty(t, c.Fields)
		told[string(c.Kind)+c.ID] = c
	}
	for id, u := range after.users {
		old, existed := before.users[id]
		changes := audit.UserChanges(pointer(old, existed), &u)
		require.Equal(t, changes, orEmpty(told["user"+id].Fields), "user %s", id)
		requireAction(t, told["user"+id].Action, existed, old.Withdrawn, u.Withdrawn)
	}
	for id, k := range after.keys {
		old, existed := before.keys[id]
		changes := audit.KeyChanges(pointer(old, existed), &k)
		require.Equal(t, changes, orEmpty(told["key"+id].Fields), "key %s", id)
		require.Equal(t, old.RevokedAt, k.RevokedAt, "no revocation is lost")
		if k.RevokedAt.IsZero() {
			requireAction(t, told["key"+id].Action, existed, old.Withdrawn, k.Withdrawn)
		}
	}
	require.Len(t, told, len(result.Changes))
}

func requireAction(t *rapid.T, got Action, existed, wasWithdrawn, isWithdrawn bool) {
	switch {
	case got == "":
		require.Equal(t, wasWithdrawn, isWithdrawn)
	case !existed:
		require.Equal(t, Create, got)
	case wasWithdrawn && !isWithdrawn:
		require.Equal(t, Restore, got)
	case !wasWithdrawn && isWithdrawn:
		require.Equal(t, Withdraw, got)
	default:
		require.Equal(t, Update, got)
	}
}

func pointer[T any](v T, ok bool) *T {
	if !ok {
		return nil
	}
	return &v
}

func orEmpty(changes map[string]store.Change) map[string]store.Change {
	if changes == nil {
		return map[string]store.Change{}
	}
	return changes
}

func auditLength(t *rapid.T, s store.Store) int {
	page, err := s.ListAudit(t.Context(), store.AuditFilter{}, store.Page{Limit: store.MaxLimit})
	require.NoError(t, err)
	return len(page.Records)
}

func TestADryRunWritesNothingAndSaysWhatTheRealOneDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := storetest.NewMemory()
		for range rapid.IntRange(1, 6).Draw(t, "rounds") {
			happen(t, s)
			d := someDocument(t)
			o := from(rapid.SampledFrom([]Source{Configuration, Applied}).Draw(t, "source"))
			dryRun := o
			dryRun.DryRun = true

			before, written := snapshot(t, s), auditLength(t, s)
			want, wantErr := Reconcile(t.Context(), s, d, dryRun)
			require.Equal(t, before, snapshot(t, s))
			require.Equal(t, written, auditLength(t, s))

			got, err := Reconcile(t.Context(), s, d, o)
			require.Equal(t, wantErr, err)
			require.Equal(t, want, got)
			predicted(t, before, snapshot(t, s), got)
			if err != nil {
				require.NotEmpty(t, declaration.Errors(err))
				require.Equal(t, written, auditLength(t, s))
				continue
			}
			asDeclared(t, snapshot(t, s), d)

			before, written = snapshot(t, s), auditLength(t, s)
			again, err := Reconcile(t.Context(), s, d, o)
			require.NoError(t, err)
			require.Empty(t, again.Changes, "the second run changes nothing")
			require.Equal(t, len(d.Users)+len(d.Keys), again.Unchanged)
			require.Equal(t, got.Kept, again.Kept)
			require.Equal(t, before, snapshot(t, s))
			require.Equal(t, written, auditLength(t, s))
		}
	})
}

// asDeclared checks that every record of the document is in force as it says.
func asDeclared(t *rapid.T, c contents, d document) {
	for _, u := range d.Users {
		stored := c.users[u.ID]
		require.True(t, stored.Declared && !stored.Withdrawn)
		require.Equal(t, []any{u.Email, u.Name, u.Role, u.Active}, []any{stored.Email, stored.Name, stored.Role, stored.Active})
	}
	for _, k := range d.Keys {
		stored := c.keys[k.ID]
		require.True(t, stored.Declared && !stored.Withdrawn)
		require.Equal(t, k.Secrets[0].Digest, stored.Secrets[0].Digest)
		require.Equal(t, []any{k.Name, k.OwnerID, k.Scopes}, []any{stored.Name, stored.OwnerID, stored.Scopes})
	}
}
