package admin

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// refusals are the codes that come from outside of this package.
var refusals = map[identity.Reason]int{
	identity.NoCredential: 401, identity.MalformedCredential: 401, identity.ConflictingKeys: 401, identity.UnknownKey: 401,
	identity.RevokedKey: 401, identity.ExpiredKey: 401, identity.DisabledKey: 401, identity.NoIdentity: 401,
	identity.MissingScope: 403, identity.AddressNotAllowed: 403, identity.ProjectNotAllowed: 403,
	identity.TooManyFailures: 429, identity.RateLimited: 429, identity.ConcurrencyExceeded: 429, identity.KeyUnresolvable: 503,
}

func TestEveryCodeIsInTheDocumentWithItsStatus(t *testing.T) {
	s, err := loadSpec("")
	require.NoError(t, err)
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*`) \\| (\\d+) \\|").FindAllStringSubmatch(s.document.Info.Description, -1) {
		for name := range strings.SplitSeq(row[1], ", ") {
			documented[strings.Trim(name, "`")] = row[2]
		}
	}
	want := map[string]string{}
	for c, status := range statusOf {
		want[string(c)] = strconv.Itoa(status)
	}
	for reason, status := range refusals {
		want[string(reason)] = strconv.Itoa(status)
	}
	assert.Equal(t, want, documented)
	for _, item := range s.document.Paths.Map() {
		for _, operation := range item.Operations() {
			for _, name := range regexp.MustCompile("`([a-z]+(?:_[a-z]+)+)`").FindAllStringSubmatch(operation.Description, -1) {
				assert.Contains(t, want, name[1], "in the description of %s", operation.OperationID)
			}
		}
	}
}

func TestEveryCodeIsReachable(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Member)
	ada, _ := h.userKey("ada", identity.TracesRead)
	system := h.key(store.Key{Type: identity.SystemKey, Role: identity.Viewer, Scopes: []identity.Scope{identity.TracesRead}})
	plain := h.created(h.admin, `{"name":"plain","scopes":["traces:read"]}`)
	revoked := h.created(h.admin, `{"name":"revoked","scopes":["traces:read"]}`)
	require.Equal(t, 204, h.revoke(h.admin, revoked.ID).status)
	_, declared := h.keyAndID(store.Key{Name: "declared", OwnerID: "admin", Scopes: []identity.Scope{identity.TracesRead}, Declared: true})

	_, expired := h.keyAndID(store.Key{Name: "expired", OwnerID: "admin", Scopes: []identity.Scope{identity.TracesRead}, ExpiresAt: epoch})
	h.declaredUser("dora")

	unbacked := newHarnessWith(t, func(o *Options) { o.Backup = nil })

	const keys = "/api/v1/api-keys"
	failing := func(method string, err error, call func() answer) func() answer {
		return func() answer {
			h.store.fail.Store(method, err)
			defer h.store.fail.Delete(method)
			return call()
		}
	}
	createPlain := func() answer { return h.create(h.admin, `{"name":"k","scopes":["traces:read"]}`) }
	tests := map[string]func() answer{
		"Bad Request malformed_json":    func() answer { return h.create(h.admin, `{"name":`) },
		"Bad Request invalid_request":   func() answer { return h.create(h.admin, `{}`) },
		"Bad Request secret_in_request": func() answer { return h.create(h.admin, `{"name":"`+h.admin+`"}`) },
		"Bad Request invalid_cursor":    func() answer { return h.get(h.admin, "/api-keys?cursor=nonsense") },
		"Forbidden not_permitted":       func() answer { return h.get(system, "/api-keys") },
		"Forbidden exceeds_caller":      func() answer { return h.create(ada, `{"name":"k","preset":"admin"}`) },
		"Not Found not_found":           func() answer { return h.get(h.admin, "/nothing") },
		"Not Found key_not_found":       func() answer { return h.get(ada, "/api-keys/"+plain.ID) },
		"Method Not Allowed method_not_allowed": func() answer {
			return h.do(h.admin, http.MethodPut, keys, `{}`)
		},
		"Conflict key_revoked":     func() answer { return h.patch(h.admin, revoked.ID, `{"name":"x"}`) },
		"Conflict key_declared":    func() answer { return h.patch(h.admin, declared, `{"name":"x"}`) },
		"Conflict already_exists":  failing("CreateKey", store.ErrExists, createPlain),
		"Not Found user_not_found": func() answer { return h.get(h.admin, "/users/nobody") },
		"Conflict key_expired":     func() answer { return h.rotate(h.admin, expired, `{}`) },
		"Conflict user_declared":   func() answer { return h.patchUser(h.admin, "dora", `{"active":false}`) },
		"Conflict user_builtin":    func() answer { return h.patchUser(h.admin, "admin", `{"active":false}`) },
		"Conflict declaration_conflict": func() answer {
			return h.apply(h.admin, `{"users":[{"id":"ada","name":"Ada"}]}`)
		},
		"Conflict caller_changed": func() answer {
			secret, id := h.userKey("ada", identity.TracesRead, identity.TracesWrite)
			return h.do(secret, http.MethodPost, keys, `{"name":"k","scopes":["traces:read"]}`, func(r *http.Request) {
				r.Body = io.NopCloser(&slowly{func() { h.patch(h.admin, id, `{"scopes":["traces:read"]}`) }, r.Body})
			})
		},
		"Conflict idempotency_spent": func() answer {
			once := with("Idempotency-Key", "spent")
			made := keyOf(t, h.do(h.admin, http.MethodPost, keys, `{"name":"k","scopes":["traces:read"]}`, once))
			require.Equal(t, 200, h.rotate(h.admin, made.ID, `{}`).status)
			require.Equal(t, 200, h.rotate(h.admin, made.ID, `{}`).status)
			return h.do(h.admin, http.MethodPost, keys, `{"name":"k","scopes":["traces:read"]}`, once)
		},
		"Precondition Failed precondition_failed": func() answer {
			return h.do(h.admin, http.MethodPatch, keys+"/"+plain.ID, `{"name":"x"}`, with("If-Match", `"0"`))
		},
		"Unprocessable Entity idempotency_mismatch": func() answer {
			once := with("Idempotency-Key", "mismatch")
			require.Equal(t, 200, h.do(h.admin, http.MethodPost, keys+"/"+plain.ID+"/rotate", `{}`, once).status)
			return h.do(h.admin, http.MethodPost, keys+"/"+plain.ID+"/rotate", `{"gracePeriod":"0"}`, once)
		},
		"Request Entity Too Large body_too_large": func() answer {
			return h.create(h.admin, `{"name":"`+strings.Repeat("x", int(usualBounds.size))+`"}`)
		},
		"Unsupported Media Type unsupported_media_type": func() answer {
			return h.do(h.admin, http.MethodPost, keys, `{}`, with("Content-Type", "application/x-www-form-urlencoded"))
		},
		"Unprocessable Entity scopes_exceed_role": func() answer {
			return h.create(h.admin, `{"name":"k","ownerId":"ada","preset":"admin"}`)
		},
		"Unprocessable Entity invalid_owner": func() answer {
			return h.create(h.admin, `{"name":"k","ownerId":"nobody","preset":"admin"}`)
		},
		"Internal Server Error internal_error":  failing("CreateKey", nil, createPlain), // panics
		"Not Implemented backup_unsupported":    func() answer { return unbacked.get(unbacked.admin, "/backup") },
		"Service Unavailable store_unavailable": failing("CreateKey", errors.New("disk on fire"), createPlain),
		"Service Unavailable insight_unavailable": func() answer {
			h.books.err = errors.New("disk on fire")
			defer func() { h.books.err = nil }()
			return h.get(h.admin, "/usage")
		},
		"Service Unavailable not_ready": func() answer {
			cause := errors.New("disk on fire")
			h.unready.Store(&cause)
			return h.do("", http.MethodGet, "/readyz", "")
		},
	}
	for reason, status := range refusals {
		tests[http.StatusText(status)+" "+string(reason)] = func() answer {
			refusal := identity.NewRefusal(reason, "no, because "+string(reason))
			if status >= 429 {
				refusal = identity.NewRetryableRefusal(reason, "not now", 1500*time.Millisecond)
			}
			h.refuse.Store("token", error(refusal))
			return h.get("token", "/whoami")
		}
	}
	reached := map[string]bool{}
	for want, call := range tests {
		a := call()
		assert.Equal(t, want, a.code(t), a.body)
		assert.NotContains(t, a.body, "fire", "causes are for the log")
		reached[a.problem(t).Code] = true
		switch a.status {
		case 401:
			assert.Equal(t, "Bearer", a.header.Get("WWW-Authenticate"))
		case 405:
			assert.Equal(t, "GET, HEAD, POST", a.header.Get("Allow"))
		case 429:
			assert.Equal(t, "2", a.header.Get("Retry-After"), "rounded up")
		case 503:
			assert.NotEmpty(t, a.header.Get("Retry-After"))
		}
	}
	for c := range statusOf {
		assert.True(t, reached[string(c)], "no test reaches %s", c)
	}
}

func TestErrorsOfTheStoreAreToldFromEachOther(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Member)
	ada, _ := h.userKey("ada", identity.TracesRead)
	id := h.created(h.admin, `{"name":"k","scopes":["traces:read"]}`).ID
	own := h.created(ada, `{"name":"k","scopes":["traces:read"]}`).ID
	h.get(ada, "/whoami") // into the cache
	broken := errors.New("disk on fire")
	tests := []struct {
		name, method string
		err          error
		call         func() answer
		want         string
	}{
		{"list", "ListKeys", broken, func() answer { return h.get(h.admin, "/api-keys") }, "Service Unavailable store_unavailable"},
		{"list: owner", "User", broken, func() answer { return h.get(h.admin, "/api-keys") }, "Service Unavailable store_unavailable"},
		{"show", "Key", store.ErrClosed, func() answer { return h.get(h.admin, "/api-keys/"+id) }, "Service Unavailable store_unavailable"},
		{"show: owner", "User", broken, func() answer { return h.get(h.admin, "/api-keys/"+id) }, "Service Unavailable store_unavailable"},
		{"show: no owner", "User", store.ErrNotFound, func() answer { return h.get(h.admin, "/api-keys/"+id) }, "OK"},
		{"show: gone", "Key", store.ErrNotFound, func() answer { return h.get(h.admin, "/api-keys/"+id) }, "Not Found key_not_found"},
		{"show: impossible id", "Key", store.ErrInvalid, func() answer { return h.get(h.admin, "/api-keys/"+id) }, "Bad Request invalid_request"},
		{"update", "UpdateKey", context.DeadlineExceeded, func() answer { return h.patch(h.admin, id, `{"name":"x"}`) }, "Service Unavailable store_unavailable"},
		{"update: no owner", "User", store.ErrNotFound, func() answer { return h.patch(h.admin, id, `{"preset":"admin"}`) }, "Unprocessable Entity invalid_owner"},
		{"update: the caller's key", "Key", broken, func() answer { return h.patch(ada, own, `{"name":"x"}`) }, "Service Unavailable store_unavailable"},
		{"create: the caller's key", "Key", broken, func() answer { return h.create(ada, `{"name":"k","scopes":["traces:read"]}`) }, "Service Unavailable store_unavailable"},
		{"create: the caller's key is gone", "Key", store.ErrNotFound, func() answer { return h.create(ada, `{"name":"k","scopes":["traces:read"]}`) }, "Unauthorized unknown_key"},
		{"create: owner", "User", broken, func() answer { return h.create(h.admin, `{"name":"k","scopes":["traces:read"]}`) }, "Service Unavailable store_unavailable"},
		{"revoke", "UpdateKey", broken, func() answer { return h.revoke(h.admin, id) }, "Service Unavailable store_unavailable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h.store.fail.Store(tt.method, tt.err)
			defer h.store.fail.Delete(tt.method)
			a := tt.call()
			assert.Equal(t, tt.want, a.code(t), a.body)
			assert.NotContains(t, a.body, "fire")
		})
	}
	logged := h.logs.FilterMessage("admin API: request failed").All()
	require.NotEmpty(t, logged)
	assert.Equal(t, "list keys: disk on fire", logged[0].ContextMap()["cause"])
	assert.Equal(t, "GET /api/v1/api-keys", logged[0].ContextMap()["route"])
}

func TestADefectIsAnsweredWithoutItsCause(t *testing.T) {
	h := newHarness(t)
	h.refuse.Store("defect", errors.New("authenticator on fire"))
	assert.Equal(t, "Internal Server Error internal_error", h.get("defect", "/whoami").code(t))
	assert.Equal(t, 1, h.logs.FilterMessage("admin API: request failed").Len())
}

func TestAPanicIsLoggedWithItsStackAndNothingOfTheRequest(t *testing.T) {
	h := newHarness(t)
	h.store.fail.Store("ListKeys", nil)
	assert.Equal(t, "Internal Server Error internal_error", h.get(h.admin, "/api-keys?q=needle").code(t))
	logged := h.logs.FilterMessage("admin API: panic").All()
	require.Len(t, logged, 1)
	fields := logged[0].ContextMap()
	assert.Equal(t, "planted", fields["cause"])
	assert.Contains(t, fields["stack"], "ListKeys")
	assert.NotContains(t, fields["stack"], "needle")
}

func TestAnAbortedAnswerStaysAborted(t *testing.T) {
	s := &service{}
	aborting := s.recovering(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), s.answerDefect)
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() {
		aborting.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	})
}

func TestAnAdmissionThatWasRefusedIsNoAdmission(t *testing.T) {
	h := newHarness(t)
	for name, authenticate := range map[string]func(*http.Request) (*identity.Admission, error){
		"no_identity": func(*http.Request) (*identity.Admission, error) { return nil, nil },
		"address_not_allowed": func(*http.Request) (*identity.Admission, error) {
			a := identity.NewAdmission(&identity.Identity{Scopes: identity.NewScopeSet(identity.Admin)}, h)
			a.Refuse(identity.NewRefusal(identity.AddressNotAllowed, "not from here"))
			return a, nil
		},
	} {
		handler, err := New(Options{Store: h.store, Door: otherDoor{h, authenticate}, Plans: h.plans})
		require.NoError(t, err)
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, api.BasePath+"/whoami", nil))
		assert.Contains(t, recorder.Body.String(), `"code":"`+name+`"`)
	}
}

// otherDoor authenticates in another way.
type otherDoor struct {
	Door
	authenticate func(*http.Request) (*identity.Admission, error)
}

func (d otherDoor) Authenticate(r *http.Request) (*identity.Admission, error) {
	return d.authenticate(r)
}

func TestNewChecksItsOptions(t *testing.T) {
	h := newHarness(t)
	good := Options{Store: h.store, Door: h, Plans: h.plans}
	_, err := New(good)
	require.NoError(t, err)
	for want, spoil := range map[string]func(*Options){
		"Store is required": func(o *Options) { o.Store = nil },
		"Door is required":  func(o *Options) { o.Door = nil },
		"Plans is required": func(o *Options) { o.Plans = nil },
		`"PX"`:              func(o *Options) { o.Format.Prefix = "PX" },
	} {
		bad := good
		spoil(&bad)
		_, err := New(bad)
		assert.ErrorContains(t, err, want)
	}
}

func TestABodyThatEndsEarlyIsNoDefect(t *testing.T) {
	h := newHarness(t)
	a := h.do(h.admin, http.MethodPost, "/api/v1/api-keys", "{}", func(r *http.Request) {
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"name":`), failingReader{}))
	})
	assert.Equal(t, "Bad Request malformed_json", a.code(t))
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestCodesAreSnakeCase(t *testing.T) {
	for _, c := range slices.Collect(maps.Keys(statusOf)) {
		assert.Regexp(t, `^[a-z]+(_[a-z]+)+$`, string(c))
	}
}
