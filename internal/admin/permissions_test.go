package admin

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// callers are all kinds of callers there are, in the order of the columns below:
// nobody, a user key of each role, a narrow key of an administrator, and a
// system key with no scope for calls, with keys:verify, and with admin.
var callers = []string{"nobody", "viewer", "member", "admin", "narrow", "system", "verifier", "sysadmin"}

// permissions say of every call, to every kind of caller, on every kind of
// target, what it gets: the status, and the code of the problem where the status
// does not tell. "own" belongs to the caller's user, "other" to another user,
// "system" is a system key, "self" the key or user of the call itself.
const permissions = `
call                    target | nobody viewer member admin narrow system verifier sysadmin

GET    /api-keys/{id}   own    | 401    200    200    200   200    -      -        -
GET    /api-keys/{id}   other  | 401    404    404    200   404    403    403      200
GET    /api-keys/{id}   system | 401    404    404    200   404    403    403      200
GET    /api-keys/{id}   self   | -      200    200    200   200    403    403      200
PATCH  /api-keys/{id}   own    | 401    200    200    200   200    -      -        -
PATCH  /api-keys/{id}   other  | 401    404    404    200   404    403    403      200
PATCH  /api-keys/{id}   system | 401    404    404    200   404    403    403      200
PATCH  /api-keys/{id}   self   | -      200    200    200   200    403    403      200
POST   /api-keys/{id}/rotate own    | 401 200  200    200   403    -      -        -
POST   /api-keys/{id}/rotate other  | 401 404  404    200   404    403    403      200
POST   /api-keys/{id}/rotate system | 401 404  404    200   404    403    403      200
POST   /api-keys/{id}/rotate self   | -   200  200    200   200    403    403      200
DELETE /api-keys/{id}   own    | 401    204    204    204   204    -      -        -
DELETE /api-keys/{id}   other  | 401    404    404    204   404    403    403      204
DELETE /api-keys/{id}   system | 401    404    404    204   404    403    403      204
DELETE /api-keys/{id}   self   | -      204    204    204   204    403    403      204

POST   /api-keys        own    | 401    201    201    201   403    403    403      201
POST   /api-keys        other  | 401    403    403    201   403    403    403      201
POST   /api-keys        system | 401    403    403    201   403    403    403      201
POST   /api-keys        digest | 401    403    403    201   403    403    403      201
GET    /api-keys        -      | 401    200    200    200   200    403    403      200

GET    /api-keys/{id}/usage own    | 401 200   200    200   200    -      -        -
GET    /api-keys/{id}/usage other  | 401 404   404    200   404    403    403      200
GET    /api-keys/{id}/usage system | 401 404   404    200   404    403    403      200
GET    /api-keys/{id}/access-logs own    | 401 200 200 200  200    -      -        -
GET    /api-keys/{id}/access-logs other  | 401 404 404 200  404    403    403      200
GET    /api-keys/{id}/access-logs system | 401 404 404 200  404    403    403      200
GET    /access-logs     -      | 401    200    200    200   200    403    403      200
GET    /usage           -      | 401    403    403    200   403    403    403      200
GET    /usage/top       -      | 401    403    403    200   403    403    403      200
GET    /alerts          -      | 401    200    200    200   200    403    403      200

GET    /users/{id}      own    | 401    200    200    200   200    -      -        -
GET    /users/{id}      other  | 401    404    404    200   404    403    403      200
PATCH  /users/{id}      own    | 401    403    403    200   403    -      -        -
PATCH  /users/{id}      other  | 401    403    403    200   403    403    403      200
DELETE /users/{id}      own    | 401    403    403    204   403    -      -        -
DELETE /users/{id}      other  | 401    403    403    204   403    403    403      204
POST   /users           -      | 401    403    403    201   403    403    403      201
GET    /users           -      | 401    200    200    200   200    403    403      200

GET    /audit-log       -      | 401    403    403    200   403    403    403      200
GET    /backup          -      | 401    403    403    200   403    403    403      200
POST   /apply           -      | 401    403    403    200   403    403    403      200
POST   /introspect      -      | 401    403    403    200   403    403    200      200
GET    /verify          -      | 401    204    204    204   204    204    204      204
GET    /whoami          -      | 401    200    200    200   200    200    200      200
GET    /scopes          -      | 401    200    200    200   200    200    200      200
GET    /plans           -      | 401    200    200    200   200    200    200      200
GET    /openapi.json    -      | 401    200    200    200   200    200    200      200
`

// rule is one line of permissions.
type permission struct {
	method, path, target string
	statuses             []string // by caller; "-": there is no such case
}

func permissionTable(t *testing.T) []permission {
	t.Helper()
	var table []permission
	for line := range strings.Lines(permissions) {
		left, right, ok := strings.Cut(line, "|")
		call := strings.Fields(left)
		if !ok || call[0] == "call" {
			continue
		}
		p := permission{call[0], call[1], call[2], strings.Fields(right)}
		require.Len(t, p.statuses, len(callers), line)
		table = append(table, p)
	}
	return table
}

func TestPermissionsCoverEveryCallOfTheDocument(t *testing.T) {
	s, err := loadSpec("")
	require.NoError(t, err)
	covered := map[string]bool{"GET /healthz": true, "GET /readyz": true} // open to all
	for _, p := range permissionTable(t) {
		covered[p.method+" "+p.path] = true
	}
	for path, item := range s.document.Paths.Map() {
		for method := range item.Operations() {
			assert.True(t, covered[method+" "+path], "%s %s", method, path)
		}
	}
}

func TestEveryCallerMayDoWhatThePermissionsSayAndNoMore(t *testing.T) {
	h := newHarness(t)
	for i, name := range callers {
		for _, p := range permissionTable(t) {
			if p.statuses[i] == "-" {
				continue
			}
			t.Run(fmt.Sprintf("%s %s %s %s", name, p.method, p.path, p.target), func(t *testing.T) {
				c := h.newCast(name)
				got := c.call(p)
				assert.Equal(t, p.statuses[i], strconv.Itoa(got.status), got.body)
				if _, tells := attempts[p.method+" "+api.BasePath+p.path]; got.status >= 400 {
					assert.Equal(t, tells, c.recorded(), "a refused attempt is in the audit log, unless it is about nobody's records")
				}
			})
		}
	}
}

// cast is a caller with all that it can call on, made for one call.
type cast struct {
	*harness
	secret, keyID, userID string
	own, other, system    string // ids of keys
	otherUser             string
	before                uint64 // newest record of the audit log
}

var castNumber int

func (h *harness) newCast(name string) *cast {
	castNumber++
	c := &cast{harness: h, userID: fmt.Sprintf("user-%d", castNumber), otherUser: fmt.Sprintf("other-%d", castNumber)}
	roles := map[string]identity.Role{"viewer": identity.Viewer, "member": identity.Member, "admin": identity.AdminRole, "narrow": identity.AdminRole}
	role := roles[name]
	h.user(c.userID, either2(role, identity.Viewer))
	h.user(c.otherUser, identity.Viewer)
	read := []identity.Scope{identity.TracesRead}
	_, c.own = h.keyAndID(store.Key{OwnerID: c.userID, Scopes: read})
	_, c.other = h.keyAndID(store.Key{OwnerID: c.otherUser, Scopes: read})
	_, c.system = h.keyAndID(store.Key{Type: identity.SystemKey, Role: identity.Viewer, Scopes: read})
	switch name {
	case "nobody":
	case "narrow":
		c.secret, c.keyID = h.userKey(c.userID, identity.LogsRead)
	case "system", "verifier", "sysadmin":
		scopes := map[string]identity.Scope{"system": identity.TracesWrite, "verifier": identity.KeysVerify, "sysadmin": identity.Admin}
		c.secret, c.keyID = h.keyAndID(store.Key{Type: identity.SystemKey, Role: identity.AdminRole, Scopes: []identity.Scope{scopes[name]}})
	default:
		c.secret, c.keyID = h.userKey(c.userID, role.Scopes().List()...)
	}
	c.before = h.newestAudit().Seq
	return c
}

func either2(role, otherwise identity.Role) identity.Role {
	if role == "" {
		return otherwise
	}
	return role
}

// call makes the call of a permission.
func (c *cast) call(p permission) answer {
	path := api.BasePath + strings.Replace(p.path, "{id}", c.target(p), 1)
	if p.path == "/introspect" {
		return c.introspect(c.secret, c.harness.admin)
	}
	return c.do(c.secret, p.method, path, c.body(p))
}

func (c *cast) target(p permission) string {
	users := strings.HasPrefix(p.path, "/users")
	switch {
	case users && p.target == "own":
		return c.userID
	case users:
		return c.otherUser
	case p.target == "own":
		return c.own
	case p.target == "self":
		return c.keyID
	case p.target == "system":
		return c.system
	}
	return c.other
}

func (c *cast) body(p permission) string {
	switch p.method + " " + p.path {
	case "POST /api-keys":
		return map[string]string{
			"own":    `{"name":"k","scopes":["traces:read"]}`,
			"other":  `{"name":"k","scopes":["traces:read"],"ownerId":"` + c.otherUser + `"}`,
			"system": `{"name":"k","type":"system","scopes":["traces:read"]}`,
			"digest": `{"name":"k","scopes":["traces:read"],"digest":"sha256:` + fmt.Sprintf("%064x", castNumber) + `"}`,
		}[p.target]
	case "PATCH /api-keys/{id}":
		return `{"description":"changed"}`
	case "POST /api-keys/{id}/rotate":
		return `{}`
	case "POST /users":
		return fmt.Sprintf(`{"name":"u%d"}`, castNumber)
	case "PATCH /users/{id}":
		return `{"name":"changed"}`
	case "POST /apply":
		return `{}`
	}
	return ""
}

// recorded reports whether the attempt left one record.
func (c *cast) recorded() bool {
	newest := c.newestAudit()
	return newest.Seq == c.before+1 && newest.Outcome == store.Refused && newest.Actor.KeyID == c.keyID && newest.Reason != ""
}

func TestARefusedAttemptSaysWhoTriedWhatOnWhat(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Member)
	ada, adaKey := h.userKey("ada", identity.TracesRead)
	_, other := h.keyAndID(store.Key{OwnerID: store.BuiltinUserID, Scopes: []identity.Scope{identity.TracesRead}})
	actor := store.Actor{KeyID: adaKey, UserID: "ada", Address: "192.0.2.7"}
	for _, tt := range []struct {
		call           func() answer
		action, target string
		reason         string
	}{
		{func() answer { return h.revoke(ada, other) }, "key.revoke", other, "key_not_found"},
		{func() answer { return h.create(ada, `{"name":"k","preset":"admin"}`) }, "key.create", "", "exceeds_caller"},
		{func() answer { return h.deleteUser(ada, "admin") }, "user.delete", "admin", "not_permitted"},
		{func() answer { return h.get(ada, "/audit-log") }, "audit.read", "", "not_permitted"},
		{func() answer { return h.create(h.admin, `{"name":"k","ownerId":"ada","preset":"admin"}`) }, "key.create", "", "scopes_exceed_role"},
	} {
		require.GreaterOrEqual(t, tt.call().status, 400)
		records := h.audits()
		last := records[len(records)-1]
		if tt.reason != "scopes_exceed_role" {
			assert.Equal(t, actor, last.Actor)
		}
		assert.Equal(t, []string{tt.action, tt.target, tt.reason, "refused"}, []string{last.Action, last.Target, last.Reason, string(last.Outcome)})
		assert.Empty(t, last.Changes)
	}
}

func TestWhatIsNotThereOrNotWellFormedIsNoRefusal(t *testing.T) {
	h := newHarness(t)
	before := len(h.audits())
	for _, a := range []answer{
		h.get(h.admin, "/api-keys/key_aaaaaaaaaaaaaaaaaaaa"), h.create(h.admin, `{}`), h.create(h.admin, `{`),
		h.patch(h.admin, "key_aaaaaaaaaaaaaaaaaaaa", `{"name":"x"}`), h.get(h.admin, "/users/nobody"), h.do("", http.MethodGet, "/api/v1/whoami", ""),
	} {
		require.GreaterOrEqual(t, a.status, 400)
	}
	assert.Len(t, h.audits(), before)
}

func TestAFloodOfRefusalsWritesNoFloodOfRecords(t *testing.T) {
	h := newHarness(t)
	for range anonymousBurst + 50 {
		require.Equal(t, http.StatusUnauthorized, h.revoke("", "key_aaaaaaaaaaaaaaaaaaaa").status)
	}
	assert.Len(t, h.audits(), anonymousBurst)
	h.user("ada", identity.Viewer)
	ada, adaKey := h.userKey("ada", identity.TracesRead)
	bob, bobKey := h.userKey("ada", identity.TracesRead)
	for range knownBurst + 7 {
		h.deleteUser(ada, "admin")
	}
	assert.Len(t, h.audits(), anonymousBurst+knownBurst)
	h.deleteUser(bob, "admin")
	newest := h.newestAudit()
	assert.Equal(t, bobKey, newest.Actor.KeyID, "each key has a bound of its own")
	assert.Empty(t, newest.Changes)

	h.setClock(epoch.Add(knownEvery))
	h.deleteUser(ada, "admin")
	newest = h.newestAudit()
	assert.Equal(t, adaKey, newest.Actor.KeyID)
	assert.Equal(t, map[string]store.Change{"suppressed": {To: 7.0}}, newest.Changes, "what has no record is counted")
	h.revoke("", "key_aaaaaaaaaaaaaaaaaaaa")
	assert.Equal(t, newest.Seq, h.newestAudit().Seq)
	h.setClock(epoch.Add(anonymousEvery))
	for range 3 {
		h.revoke("", "key_aaaaaaaaaaaaaaaaaaaa")
	}
	assert.Equal(t, newest.Seq+1, h.newestAudit().Seq)
	assert.Equal(t, map[string]store.Change{"suppressed": {To: 51.0}}, h.newestAudit().Changes)
}

func TestARefusalWhoseRecordIsLostIsCounted(t *testing.T) {
	h := newHarness(t)
	h.store.fail.Store("AppendAudit", errors.New("disk on fire"))
	h.revoke("", "key_aaaaaaaaaaaaaaaaaaaa")
	h.store.fail.Delete("AppendAudit")
	h.revoke("", "key_aaaaaaaaaaaaaaaaaaaa")
	assert.Equal(t, map[string]store.Change{"suppressed": {To: 1.0}}, h.newestAudit().Changes)
}

func TestAnIDThatIsAKeyIsNotKept(t *testing.T) {
	h := newHarness(t)
	h.revoke("", h.admin)
	assert.Equal(t, credential.Redacted, h.newestAudit().Target)
	h.revoke("", strings.Repeat("%E2%82%AC", 100))
	assert.Equal(t, strings.Repeat("€", 85), h.newestAudit().Target, "nor is more than a record can hold")
	h.revoke("", "a%00%FFb")
	assert.Equal(t, "a??b", h.newestAudit().Target)
}
