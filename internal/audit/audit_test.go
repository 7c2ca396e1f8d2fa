package audit_test

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otlpgate/otlpgate/internal/audit"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 11, 24, 10, 0, 0, 1000, time.UTC)

func asJSON(t *testing.T, changes map[string]store.Change) string {
	t.Helper()
	text, err := json.Marshal(changes)
	require.NoError(t, err)
	return string(text)
}

func TestEveryFieldOfAKeyThatChangesIsTold(t *testing.T) {
	for field, tt := range map[string]struct {
		change func(*store.Key)
		want   string
	}{
		"name":              {func(k *store.Key) { k.Name = "b" }, `{"from":"a","to":"b"}`},
		"description":       {func(k *store.Key) { k.Description = "d" }, `{"to":"d"}`},
		"type":              {func(k *store.Key) { k.Type = identity.UserKey }, `{"to":"user"}`},
		"environment":       {func(k *store.Key) { k.Environment = identity.Test }, `{"to":"test"}`},
		"ownerId":           {func(k *store.Key) { k.OwnerID = "u" }, `{"to":"u"}`},
		"role":              {func(k *store.Key) { k.Role = identity.Viewer }, `{"to":"viewer"}`},
		"scopes":            {func(k *store.Key) { k.Scopes = []identity.Scope{identity.Admin} }, `{"to":["admin"]}`},
		"projects":          {func(k *store.Key) { k.Projects = []string{"p"} }, `{"to":["p"]}`},
		"plan":              {func(k *store.Key) { k.Plan = "pro" }, `{"to":"pro"}`},
		"allowedIps":        {func(k *store.Key) { k.AllowedIPs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} }, `{"to":["10.0.0.0/8"]}`},
		"expectedCountries": {func(k *store.Key) { k.ExpectedCountries = []string{"DE"} }, `{"to":["DE"]}`},
		"expiresAt":         {func(k *store.Key) { k.ExpiresAt = now.Add(time.Nanosecond) }, `{"to":"2026-11-24T10:00:00.000001Z"}`},
		"revokedAt":         {func(k *store.Key) { k.RevokedAt = now }, `{"to":"2026-11-24T10:00:00.000001Z"}`},
		"applied":           {func(k *store.Key) { k.Applied = true }, `{"to":true}`},
		"withdrawn":         {func(k *store.Key) { k.Withdrawn = true }, `{"to":true}`},
	} {
		t.Run(field, func(t *testing.T) {
			before := store.Key{Name: "a"}
			after := before
			tt.change(&after)
			assert.JSONEq(t, `{"`+field+`":`+tt.want+`}`, asJSON(t, audit.KeyChanges(&before, &after)))
			assert.Contains(t, audit.KeyChanges(nil, &after), field)
			assert.Empty(t, audit.KeyChanges(&after, &after))
		})
	}
}

func TestSecretsAreToldWithoutTheirDigest(t *testing.T) {
	old := store.Secret{Digest: store.Digest{1}, Hint: "px_live_old…", CreatedAt: now}
	fresh := store.Secret{Digest: store.Digest{2}, Hint: "px_live_new…", CreatedAt: now.Add(time.Hour)}
	ending := old
	ending.ExpiresAt = now.Add(2 * time.Hour)
	key := func(secrets ...store.Secret) *store.Key { return &store.Key{Secrets: secrets} }

	rotated := audit.KeyChanges(key(old), key(fresh, ending))
	assert.JSONEq(t, `{"secrets": {
		"from": [{"hint": "px_live_old…", "createdAt": "2026-11-24T10:00:00.000001Z", "expiresAt": null}],
		"to": [
			{"hint": "px_live_new…", "createdAt": "2026-11-24T11:00:00.000001Z", "expiresAt": null},
			{"hint": "px_live_old…", "createdAt": "2026-11-24T10:00:00.000001Z", "expiresAt": "2026-11-24T12:00:00.000001Z"}
		]}}`, asJSON(t, rotated))

	bare, other := store.Secret{Digest: store.Digest{1}}, store.Secret{Digest: store.Digest{2}}
	assert.Contains(t, audit.KeyChanges(key(bare), key(other)), "secrets", "another digest that looks the same")
	assert.Contains(t, audit.KeyChanges(key(bare), key()), "secrets")
	assert.Empty(t, audit.KeyChanges(key(bare, other), key(other, bare)), "the order is no change")
	assert.NotContains(t, asJSON(t, rotated), "sha256")
}

func TestEveryFieldOfAUserThatChangesIsTold(t *testing.T) {
	for field, tt := range map[string]struct {
		change func(*store.User)
		want   string
	}{
		"email":     {func(u *store.User) { u.Email = "a@b.c" }, `{"to":"a@b.c"}`},
		"name":      {func(u *store.User) { u.Name = "b" }, `{"from":"a","to":"b"}`},
		"role":      {func(u *store.User) { u.Role = identity.Viewer }, `{"to":"viewer"}`},
		"active":    {func(u *store.User) { u.Active = false }, `{"from":true,"to":false}`},
		"deletedAt": {func(u *store.User) { u.DeletedAt = now }, `{"to":"2026-11-24T10:00:00.000001Z"}`},
		"applied":   {func(u *store.User) { u.Applied = true }, `{"to":true}`},
		"withdrawn": {func(u *store.User) { u.Withdrawn = true }, `{"to":true}`},
	} {
		t.Run(field, func(t *testing.T) {
			before := store.User{Name: "a", Active: true}
			after := before
			tt.change(&after)
			assert.JSONEq(t, `{"`+field+`":`+tt.want+`}`, asJSON(t, audit.UserChanges(&before, &after)))
			assert.Contains(t, audit.UserChanges(nil, &after), field)
			assert.Empty(t, audit.UserChanges(&after, &after))
		})
	}
}
