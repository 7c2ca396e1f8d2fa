package admin

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// slowly does something between the head of a request and its body.
type slowly struct {
	meanwhile func()
	rest      io.Reader
}

func (s *slowly) Read(b []byte) (int, error) {
	if s.meanwhile != nil {
		s.meanwhile()
		s.meanwhile = nil
	}
	return s.rest.Read(b)
}

func TestACallerThatLosesItsRightsWhileItsBodyArrivesChangesNothing(t *testing.T) {
	for loss, tt := range map[string]struct {
		lose func(h *harness, id string)
		want string
	}{
		"revoked":       {func(h *harness, id string) { h.revoke(h.admin, id) }, "Unauthorized revoked_key"},
		"rotated away":  {func(h *harness, id string) { h.rotated(id, "0") }, "Unauthorized expired_key"},
		"in its grace":  {func(h *harness, id string) { h.rotated(id, "1h") }, "Conflict caller_changed"},
		"narrowed":      {func(h *harness, id string) { h.patch(h.admin, id, `{"scopes":["traces:read"]}`) }, "Conflict caller_changed"},
		"owner demoted": {func(h *harness, _ string) { h.patchUser(h.admin, "ada", `{"role":"viewer"}`) }, "Conflict caller_changed"},
		"owner gone":    {func(h *harness, _ string) { h.deleteUser(h.admin, "ada") }, "Unauthorized disabled_key"},
	} {
		for _, call := range []string{
			"POST /api-keys " + body,
			"POST /api-keys " + `{"name":"k","type":"system","preset":"admin","digest":"sha256:` + strings.Repeat("ab", 32) + `"}`,
			"PATCH /api-keys/{key} " + `{"name":"changed"}`,
			"POST /api-keys/{key}/rotate {}",
			"POST /users " + `{"name":"mallory"}`,
			"PATCH /users/bob " + `{"role":"admin"}`,
			"POST /apply " + `{"users":[{"id":"mallory"}]}`,
		} {
			t.Run(loss+" "+call, func(t *testing.T) {
				h := newHarness(t)
				h.user("ada", identity.AdminRole)
				h.user("bob", identity.Viewer)
				ada, adaKey := h.userKey("ada", identity.Admin)
				_, other := h.keyAndID(store.Key{OwnerID: "bob", Scopes: []identity.Scope{identity.TracesRead}})
				parts := strings.SplitN(call, " ", 3)
				var before uint64
				a := h.do(ada, parts[0], "/api/v1"+strings.Replace(parts[1], "{key}", other, 1), parts[2], func(r *http.Request) {
					r.Body = io.NopCloser(&slowly{func() { tt.lose(h, adaKey); before = h.newestAudit().Seq }, r.Body})
				})
				assert.Equal(t, tt.want, a.code(t), a.body)
				if newest := h.newestAudit(); newest.Seq > before {
					assert.Equal(t, store.Refused, newest.Outcome, "nothing was changed")
				}
			})
		}
	}
}
