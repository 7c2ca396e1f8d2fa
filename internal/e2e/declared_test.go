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

func checkReadOnly(t *testing.T, c *collector, id string) {
	t.Helper()
	name := "another"
	patched, err := c.api.UpdateKeyWithResponse(t.Context(), id, client.KeyPatch{Name: &name})
	require.NoError(t, err)
	assert.Equal(t, http.StatusConflict, patched.StatusCode())
	assert.Equal(t, "key_declared", patched.ApplicationProblemJSONDefault.Code)
	revoked, err := c.api.RevokeKeyWithResponse(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, http.StatusConflict, revoked.StatusCode())
	assert.Equal(t, client.KeyStatusActive, c.statuses(t)[id])
}
