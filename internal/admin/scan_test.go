package admin

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/identity"
)

func TestAScanOfOneLeadsThroughTheWholeListing(t *testing.T) {
	h := newHarness(t)
	for i := range 5 {
		h.user(fmt.Sprintf("user%d", i), identity.Member)
		h.createUser(h.admin, fmt.Sprintf(`{"name": "scanned %d"}`, i))
	}
	var users []api.User
	walk(t, h, "/users?q=scanned", func(a answer) *string {
		list := ofAnswer[api.UserList](t, a)
		assert.LessOrEqual(t, len(list.Data), 1)
		users = append(users, list.Data...)
		return list.NextCursor
	})
	assert.Equal(t, ofAnswer[api.UserList](t, h.get(h.admin, "/users?q=scanned")).Data, users)
	require.Len(t, users, 5)

	var records []api.AuditRecord
	walk(t, h, "/audit-log?action=user.create", func(a answer) *string {
		list := ofAnswer[api.AuditList](t, a)
		records = append(records, list.Data...)
		return list.NextCursor
	})
	assert.Equal(t, ofAnswer[api.AuditList](t, h.get(h.admin, "/audit-log?action=user.create")).Data, records)
	for _, path := range []string{"/users", "/audit-log", "/access-logs"} {
		for _, scan := range []string{"0", "-1", "100001", "x"} {
			assert.Equal(t, "Bad Request invalid_request", h.get(h.admin, path+"?scan="+scan).code(t))
		}
	}
}

// walk reads a listing one record at a time.
func walk(t *testing.T, h *harness, path string, read func(answer) *string) {
	t.Helper()
	cursor := ""
	for range 100 {
		next := read(h.get(h.admin, path+"&scan=1"+cursor))
		if next == nil {
			return
		}
		cursor = "&cursor=" + *next
	}
	t.Fatal("no end")
}
