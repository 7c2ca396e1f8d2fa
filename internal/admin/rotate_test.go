package admin

import (
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

func (h *harness) rotated(id, grace string, edits ...func(*http.Request)) api.Key {
	h.t.Helper()
	a := h.rotate(h.admin, id, `{"gracePeriod":"`+grace+`"}`, edits...)
	require.Equal(h.t, http.StatusOK, a.status, a.body)
	return keyOf(h.t, a)
}

// opens tells what the caller of a key is answered.
func (h *harness) opens(secret string) string {
	h.t.Helper()
	return h.get(secret, "/whoami").code(h.t)
}

const (
	opened  = "OK"
	ended   = "Unauthorized expired_key"
	unknown = "Unauthorized unknown_key"
	gone    = "Unauthorized revoked_key"
)

func TestARotatedKeyIsTheSameKeyWithAnotherSecret(t *testing.T) {
	h := newHarness(t)
	made := h.created(h.admin, `{"name":"k","scopes":["traces:read"],"projects":["a"],"plan":"pro","expiresAt":"2027-01-01T00:00:00Z"}`)
	h.setClock(epoch.Add(time.Hour))
	rotated := h.rotated(made.ID, "24h")
	require.NotEqual(t, made.Key, rotated.Key)
	require.Len(t, rotated.Secrets, 2)
	assert.Equal(t, rotated.Hint, rotated.Secrets[0].Hint)
	assert.Equal(t, made.Hint, rotated.Secrets[1].Hint)
	assert.Equal(t, epoch.Add(25*time.Hour), *rotated.Secrets[1].ExpiresAt)
	assert.Nil(t, rotated.Secrets[0].ExpiresAt)

	rotated.Key, rotated.Hint, rotated.Secrets = made.Key, made.Hint, made.Secrets
	assert.Equal(t, made, rotated, "all else is as it was")
	shown := keyOf(t, h.get(h.admin, "/api-keys/"+made.ID))
	assert.Nil(t, shown.Key, "the secret is shown once")
}

func TestTheOldSecretEndsExactlyAtTheEndOfTheGracePeriod(t *testing.T) {
	h := newHarness(t)
	made := h.created(h.admin, `{"name":"k","scopes":["traces:read"]}`)
	rotated := h.rotated(made.ID, "24h")
	end := epoch.Add(24 * time.Hour)
	for _, tt := range []struct {
		at   time.Time
		want string
	}{{epoch, opened}, {end.Add(-time.Microsecond), opened}, {end, ended}, {end.Add(time.Hour), ended}} {
		h.setClock(tt.at)
		assert.Equal(t, tt.want, h.opens(*made.Key), tt.at)
		assert.Equal(t, opened, h.opens(*rotated.Key))
	}
	assert.Contains(t, h.get(*made.Key, "/whoami").problem(t).Detail, "given a new secret")
}

func TestAnImmediateRotationEndsTheOldSecretBeforeItReturns(t *testing.T) {
	h := newHarness(t)
	made := h.created(h.admin, `{"name":"k","scopes":["traces:read"]}`)
	require.Equal(t, opened, h.opens(*made.Key), "so that it is cached")
	for _, grace := range []string{"0", "0s"} {
		rotated := h.rotated(made.ID, grace)
		assert.Equal(t, ended, h.opens(*made.Key))
		assert.Equal(t, opened, h.opens(*rotated.Key))
		made = rotated
	}
}

func TestTheGracePeriodIsADayUnlessItIsGiven(t *testing.T) {
	h := newHarness(t)
	made := h.created(h.admin, `{"name":"k","scopes":["traces:read"]}`)
	rotated := keyOf(t, h.rotate(h.admin, made.ID, `{}`))
	assert.Equal(t, epoch.Add(24*time.Hour), *rotated.Secrets[1].ExpiresAt)
}

func TestARotatedKeyCanBeRotatedAndHasTwoSecretsAtMost(t *testing.T) {
	h := newHarness(t)
	first := h.created(h.admin, `{"name":"k","scopes":["traces:read"]}`)
	second := h.rotated(first.ID, "24h")
	third := h.rotated(first.ID, "1h")
	require.Len(t, third.Secrets, 2)
	assert.Equal(t, []string{unknown, opened, opened}, []string{h.opens(*first.Key), h.opens(*second.Key), h.opens(*third.Key)})
	h.setClock(epoch.Add(time.Hour))
	assert.Equal(t, []string{ended, opened}, []string{h.opens(*second.Key), h.opens(*third.Key)})
}

func TestASecretNeverOutlivesItsKeyOrItsEarlierEnd(t *testing.T) {
	h := newHarness(t)
	made := h.created(h.admin, `{"name":"k","scopes":["traces:read"],"expiresAt":"2026-07-01T10:30:00Z"}`)
	rotated := h.rotated(made.ID, "90d")
	h.setClock(epoch.Add(time.Hour))
	assert.Equal(t, []string{ended, ended}, []string{h.opens(*made.Key), h.opens(*rotated.Key)})
	assert.Contains(t, h.get(*made.Key, "/whoami").problem(t).Detail, "has expired")
}

func TestRevocationDuringGraceEndsBothSecrets(t *testing.T) {
	h := newHarness(t)
	made := h.created(h.admin, `{"name":"k","scopes":["traces:read"]}`)
	rotated := h.rotated(made.ID, "24h")
	require.Equal(t, []string{opened, opened}, []string{h.opens(*made.Key), h.opens(*rotated.Key)})
	require.Equal(t, http.StatusNoContent, h.revoke(h.admin, made.ID).status)
	assert.Equal(t, []string{gone, gone}, []string{h.opens(*made.Key), h.opens(*rotated.Key)})
	assert.Equal(t, "Conflict key_revoked", h.rotate(h.admin, made.ID, `{}`).code(t))
}

func TestConcurrentRotationsLeaveTwoSecretsThatWork(t *testing.T) {
	h := newHarness(t)
	made := h.created(h.admin, `{"name":"k","scopes":["traces:read"]}`)
	secrets := make([]string, 20)
	var workers sync.WaitGroup
	for i := range secrets {
		workers.Go(func() {
			a := h.rotate(h.admin, made.ID, `{"gracePeriod":"24h"}`)
			if assert.Equal(t, http.StatusOK, a.status) {
				secrets[i] = *keyOf(t, a).Key
			}
		})
	}
	workers.Wait()
	working := 0
	for _, secret := range secrets {
		if h.opens(secret) == opened {
			working++
		}
	}
	assert.Equal(t, 2, working)
	stored, err := h.store.Key(t.Context(), made.ID)
	require.NoError(t, err)
	assert.Len(t, stored.Secrets, 2)
}

func TestWhoRotatesAKeyMustHaveAllThatItHas(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Member)
	ada, _ := h.userKey("ada", identity.TracesRead, identity.TracesWrite)
	const day = 24 * time.Hour
	for name, tt := range map[string]struct {
		key  store.Key
		want string
	}{
		"the same rights":    {store.Key{Scopes: []identity.Scope{identity.TracesRead, identity.TracesWrite}}, opened},
		"fewer rights":       {store.Key{Scopes: []identity.Scope{identity.TracesRead}, Projects: []string{"a"}, ExpiresAt: epoch.Add(day)}, opened},
		"a larger scope":     {store.Key{Scopes: []identity.Scope{identity.LogsRead}}, "Forbidden exceeds_caller"},
		"a larger plan":      {store.Key{Scopes: []identity.Scope{identity.TracesRead}, Plan: "pro"}, "Forbidden exceeds_caller"},
		"an unlimited plan":  {store.Key{Scopes: []identity.Scope{identity.TracesRead}, Plan: "enterprise"}, "Forbidden exceeds_caller"},
		"a larger limit":     {store.Key{Scopes: []identity.Scope{identity.TracesRead}, Limits: []limit.Limit{{On: limit.Ingest, Unit: limit.Requests, Max: 101, Window: limit.Window(time.Minute)}}}, "Forbidden exceeds_caller"},
		"a limit beside its": {store.Key{Scopes: []identity.Scope{identity.TracesRead}, Limits: []limit.Limit{{On: limit.Ingest, Unit: limit.Requests, Max: 10, Window: limit.Window(time.Hour)}}}, "Forbidden exceeds_caller"},
		"a smaller limit":    {store.Key{Scopes: []identity.Scope{identity.TracesRead}, Limits: []limit.Limit{{On: limit.Ingest, Unit: limit.Requests, Max: 99, Window: limit.Window(time.Minute)}}}, opened},
		"one limit more":     {store.Key{Scopes: []identity.Scope{identity.TracesRead}, Limits: []limit.Limit{{On: limit.Traces, Unit: limit.Items, Max: 99, Window: limit.Window(time.Minute)}}}, opened},
		"another's":          {store.Key{OwnerID: "admin", Scopes: []identity.Scope{identity.TracesRead}}, "Not Found key_not_found"},
		"declared elsewhere": {store.Key{Scopes: []identity.Scope{identity.TracesRead}, Declared: true}, "Conflict key_declared"},
		"ended":              {store.Key{Scopes: []identity.Scope{identity.TracesRead}, ExpiresAt: epoch}, "Conflict key_expired"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.key.OwnerID == "" {
				tt.key.OwnerID = "ada"
			}
			_, id := h.keyAndID(tt.key)
			assert.Equal(t, tt.want, h.rotate(ada, id, `{}`).code(t))
		})
	}
}

func TestAKeyMayRotateItselfAndNotesWhatItDid(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Member)
	secret, id := h.keyAndID(store.Key{OwnerID: "ada", Scopes: []identity.Scope{identity.TracesWrite}, Plan: "pro"})
	a := h.rotate(secret, id, `{"gracePeriod":"0"}`)
	require.Equal(t, opened, a.code(t))
	assert.Equal(t, ended, h.opens(secret))
	record := h.newestAudit()
	assert.Equal(t, "key.rotate", record.Action)
	assert.Equal(t, id, record.Target)
	assert.Equal(t, id, record.Actor.KeyID)
	require.Contains(t, record.Changes, "secrets")
	text, err := json.Marshal(record)
	require.NoError(t, err)
	assert.False(t, h.leaks(string(text)))
}

func TestTheBootstrapKeyRemembersItsFormerSecrets(t *testing.T) {
	h := newHarness(t)
	_, id := h.keyAndID(store.Key{Type: identity.SystemKey, Role: identity.AdminRole, Scopes: []identity.Scope{identity.Admin}, Bootstrap: true})
	first, err := h.store.Key(t.Context(), id)
	require.NoError(t, err)
	for range 3 {
		h.rotated(id, "0")
	}
	now, err := h.store.Key(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, now.Retired, 2)
	assert.Equal(t, first.Secrets[0].Digest, now.Retired[1], "newest first")
}

func TestBrokenRulesOfARotationAreNamed(t *testing.T) {
	h := newHarness(t)
	id := h.created(h.admin, `{"name":"k","scopes":["traces:read"]}`).ID
	const rule = "/gracePeriod: must be a length of 0 to 90d such as 0, 30m, 24h or 7d"
	for body, want := range map[string]string{
		`{"gracePeriod":"-1h"}`:   rule,
		`{"gracePeriod":"91d"}`:   rule,
		`{"gracePeriod":"1 day"}`: rule,
		`{"gracePeriod":""}`:      rule,
		`{"gracePeriod":24}`:      "/gracePeriod: must be of type string",
		`{"grace":"24h"}`:         "/grace: no such field: known are gracePeriod",
	} {
		a := h.rotate(h.admin, id, body)
		require.Equal(t, "Bad Request invalid_request", a.code(t), body)
		assert.Equal(t, want, rulesOf(t, a))
	}
}

func TestTheLastUseOfEachSecretIsShown(t *testing.T) {
	h := newHarness(t)
	made := h.created(h.admin, `{"name":"k","scopes":["traces:read"]}`)
	h.rotated(made.ID, "24h")
	stored, err := h.store.Key(t.Context(), made.ID)
	require.NoError(t, err)
	old, recent := epoch.Add(-time.Hour), epoch.Add(-time.Minute)
	require.NoError(t, h.store.KeepUses(t.Context(), []store.Use{
		{KeyID: made.ID, Secret: stored.Secrets[0].Digest.Ref(), At: old}, {KeyID: made.ID, Secret: stored.Secrets[1].Digest.Ref(), At: recent},
	}))
	shown := keyOf(t, h.get(h.admin, "/api-keys/"+made.ID))
	assert.Equal(t, old, *shown.Secrets[0].LastUsedAt)
	assert.Equal(t, recent, *shown.Secrets[1].LastUsedAt, "somebody still uses the old one")
	assert.Equal(t, recent, *shown.LastUsedAt)

	var list api.KeyList
	require.NoError(t, json.Unmarshal([]byte(h.get(h.admin, "/api-keys?q=k").body), &list))
	for _, k := range list.Data {
		if k.ID == made.ID {
			assert.Equal(t, shown.Secrets, k.Secrets)
		}
	}
}

func TestASecretInItsGracePeriodCannotOutliveIt(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Member)
	old, id := h.userKey("ada", identity.TracesRead)
	h.rotated(id, "1h")
	assert.Equal(t, "Forbidden exceeds_caller", h.rotate(old, id, `{}`).code(t))
	made := h.created(old, body)
	require.NotNil(t, made.ExpiresAt, "a key that it makes ends with it")
	assert.Equal(t, epoch.Add(time.Hour), *made.ExpiresAt)
	assert.Equal(t, "Forbidden exceeds_caller", h.create(old, `{"name":"k","scopes":["traces:read"],"expiresAt":"2027-01-01T00:00:00Z"}`).code(t))

	root, rootID := h.keyAndID(store.Key{Type: identity.SystemKey, Role: identity.AdminRole, Scopes: []identity.Scope{identity.Admin}})
	h.rotated(rootID, "1h")
	assert.Equal(t, "Forbidden exceeds_caller", h.rotate(root, rootID, `{}`).code(t), "an administrator's neither")
}
