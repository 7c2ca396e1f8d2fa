package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/store"
)

// managedKey is a key as the API has acknowledged it.
type managedKey struct {
	id, name string
	secrets  []string // newest first; the second one is in its grace period
	owner    *managedUser
	revoked  bool
	changes  map[string]int // records of the audit log, by action
}

// managedUser is to users what managedKey is to keys.
type managedUser struct {
	id, email string
	active    bool
	deleted   bool
	changes   map[string]int
}

// active reports whether the key's secrets are valid.
func (k *managedKey) active() bool {
	return !k.revoked && (k.owner == nil || (k.owner.active && !k.owner.deleted))
}

// manager works on keys and users of its own, one call after the other. A call
// that was not answered is repeated until it is, with the same idempotency key:
// so whatever happens, the manager knows what must be.
type manager struct {
	name    string
	random  *rand.Rand
	keys    []*managedKey
	users   []*managedUser
	pending func(ctx context.Context, a *admin) error // nil: none
	calls   int
}

// work makes calls until one is not answered, or is refused.
func (m *manager) work(ctx context.Context, a *admin) error {
	for {
		if m.pending == nil {
			m.pending = m.next()
		}
		if err := m.pending(ctx, a); err != nil {
			return err
		}
		m.pending = nil
	}
}

// unique returns a text that no other call has.
func (m *manager) unique() string {
	m.calls++
	return fmt.Sprintf("%s-%d", m.name, m.calls)
}

// next chooses a call.
func (m *manager) next() func(context.Context, *admin) error {
	k, u := pick(m.random, m.keys), pick(m.random, m.users)
	switch choice := m.random.IntN(20); {
	case k == nil || choice < 4:
		return m.create(nil)
	case u == nil || choice < 6:
		return m.createUser()
	case choice < 8 && u.active && !u.deleted:
		return m.create(u)
	case choice < 10 && !u.deleted:
		return m.toggle(u)
	case choice == 10 && !u.deleted:
		return m.deleteUser(u)
	case choice == 11:
		return m.revoke(k)
	case choice < 15 && !k.revoked:
		return m.rotate(k)
	case !k.revoked:
		return m.rename(k)
	}
	return m.revoke(k)
}

func pick[T any](random *rand.Rand, list []*T) *T {
	if len(list) == 0 {
		return nil
	}
	return list[random.IntN(len(list))]
}

func (m *manager) create(owner *managedUser) func(context.Context, *admin) error {
	name, plan := m.unique(), "enterprise"
	body := client.KeyCreate{Name: name, Plan: &plan, Scopes: []client.Scope{"traces:read"}}
	if owner != nil {
		body.OwnerID = &owner.id
	}
	return func(ctx context.Context, a *admin) error {
		answer, err := a.api.CreateKeyWithResponse(ctx, &client.CreateKeyParams{IdempotencyKey: &name}, body)
		if err != nil {
			return err
		}
		if err := client.Check(answer.HTTPResponse, answer.Body); err != nil {
			return err
		}
		made := answer.JSON201
		m.keys = append(m.keys, &managedKey{
			id: made.ID, name: name, owner: owner, secrets: []string{a.vault.keep(*made.Key)}, changes: map[string]int{"key.create": 1},
		})
		return nil
	}
}

func (m *manager) rotate(k *managedKey) func(context.Context, *admin) error {
	once := m.unique()
	return func(ctx context.Context, a *admin) error {
		rotated, err := a.tryRotate(ctx, key{id: k.id}, "30d", once)
		if err != nil {
			return err
		}
		k.secrets = append([]string{rotated.secret}, k.secrets[0])
		k.changes["key.rotate"]++
		return nil
	}
}

func (m *manager) rename(k *managedKey) func(context.Context, *admin) error {
	name := m.unique()
	return func(ctx context.Context, a *admin) error {
		answer, err := a.api.UpdateKeyWithResponse(ctx, k.id, nil, client.KeyPatch{Name: &name})
		if err != nil {
			return err
		}
		if err := client.Check(answer.HTTPResponse, answer.Body); err != nil {
			return err
		}
		k.name = name
		k.changes["key.update"]++
		return nil
	}
}

func (m *manager) revoke(k *managedKey) func(context.Context, *admin) error {
	return func(ctx context.Context, a *admin) error {
		if err := a.tryRevoke(ctx, k.id); err != nil {
			return err
		}
		k.revoked, k.changes["key.revoke"] = true, 1
		return nil
	}
}

// createUser has no idempotency key, but an email: that it is taken shows that
// the call was carried out.
func (m *manager) createUser() func(context.Context, *admin) error {
	email := m.unique() + "@example.com"
	return func(ctx context.Context, a *admin) error {
		answer, err := a.api.CreateUserWithResponse(ctx, client.UserCreate{Email: &email})
		if err != nil {
			return err
		}
		if answer.StatusCode() != http.StatusConflict {
			if err := client.Check(answer.HTTPResponse, answer.Body); err != nil {
				return err
			}
		}
		found, err := a.api.ListUsersWithResponse(ctx, &client.ListUsersParams{Q: &email})
		if err != nil {
			return err
		}
		if found.JSON200 == nil || len(found.JSON200.Data) != 1 {
			return fmt.Errorf("user %s is there %s", email, found.Body)
		}
		m.users = append(m.users, &managedUser{id: found.JSON200.Data[0].ID, email: email, active: true, changes: map[string]int{"user.create": 1}})
		return nil
	}
}

func (m *manager) toggle(u *managedUser) func(context.Context, *admin) error {
	active := !u.active
	return func(ctx context.Context, a *admin) error {
		answer, err := a.api.UpdateUserWithResponse(ctx, u.id, nil, client.UserPatch{Active: &active})
		if err != nil {
			return err
		}
		if err := client.Check(answer.HTTPResponse, answer.Body); err != nil {
			return err
		}
		u.active = active
		u.changes["user.update"]++
		return nil
	}
}

func (m *manager) deleteUser(u *managedUser) func(context.Context, *admin) error {
	return func(ctx context.Context, a *admin) error {
		answer, err := a.api.DeleteUserWithResponse(ctx, u.id, nil)
		if err != nil {
			return err
		}
		if answer.StatusCode() != http.StatusNotFound { // which is what a repetition gets
			if err := client.Check(answer.HTTPResponse, answer.Body); err != nil {
				return err
			}
		}
		u.deleted, u.changes["user.delete"] = true, 1
		return nil
	}
}

// auditLog is the whole log, whose chain it has checked.
func (a *admin) auditLog(t *testing.T) (counts map[string]map[string]int, newest string) {
	t.Helper()
	counts = map[string]map[string]int{}
	most, follows := 500, (*string)(nil) // the hash that the next, older record must have
	params := &client.ListAuditParams{Limit: &most}
	for seq := int64(0); ; {
		answer, err := a.api.ListAuditWithResponse(t.Context(), params)
		require.NoError(t, err)
		require.NotNil(t, answer.JSON200, string(answer.Body))
		var page struct{ Data []json.RawMessage }
		require.NoError(t, json.Unmarshal(answer.Body, &page))
		for i, r := range answer.JSON200.Data {
			hash, err := store.AuditHash(page.Data[i])
			require.NoError(t, err)
			text, err := hash.MarshalText()
			require.NoError(t, err)
			require.Equal(t, string(text), *r.Hash, "record %d was edited", r.Seq)
			if seq != 0 {
				require.Equal(t, seq-1, r.Seq, "a record is missing")
				require.Equal(t, follows, r.Hash, "record %d does not follow", r.Seq+1)
			} else {
				newest = fmt.Sprintf("%d:%s", r.Seq, *r.Hash)
			}
			seq, follows = r.Seq, r.PreviousHash
			if r.Target != nil {
				if counts[*r.Target] == nil {
					counts[*r.Target] = map[string]int{}
				}
				counts[*r.Target][r.Action]++
			}
		}
		if answer.JSON200.NextCursor == nil {
			require.EqualValues(t, 1, seq)
			require.Nil(t, follows)
			return counts, newest
		}
		params.Cursor = answer.JSON200.NextCursor
	}
}

// checkManaged compares what the managers know with what the collector says:
// records, listings, the audit log, and what each secret opens.
func checkManaged(t *testing.T, c *collector, managers []*manager) {
	t.Helper()
	listed := c.allKeys(t)
	records, _ := c.auditLog(t)
	for _, m := range managers {
		require.Nil(t, m.pending)
		for _, u := range m.users {
			assert.Equal(t, u.changes, records[u.id], "the audit log of user %s", u.email)
		}
		for _, k := range m.keys {
			shown, ok := listed[k.id]
			if !assert.True(t, ok, "key %s was acknowledged", k.name) {
				continue
			}
			assert.Equal(t, k.name, shown.Name)
			assert.Equal(t, k.changes, records[k.id], "the audit log of key %s", k.name)
			assert.Equal(t, k.active(), shown.Status == client.KeyStatusActive, "status of key %s: %s", k.name, shown.Status)
			assert.Equal(t, k.revoked, shown.Status == client.KeyStatusRevoked)
			for _, secret := range k.secrets {
				assert.Equal(t, k.active(), c.introspect(t, secret, k.id), "a secret of key %s", k.name)
			}
			delete(listed, k.id)
		}
	}
	assert.Len(t, listed, 1, "no key is there that nobody made, but the administrator's")
}

func (a *admin) allKeys(t *testing.T) map[string]client.Key {
	t.Helper()
	all := map[string]client.Key{}
	most := 500
	params := &client.ListKeysParams{Limit: &most}
	for {
		answer, err := a.api.ListKeysWithResponse(t.Context(), params)
		require.NoError(t, err)
		require.NotNil(t, answer.JSON200, string(answer.Body))
		for _, k := range answer.JSON200.Data {
			all[k.ID] = k
		}
		if answer.JSON200.NextCursor == nil {
			return all
		}
		params.Cursor = answer.JSON200.NextCursor
	}
}

// introspect reports whether a secret is valid, and checks whose it is then.
func (a *admin) introspect(t *testing.T, secret, id string) bool {
	t.Helper()
	answer, err := a.api.IntrospectWithFormdataBodyWithResponse(t.Context(), client.IntrospectForm{Token: secret})
	require.NoError(t, err)
	require.NotNil(t, answer.JSON200, string(answer.Body))
	if answer.JSON200.Active {
		assert.Equal(t, id, *answer.JSON200.ClientID)
	}
	return answer.JSON200.Active
}

func TestFiftyManagersAndKillsLeaveAllRecordsSound(t *testing.T) {
	rounds := count(t, "OTLPGATE_CHAOS_ROUNDS", 8)
	storage, v, s := filepath.Join(t.TempDir(), "data"), newVault(t), newSink(t)
	managers := make([]*manager, 50)
	for i := range managers {
		managers[i] = &manager{name: fmt.Sprintf("m%d", i), random: rand.New(rand.NewPCG(uint64(i), 1))}
	}
	var c *collector
	for range rounds {
		c = start(t, options{storage: storage, vault: v, sink: s})
		c.auditLog(t)
		manageAndKill(t, c, managers)
		require.False(t, t.Failed())
	}
	c = start(t, options{storage: storage, vault: v, sink: s})
	finishPending(t, c, managers)
	checkManaged(t, c, managers)
	calls := 0
	for _, m := range managers {
		calls += m.calls
	}
	_, newest := c.auditLog(t)
	t.Logf("%d kills under %d changes; newest record of the audit log %s", rounds, calls, newest)
}

// manageAndKill kills otlpgate at a random moment while all managers work. What
// stops them must be the kill.
func manageAndKill(t *testing.T, c *collector, managers []*manager) {
	t.Helper()
	var working sync.WaitGroup
	for _, m := range managers {
		working.Go(func() {
			err := m.work(t.Context(), c.admin)
			if _, refused := errors.AsType[*client.Error](err); refused {
				t.Errorf("manager %s was refused: %s", m.name, err)
			}
		})
	}
	time.Sleep(100*time.Millisecond + time.Duration(rand.Int64N(int64(500*time.Millisecond)))) // the moment is the test's choice
	c.kill()
	working.Wait()
}

// finishPending repeats what was not answered.
func finishPending(t *testing.T, c *collector, managers []*manager) {
	t.Helper()
	var working sync.WaitGroup
	for _, m := range managers {
		working.Go(func() {
			if m.pending != nil {
				assert.NoError(t, m.pending(t.Context(), c.admin), "manager %s", m.name)
				m.pending = nil
			}
		})
	}
	working.Wait()
}
