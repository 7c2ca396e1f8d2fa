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

func TestTheKeysOfADeclaredUserLiveAsLongAsTheUsersDeclaration(t *testing.T) {
	t.Parallel()
	minted := credential.Format{}.Mint(credential.Live)
	digest := minted.Digest()
	v := newVault(t)
	declared := v.keep(minted.Reveal())
	keys := fmt.Sprintf("keys: [{name: notebook, type: user, owner_id: ada, digest: 'sha256:%x', scopes: ['traces:write']}]", digest[:])
	with := "extensions: {apikeyauth: {users: [{id: ada, email: ada@example.com}], " + keys + "}}"

	c := start(t, options{vault: v, overlay: with})
	own := c.create(t, ownedBy("ada"))
	for _, secret := range []string{declared, own.secret} {
		assert.Equal(t, everywhere(codes.OK), codesOf(t, c, key{secret: secret}))
	}

	gone := c.restart(t, "")
	for _, secret := range []string{declared, own.secret} {
		assert.Equal(t, everywhere(codes.Unauthenticated), codesOf(t, gone, key{secret: secret}))
	}
	assert.Equal(t, client.KeyStatusDisabled, gone.statuses(t)[own.id])

	back := gone.restart(t, with)
	for _, secret := range []string{declared, own.secret} {
		assert.Equal(t, everywhere(codes.OK), codesOf(t, back, key{secret: secret}))
	}
	assert.Equal(t, client.KeyStatusActive, back.statuses(t)[own.id])

	back.stop(t)
	without := launch(t, options{storage: c.storage, vault: v, overlay: "extensions: {apikeyauth: {" + keys + "}}"})
	assert.NotZero(t, without.wait(t), "a key whose owner is declared no more is a mistake")
	assert.Contains(t, without.output.String(), `keys::0::owner_id: user \"ada\" is withdrawn`)
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
