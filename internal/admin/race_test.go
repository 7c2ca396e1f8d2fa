package admin

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/store"
)

// Fifty callers change and revoke one key. Whatever the order: every answer is
// one of the contract, nothing is changed after the revocation, and the audit
// log tells the very story that led to the record.
func TestConcurrentChangesOfOneKeyAreOneStory(t *testing.T) {
	h := newHarness(t)
	made := h.created(h.admin, `{"name":"start","scopes":["traces:read"]}`)
	var workers sync.WaitGroup
	for i := range 50 {
		workers.Go(func() {
			if i%10 == 9 {
				assert.Equal(t, "No Content", h.revoke(h.admin, made.ID).code(t))
				return
			}
			assert.Contains(t, []string{"OK", "Conflict key_revoked"}, h.patch(h.admin, made.ID, fmt.Sprintf(`{"name":"n%d"}`, i)).code(t))
		})
	}
	workers.Wait()
	records := h.audits()
	require.Equal(t, "key.create", records[0].Action)
	name := "start"
	for i, r := range records[1:] {
		if r.Action == "key.revoke" {
			assert.Len(t, records, i+2, "a revoked key is not changed")
			continue
		}
		assert.Equal(t, name, r.Changes["name"].From, "a change was lost")
		name = r.Changes["name"].To.(string)
	}
	shown := keyOf(t, h.get(h.admin, "/api-keys/"+made.ID))
	assert.Equal(t, name, shown.Name)
	assert.Equal(t, store.Revoked, shown.Status)
}
