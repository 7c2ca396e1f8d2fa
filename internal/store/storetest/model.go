package storetest

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

func checkDigit(text string) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(text))) }

// testModel does the same random things to the backend and to memory and
// compares the answers. There are few ids, digests, emails and times, so that
// they collide.
func (s *suite) testModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{ctx: t.Context(), real: s.open(t), want: NewMemory()}
		defer func() { require.NoError(rt, m.real.Close()) }()
		rt.Repeat(map[string]func(*rapid.T){
			"create key": m.createKey, "update key": m.updateKey, "read key": m.readKey, "list keys": m.listKeys,
			"create user": m.createUser, "update user": m.updateUser, "read user": m.readUser, "list users": m.listUsers,
			"list audit": m.listAudit, "append audit": m.appendAudit, "keep uses": m.keepUses, "last uses": m.lastUses,
		})
	})
}

type model struct {
	ctx        context.Context //nolint:containedctx // that of one test
	real, want store.Store
	revision   uint64
}

var few = rapid.IntRange(0, 4)

func keyID(t *rapid.T) string  { return Key(few.Draw(t, "key")).ID }
func userID(t *rapid.T) string { return User(few.Draw(t, "user")).ID }

func secrets(t *rapid.T) []store.Secret {
	return rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 9), func(n int) store.Secret {
		return store.Secret{Digest: Digest(n), Hint: fmt.Sprintf("hint %d", n)}
	}), 0, 2).Draw(t, "secrets")
}

// sameClass checks that both stores succeeded, or failed for the same reason.
func sameClass(t *rapid.T, want, got error) bool {
	for _, class := range []error{store.ErrNotFound, store.ErrExists, store.ErrInvalid, store.ErrBadCursor, errors.ErrUnsupported} {
		require.Equal(t, errors.Is(want, class), errors.Is(got, class), "want %v, got %v", want, got)
	}
	require.Equal(t, want == nil, got == nil, "want %v, got %v", want, got)
	return want == nil
}

// written compares the records that a write has returned; revisions need not be
// equal, but must grow.
func written[T any](t *rapid.T, m *model, want, got T, wantErr, gotErr error, revision func(*T) *uint64) {
	if !sameClass(t, wantErr, gotErr) {
		return
	}
	require.Greater(t, *revision(&got), m.revision)
	m.revision = *revision(&got)
	*revision(&want), *revision(&got) = 0, 0
	require.Equal(t, want, got)
}

func keyRevision(k *store.Key) *uint64   { return &k.Revision }
func userRevision(u *store.User) *uint64 { return &u.Revision }

func (m *model) createKey(t *rapid.T) {
	n := few.Draw(t, "key")
	k := Key(n)
	k.CreatedAt, k.Secrets = at(few.Draw(t, "created")), secrets(t)
	if rapid.Bool().Draw(t, "owned") {
		k.Type, k.OwnerID = identity.UserKey, userID(t)
	}
	want, wantErr := m.want.CreateKey(m.ctx, k, Audit("key.create", k.ID))
	got, err := m.real.CreateKey(m.ctx, k, Audit("key.create", k.ID))
	written(t, m, want, got, wantErr, err, keyRevision)
}

func (m *model) updateKey(t *rapid.T) {
	id := keyID(t)
	edit := keyEdit(t)
	update := func(k *store.Key) (store.Audit, error) { return Audit("key.update", k.ID), edit(k) }
	want, wantErr := m.want.UpdateKey(m.ctx, id, update)
	got, err := m.real.UpdateKey(m.ctx, id, update)
	written(t, m, want, got, wantErr, err, keyRevision)
}

func keyEdit(t *rapid.T) func(*store.Key) error {
	list, owner := secrets(t), userID(t)
	edits := map[string]func(*store.Key) error{
		"revoke":   func(k *store.Key) error { k.RevokedAt = at(20); return nil },
		"restore":  func(k *store.Key) error { k.RevokedAt = Key(0).RevokedAt; return nil },
		"secrets":  func(k *store.Key) error { k.Secrets = list; return nil },
		"rotate":   func(k *store.Key) error { k.Secrets = append(slices.Clone(list), k.Secrets...); return nil },
		"owner":    func(k *store.Key) error { k.Type, k.OwnerID = identity.UserKey, owner; return nil },
		"expire":   func(k *store.Key) error { k.ExpiresAt = at(3); return nil },
		"withdraw": func(k *store.Key) error { k.Withdrawn = !k.Withdrawn; return nil },
		"rename":   func(k *store.Key) error { k.Name += "x"; return nil },
		"refuse":   func(k *store.Key) error { k.Name = "refused"; return errors.ErrUnsupported },
		"cheat":    func(k *store.Key) error { k.ID += "x"; return nil },
	}
	return edits[rapid.SampledFrom(sortedKeys(edits)).Draw(t, "edit")]
}

func sortedKeys[T any](m map[string]T) []string {
	names := []string{}
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (m *model) readKey(t *rapid.T) {
	id, digest := keyID(t), Digest(rapid.IntRange(0, 9).Draw(t, "digest"))
	want, wantErr := m.want.Key(m.ctx, id)
	got, err := m.real.Key(m.ctx, id)
	sameRecord(t, want, got, wantErr, err, keyRevision)
	want, wantErr = m.want.KeyByDigest(m.ctx, digest)
	got, err = m.real.KeyByDigest(m.ctx, digest)
	sameRecord(t, want, got, wantErr, err, keyRevision)
}

func sameRecord[T any](t *rapid.T, want, got T, wantErr, gotErr error, revision func(*T) *uint64) {
	if sameClass(t, wantErr, gotErr) {
		*revision(&want), *revision(&got) = 0, 0
		require.Equal(t, want, got)
	}
}

func firstPage(t *rapid.T) store.Page {
	return store.Page{Limit: rapid.IntRange(1, 6).Draw(t, "limit"), Scan: rapid.IntRange(0, 3).Draw(t, "scan")}
}

func (m *model) listKeys(t *rapid.T) {
	filter := store.KeyFilter{
		Status: rapid.SampledFrom([]store.Status{"", store.Active, store.Expired, store.Revoked, store.Disabled}).Draw(t, "status"),
		Type:   rapid.SampledFrom([]identity.KeyType{"", identity.UserKey, identity.SystemKey}).Draw(t, "type"),
		Query:  rapid.SampledFrom([]string{"", "KEY", "HINT 3", "x"}).Draw(t, "query"),
		Now:    at(rapid.IntRange(0, 6).Draw(t, "now")),
	}
	if rapid.Bool().Draw(t, "by owner") {
		filter.OwnerID = userID(t)
	}
	first := firstPage(t)
	read := func(s store.Store) []store.Key {
		keys := pages(t, first, func(p store.Page) ([]store.Key, string, error) {
			page, err := s.ListKeys(m.ctx, filter, p)
			return page.Keys, page.Next, err
		})
		for i := range keys {
			keys[i].Revision = 0
		}
		return keys
	}
	require.Equal(t, read(m.want), read(m.real))
}

func (m *model) createUser(t *rapid.T) {
	u := User(few.Draw(t, "user"))
	u.CreatedAt, u.Email = at(few.Draw(t, "created")), email(t)
	want, wantErr := m.want.CreateUser(m.ctx, u, Audit("user.create", u.ID))
	got, err := m.real.CreateUser(m.ctx, u, Audit("user.create", u.ID))
	written(t, m, want, got, wantErr, err, userRevision)
}

func email(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "a@example.com", "A@Example.com", "b@example.com"}).Draw(t, "email")
}

func (m *model) updateUser(t *rapid.T) {
	id, address := userID(t), email(t)
	deleted, active := rapid.Bool().Draw(t, "deleted"), rapid.Bool().Draw(t, "active")
	update := func(u *store.User) (store.Audit, error) {
		u.Email, u.Active, u.DeletedAt = address, active, User(0).DeletedAt
		if deleted {
			u.DeletedAt = at(9)
		}
		return Audit("user.update", u.ID), nil
	}
	want, wantErr := m.want.UpdateUser(m.ctx, id, update)
	got, err := m.real.UpdateUser(m.ctx, id, update)
	written(t, m, want, got, wantErr, err, userRevision)
}

func (m *model) readUser(t *rapid.T) {
	id, address := userID(t), email(t)
	want, wantErr := m.want.User(m.ctx, id)
	got, err := m.real.User(m.ctx, id)
	sameRecord(t, want, got, wantErr, err, userRevision)
	want, wantErr = m.want.UserByEmail(m.ctx, address)
	got, err = m.real.UserByEmail(m.ctx, address)
	sameRecord(t, want, got, wantErr, err, userRevision)
}

func (m *model) listUsers(t *rapid.T) {
	filter := store.UserFilter{
		Role:  rapid.SampledFrom([]identity.Role{"", identity.Member, identity.Viewer}).Draw(t, "role"),
		Query: rapid.SampledFrom([]string{"", "USER 1", "a@"}).Draw(t, "query"),
	}
	if rapid.Bool().Draw(t, "by activity") {
		active := rapid.Bool().Draw(t, "active")
		filter.Active = &active
	}
	first := firstPage(t)
	read := func(s store.Store) []store.User {
		users := pages(t, first, func(p store.Page) ([]store.User, string, error) {
			page, err := s.ListUsers(m.ctx, filter, p)
			return page.Users, page.Next, err
		})
		for i := range users {
			users[i].Revision = 0
		}
		return users
	}
	require.Equal(t, read(m.want), read(m.real))
}

func (m *model) listAudit(t *rapid.T) {
	filter := store.AuditFilter{
		Action:  rapid.SampledFrom([]string{"", "key.update", "user.create"}).Draw(t, "action"),
		Outcome: rapid.SampledFrom([]store.Outcome{"", store.Success, store.Refused}).Draw(t, "outcome"),
		Actor:   rapid.SampledFrom([]string{"", "admin", "nobody"}).Draw(t, "actor"),
	}
	if rapid.Bool().Draw(t, "by target") {
		filter.Target = keyID(t)
	}
	first := firstPage(t)
	read := func(s store.Store) []store.Audit {
		return pages(t, first, func(p store.Page) ([]store.Audit, string, error) {
			page, err := s.ListAudit(m.ctx, filter, p)
			return page.Records, page.Next, err
		})
	}
	require.Equal(t, read(m.want), read(m.real))
}

// appendAudit compares hashes too: the same writes make the same chain.
func (m *model) appendAudit(t *rapid.T) {
	a := rapid.SampledFrom([]store.Audit{refusal(""), refusal(keyID(t)), Audit("backup.create", ""), Audit("\x00", "")}).Draw(t, "audit")
	want, wantErr := m.want.AppendAudit(m.ctx, a)
	got, err := m.real.AppendAudit(m.ctx, a)
	if sameClass(t, wantErr, err) {
		require.Equal(t, want, got)
	}
}

func (m *model) keepUses(t *rapid.T) {
	uses := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) store.Use {
		return store.Use{KeyID: keyID(t), Secret: Digest(rapid.IntRange(0, 9).Draw(t, "digest")).Ref(), At: at(few.Draw(t, "at"))}
	}), 0, 3).Draw(t, "uses")
	sameClass(t, m.want.KeepUses(m.ctx, uses), m.real.KeepUses(m.ctx, uses))
}

func (m *model) lastUses(t *rapid.T) {
	id := keyID(t)
	want, wantErr := m.want.LastUses(m.ctx, id)
	got, err := m.real.LastUses(m.ctx, id)
	sameClass(t, wantErr, err)
	require.Equal(t, sortedUses(want), sortedUses(got))
	all, err := allUses(m.ctx, m.want)
	require.NoError(t, err)
	allGot, err := allUses(m.ctx, m.real)
	require.NoError(t, err)
	require.Equal(t, sortedUses(all), sortedUses(allGot))
}
