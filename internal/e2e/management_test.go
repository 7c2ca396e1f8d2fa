package e2e

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// rotate gives a key a new secret and returns the key with it.
func (a *admin) rotate(t *testing.T, k key, grace string) key {
	t.Helper()
	rotated, err := a.tryRotate(t.Context(), k, grace, "")
	require.NoError(t, err)
	return rotated
}

// tryRotate sends the idempotency key, unless it is empty.
func (a *admin) tryRotate(ctx context.Context, k key, grace, idempotencyKey string) (key, error) {
	params := &client.RotateKeyParams{}
	if idempotencyKey != "" {
		params.IdempotencyKey = &idempotencyKey
	}
	answer, err := a.api.RotateKeyWithResponse(ctx, k.id, params, client.KeyRotate{GracePeriod: &grace})
	if err != nil {
		return key{}, err
	}
	if err := client.Check(answer.HTTPResponse, answer.Body); err != nil {
		return key{}, err
	}
	return key{k.id, a.vault.keep(*answer.JSON200.Key)}, nil
}

func (a *admin) createUser(t *testing.T, name string, role client.Role) string {
	t.Helper()
	answer, err := a.api.CreateUserWithResponse(t.Context(), client.UserCreate{Name: &name, Role: &role})
	require.NoError(t, err)
	require.NoError(t, client.Check(answer.HTTPResponse, answer.Body))
	return answer.JSON201.ID
}

func (a *admin) patchUser(t *testing.T, id string, patch client.UserPatch) {
	t.Helper()
	answer, err := a.api.UpdateUserWithResponse(t.Context(), id, nil, patch)
	require.NoError(t, err)
	require.NoError(t, client.Check(answer.HTTPResponse, answer.Body))
}

func (a *admin) deleteUser(t *testing.T, id string) {
	t.Helper()
	answer, err := a.api.DeleteUserWithResponse(t.Context(), id, nil)
	require.NoError(t, err)
	require.NoError(t, client.Check(answer.HTTPResponse, answer.Body))
}

func ownedBy(id string) edit {
	return func(k *client.KeyCreate) { k.OwnerID = &id }
}

func preset(name client.Preset) edit {
	return func(k *client.KeyCreate) { k.Preset, k.Scopes = &name, nil }
}

// codesOf sends a trace over each transport.
func codesOf(t *testing.T, c *collector, k key) (got []codes.Code) {
	t.Helper()
	for _, s := range senders {
		got = append(got, s.send(t, c, traces, traces.request(), k.bearer()).code)
	}
	return got
}

// everywhere is the same code over each transport.
func everywhere(code codes.Code) []codes.Code { return []codes.Code{code, code, code} }

func TestSendersCanChangeOverToANewSecretWithinTheGracePeriod(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	old := c.create(t)
	require.Equal(t, everywhere(codes.OK), codesOf(t, c, old), "so that it is in memory")
	fresh := c.rotate(t, old, "1h")
	assert.Equal(t, everywhere(codes.OK), codesOf(t, c, old))
	assert.Equal(t, everywhere(codes.OK), codesOf(t, c, fresh))

	fresh = c.rotate(t, fresh, "3s")
	began := time.Now()
	assert.Equal(t, everywhere(codes.Unauthenticated), codesOf(t, c, old), "a key has two secrets at most")
	current := c.details(t, old.id).Secrets
	require.Len(t, current, 2)
	assert.WithinDuration(t, began.Add(3*time.Second), *current[1].ExpiresAt, 3*time.Second)

	c = c.restart(t, "")
	assert.Equal(t, everywhere(codes.OK), codesOf(t, c, fresh), "the new secret outlives a restart")
}

func TestTheOldSecretPassesUntilItsEndAndNeverLater(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	old := c.create(t)
	require.Equal(t, everywhere(codes.OK), codesOf(t, c, old))
	c.rotate(t, old, "2s")
	end := *c.details(t, old.id).Secrets[1].ExpiresAt
	passed := 0
	for time.Now().Before(end.Add(time.Second)) {
		sent := time.Now()
		for _, s := range senders {
			code := s.send(t, c, traces, traces.request(), old.bearer()).code
			answered := time.Now()
			switch {
			case answered.Before(end):
				passed++
				require.Equal(t, codes.OK, code, "%s before the end", end.Sub(answered))
			case !sent.Before(end):
				require.Equal(t, codes.Unauthenticated, code, "%s behind the end", sent.Sub(end))
			}
			sent = answered
		}
	}
	assert.Positive(t, passed)
}

func TestAnImmediateRotationEndsTheOldSecretAtOnce(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	for range 20 {
		old := c.create(t)
		require.Equal(t, everywhere(codes.OK), codesOf(t, c, old))
		fresh := c.rotate(t, old, "0")
		require.Equal(t, everywhere(codes.Unauthenticated), codesOf(t, c, old))
		require.Equal(t, everywhere(codes.OK), codesOf(t, c, fresh))
	}
	old := c.create(t)
	fresh := c.rotate(t, old, "1h")
	c.revoke(t, old.id)
	assert.Equal(t, everywhere(codes.Unauthenticated), codesOf(t, c, old), "a revocation during grace ends both")
	assert.Equal(t, everywhere(codes.Unauthenticated), codesOf(t, c, fresh))
}

func TestWhoStillUsesTheOldSecretIsSeenAndOutlivesARestart(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	old := c.create(t)
	fresh := c.rotate(t, old, "1h")
	secrets := c.details(t, old.id).Secrets
	assert.Nil(t, secrets[0].LastUsedAt)
	assert.Nil(t, secrets[1].LastUsedAt)
	before := time.Now().Truncate(time.Microsecond)
	codesOf(t, c, old)
	shown := c.details(t, old.id)
	assert.Nil(t, shown.Secrets[0].LastUsedAt, "the new one was not used")
	require.NotNil(t, shown.Secrets[1].LastUsedAt, "the old one was")
	assert.False(t, shown.Secrets[1].LastUsedAt.Before(before))
	assert.Equal(t, shown.Secrets[1].LastUsedAt, shown.LastUsedAt)

	c = c.restart(t, "")
	assert.Equal(t, shown.LastUsedAt, c.details(t, old.id).LastUsedAt)
	codesOf(t, c, fresh)
	assert.True(t, c.details(t, old.id).Secrets[0].LastUsedAt.After(*shown.LastUsedAt))
}

func TestWhatAUserLosesItsKeysLoseAtOnce(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	ada := c.createUser(t, "Ada", client.RoleMember)
	k := c.create(t, ownedBy(ada))
	no, yes, viewer, member := false, true, client.RoleViewer, client.RoleMember
	for _, step := range []struct {
		change client.UserPatch
		want   codes.Code
	}{
		{client.UserPatch{}, codes.OK},
		{client.UserPatch{Role: &viewer}, codes.PermissionDenied},
		{client.UserPatch{Role: &member}, codes.OK},
		{client.UserPatch{Active: &no}, codes.Unauthenticated},
		{client.UserPatch{Active: &yes}, codes.OK},
	} {
		c.patchUser(t, ada, step.change)
		assert.Equal(t, everywhere(step.want), codesOf(t, c, k), "%+v", step.change)
	}
	c.deleteUser(t, ada)
	assert.Equal(t, everywhere(codes.Unauthenticated), codesOf(t, c, k))
	assert.Equal(t, client.KeyStatusDisabled, c.details(t, k.id).Status)
}

// The three keys of the reference, by the names of their presets.
func TestThePresetsOfTheReferenceDoWhatTheyAreFor(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	for _, tt := range []struct {
		preset client.Preset
		send   codes.Code
		may    []string
		mayNot []string
	}{
		{
			client.PresetAnalytics, codes.PermissionDenied,
			[]string{"traces:read", "metrics:read", "logs:read", "profiles:read", "projects:read", "datasets:read", "experiments:read"},
			[]string{"traces:write", "datasets:write", "experiments:write", "projects:write", "keys:verify", "admin"},
		},
		{
			client.PresetCiCd, codes.OK,
			[]string{"traces:write", "projects:read", "experiments:write", "datasets:read"},
			[]string{"traces:read", "metrics:write", "projects:write", "experiments:read", "datasets:write", "admin"},
		},
		{
			client.PresetInstrumentation, codes.OK,
			[]string{"traces:write"},
			[]string{"traces:read", "metrics:write", "logs:write", "projects:read", "datasets:read", "experiments:read", "admin"},
		},
	} {
		k := c.create(t, preset(tt.preset))
		assert.Equal(t, everywhere(tt.send), codesOf(t, c, k), tt.preset)
		for _, scope := range tt.may {
			assert.Equal(t, http.StatusNoContent, c.verify(t, k, scope), "%s: %s", tt.preset, scope)
		}
		for _, scope := range tt.mayNot {
			assert.Equal(t, http.StatusForbidden, c.verify(t, k, scope), "%s: %s", tt.preset, scope)
		}
	}
}

// verify asks as a proxy does and returns the status.
func (a *admin) verify(t *testing.T, k key, scope string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.scheme+"://"+a.address+"/api/v1/verify?scope="+scope, http.NoBody)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+k.secret)
	return doHTTP(t, a.http, r).status
}

func TestASystemKeyOutlivesWhoMadeItAndKeepsItsBounds(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	ada := c.createUser(t, "Ada", client.RoleAdmin)
	adas := c.create(t, ownedBy(ada), scopes("admin"))
	administrator := c.secret
	c.secret = adas.secret
	end := time.Now().Add(time.Hour)
	system := c.create(t, ofType("system"), projects("mine"), expiring(end))
	c.secret = administrator
	c.deleteUser(t, ada)
	shown := c.details(t, system.id)
	assert.Equal(t, client.KeyTypeSystem, shown.Type)
	assert.Equal(t, ada, *shown.CreatedBy)
	assert.Nil(t, shown.OwnerID)
	assert.WithinDuration(t, end, *shown.ExpiresAt, time.Millisecond)
	for _, s := range senders {
		assert.Equal(t, codes.OK, s.send(t, c, traces, traces.request("mine"), system.bearer()).code, s.name)
		assert.Equal(t, codes.PermissionDenied, s.send(t, c, traces, traces.request("theirs"), system.bearer()).code, s.name)
	}
	listed, err := c.api.ListKeysWithResponse(t.Context(), &client.ListKeysParams{Type: new(client.KeyTypeUser)})
	require.NoError(t, err)
	for _, k := range listed.JSON200.Data {
		assert.NotEqual(t, system.id, k.ID, "system keys can be listed apart")
	}
}

func TestARepeatedCallAfterAKillMakesNoSecondKey(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	plan, name, once := "enterprise", "test key", "5f3c1a52-8d11-4b3a-9a57-0d2a1e6b7c11"
	create := func() (*client.CreateKeyResponse, error) {
		return c.api.CreateKeyWithResponse(t.Context(), &client.CreateKeyParams{IdempotencyKey: &once},
			client.KeyCreate{Name: name, Plan: &plan, Scopes: []client.Scope{"traces:write"}})
	}
	first, err := create()
	require.NoError(t, err)
	require.NoError(t, client.Check(first.HTTPResponse, first.Body))
	made := key{first.JSON201.ID, c.vault.keep(*first.JSON201.Key)}
	rotated, err := c.tryRotate(t.Context(), made, "1h", once)
	require.NoError(t, err)
	c.kill()
	c = start(t, options{storage: c.storage, vault: c.vault, sink: c.sink})
	again, err := create()
	require.NoError(t, err)
	require.NotNil(t, again.JSON201, string(again.Body))
	assert.Equal(t, "true", again.HTTPResponse.Header.Get("Idempotency-Replayed"))
	assert.Equal(t, []string{made.id, made.secret}, []string{again.JSON201.ID, *again.JSON201.Key})
	repeated, err := c.tryRotate(t.Context(), made, "1h", once)
	require.NoError(t, err)
	assert.Equal(t, rotated, repeated)
}
