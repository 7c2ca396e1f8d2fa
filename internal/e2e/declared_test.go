package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/credential"
)

func TestDeclaredKeysLiveAsLongAsTheirDeclaration(t *testing.T) {
	t.Parallel()
	minted := credential.Format{}.Mint(credential.Sys)
	digest := minted.Digest()
	v := newVault(t)
	secret := v.keep(minted.Reveal())
	declaration := fmt.Sprintf("extensions: {apikeyauth: {keys: [{name: ci, digest: 'sha256:%x', scopes: ['traces:write']}]}}", digest[:])

	c := start(t, options{vault: v, overlay: declaration})
	for _, s := range senders {
		assert.Equal(t, codes.OK, s.send(t, c, traces, traces.request(), bearer(secret)).code, s.name)
		assert.Equal(t, codes.PermissionDenied, s.send(t, c, logs, logs.request(), bearer(secret)).code, s.name)
	}
	assert.Equal(t, "ci", c.sink.spans()[0].Attributes().AsRaw()["apikey.name"])
	id := c.sink.spans()[0].Attributes().AsRaw()["apikey.id"].(string)
	checkReadOnly(t, c, id)

	without := c.restart(t, "")
	for _, s := range senders {
		assert.Equal(t, codes.Unauthenticated, s.send(t, without, traces, traces.request(), bearer(secret)).code, s.name)
	}
	assert.Equal(t, client.KeyStatusDisabled, without.statuses(t)[id])

	with := without.restart(t, declaration)
	assert.Equal(t, codes.OK, sendGRPC(t, with, traces, traces.request(), bearer(secret)).code)
}

func TestAKeyOfADeclaredUserLivesAsLongAsTheUsersDeclaration(t *testing.T) {
	t.Parallel()
	minted := credential.Format{}.Mint(credential.Live)
	digest := minted.Digest()
	v := newVault(t)
	secret := v.keep(minted.Reveal())
	key := fmt.Sprintf("keys: [{name: notebook, type: user, owner_id: ada, digest: 'sha256:%x', scopes: ['traces:write']}]", digest[:])
	with := "extensions: {apikeyauth: {users: [{id: ada, email: ada@example.com}], " + key + "}}"
	without := "extensions: {apikeyauth: {" + key + "}}"

	c := start(t, options{vault: v, overlay: with})
	for _, s := range senders {
		assert.Equal(t, codes.OK, s.send(t, c, traces, traces.request(), bearer(secret)).code, s.name)
	}
	id := c.sink.spans()[0].Attributes().AsRaw()["apikey.id"].(string)
	assert.Equal(t, client.KeyStatusActive, c.statuses(t)[id])

	gone := c.restart(t, without)
	for _, s := range senders {
		assert.Equal(t, codes.Unauthenticated, s.send(t, gone, traces, traces.request(), bearer(secret)).code, s.name)
	}
	assert.Equal(t, client.KeyStatusDisabled, gone.statuses(t)[id])

	back := gone.restart(t, with)
	assert.Equal(t, codes.OK, sendGRPC(t, back, traces, traces.request(), bearer(secret)).code)
	assert.Equal(t, client.KeyStatusActive, back.statuses(t)[id])
}

func checkReadOnly(t *testing.T, c *collector, id string) {
	t.Helper()
	name := "another"
	patched, err := c.api.UpdateKeyWithResponse(t.Context(), id, nil, client.KeyPatch{Name: &name})
	require.NoError(t, err)
	assert.Equal(t, http.StatusConflict, patched.StatusCode())
	assert.Equal(t, "key_declared", patched.ApplicationProblemJSONDefault.Code)
	revoked, err := c.api.RevokeKeyWithResponse(t.Context(), id, nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusConflict, revoked.StatusCode())
	assert.Equal(t, client.KeyStatusActive, c.statuses(t)[id])
}
