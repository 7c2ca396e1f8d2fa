package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/keyring"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/badgerstore"
)

var epoch = time.Date(2026, 7, 1, 9, 30, 0, 0, time.UTC)

// harness is an admin server over a real store and keyring. It checks of every
// answer, whatever a test asks for, that it fits the OpenAPI document, may not
// be cached, and holds no secret that was made before; and of the log, at the
// end, that it holds none either.
type harness struct {
	t       testing.TB
	format  credential.Format
	plans   *limit.Plans
	counter limit.Counter
	ring    *keyring.Keyring
	store   *faultyStore
	handler http.Handler
	server  *httptest.Server
	logs    *observer.ObservedLogs
	spec    *spec
	// unchecked is handler without the checks, for which an answer has to be
	// whole before it is sent.
	unchecked http.Handler

	books    *books
	charges  bool // keys are charged for calls
	clock    atomic.Pointer[time.Time]
	unready  atomic.Pointer[error]
	refuse   sync.Map // token → error of Authenticate
	secretMu sync.Mutex
	secrets  []string

	admin string // the bootstrap administrator's key
}

func newHarness(t testing.TB) *harness {
	t.Helper()
	return newHarnessWith(t, func(*Options) {})
}

// newHarnessWith makes a harness of an admin server with other options.
func newHarnessWith(t testing.TB, edit func(*Options)) *harness {
	t.Helper()
	backend, err := badgerstore.Open(t.Context(), badgerstore.Options{Directory: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, backend.Close()) })
	plans, err := limit.NewPlans(nil, limit.DefaultPlan)
	require.NoError(t, err)
	h := &harness{t: t, plans: plans, counter: limit.NewMemory(limit.MemoryOptions{})}
	h.setClock(epoch)
	ring, err := keyring.New(keyring.Options{Source: backend, MaxKeys: 1000, Plans: plans, Now: h.now})
	require.NoError(t, err)
	t.Cleanup(ring.Close)
	h.ring = ring
	core, logs := observer.New(zapcore.DebugLevel)
	h.store, h.logs = &faultyStore{Store: keyring.NewWriter(backend, ring)}, logs
	options := Options{
		Store: h.store, Door: h, Plans: plans,
		Ready:         func(context.Context) error { return value(h.unready.Load()) },
		Backup:        func(ctx context.Context, w io.Writer) error { return backend.Backup(ctx, w, nil) },
		BackupRecords: backend.Records,
		Clock:         h.now,
		Logger:        zap.New(core), Version: "test",
	}
	books := newBooks(h.now)
	options.Record, options.Usage, options.AccessLog, options.Alerts = books.Record, books, books, books.alertsOf(backend)
	h.books = books
	edit(&options)
	h.unchecked, err = New(options)
	require.NoError(t, err)
	h.spec, err = loadSpec("")
	require.NoError(t, err)
	h.handler = h.checked(h.unchecked)
	h.server = httptest.NewServer(h.handler)
	t.Cleanup(h.server.Close)
	t.Cleanup(h.checkLogs)

	h.user(store.BuiltinUserID, identity.AdminRole)
	h.admin = h.key(store.Key{Name: "bootstrap", Type: identity.SystemKey, Role: identity.AdminRole, Scopes: []identity.Scope{identity.Admin}, Plan: "enterprise"})
	return h
}

// Authenticate implements Door.
func (h *harness) Authenticate(r *http.Request) (*identity.Admission, error) {
	token := bearer(r)
	if token == "" {
		return nil, identity.NewRefusal(identity.NoCredential, "no API key")
	}
	if err, ok := h.refuse.Load(token); ok {
		return nil, err.(error)
	}
	id, refusal := h.Judge(r.Context(), token)
	if refusal != nil {
		return nil, refusal
	}
	a := identity.NewAdmission(id, h)
	if h.charges {
		a.Tab = limit.NewTab(h.counter, h.now, id.KeyID, id.Limits)
	}
	return a, nil
}

// Credential implements Door.
func (h *harness) Credential(r *http.Request) credential.Secret {
	secret, _ := credential.Format{}.Parse(bearer(r))
	return secret
}

// Judge implements Door.
func (h *harness) Judge(ctx context.Context, key string) (*identity.Identity, *identity.Refusal) {
	secret, err := credential.Format{}.Parse(key)
	if err != nil {
		return nil, identity.NewRefusal(identity.MalformedCredential, "malformed API key")
	}
	return h.ring.Lookup(ctx, secret.Digest())
}

// ClientAddr implements Door.
func (h *harness) ClientAddr(*http.Request) netip.Addr { return netip.MustParseAddr("192.0.2.7") }

func bearer(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}

func (h *harness) now() time.Time { return *h.clock.Load() }

func (h *harness) setClock(now time.Time) { h.clock.Store(&now) }

// user stores an active user.
func (h *harness) user(id string, role identity.Role) {
	h.t.Helper()
	_, err := h.store.CreateUser(h.t.Context(), store.User{ID: id, Name: id, Role: role, Active: true, CreatedAt: epoch, UpdatedAt: epoch},
		store.Audit{Time: epoch, Action: "user.create", Target: id})
	require.NoError(h.t, err)
}

// declaredUser stores a user as the configuration does.
func (h *harness) declaredUser(id string) {
	h.t.Helper()
	_, err := h.store.CreateUser(h.t.Context(), store.User{ID: id, Name: id, Role: identity.Member, Active: true, Declared: true, CreatedAt: epoch, UpdatedAt: epoch},
		store.Audit{Time: epoch, Action: "user.declare", Target: id})
	require.NoError(h.t, err)
}

// key stores a key past the API and returns its secret. What is left out is
// filled in.
func (h *harness) key(k store.Key) string {
	h.t.Helper()
	secret, _ := h.keyAndID(k)
	return secret
}

func (h *harness) keyAndID(k store.Key) (secret, id string) {
	h.t.Helper()
	k.ID, k.CreatedAt, k.UpdatedAt = store.NewKeyID(), epoch, epoch
	if k.Name == "" {
		k.Name = "key"
	}
	if k.Type == "" {
		k.Type = identity.UserKey
	}
	if k.Environment == "" {
		k.Environment = identity.Live
	}
	minted := credential.Format{}.Mint(kindOf(&k))
	k.Secrets = []store.Secret{{Digest: store.Digest(minted.Digest()), Hint: minted.Hint(), CreatedAt: epoch}}
	_, err := h.store.CreateKey(h.t.Context(), k, store.Audit{Time: epoch, Action: "key.create", Target: k.ID})
	require.NoError(h.t, err)
	h.remember(minted.Reveal())
	return minted.Reveal(), k.ID
}

// userKey stores a key of a user with these scopes.
func (h *harness) userKey(owner string, scopes ...identity.Scope) (secret, id string) {
	h.t.Helper()
	return h.keyAndID(store.Key{OwnerID: owner, Scopes: scopes})
}

func (h *harness) remember(secret string) {
	h.secretMu.Lock()
	defer h.secretMu.Unlock()
	h.secrets = append(h.secrets, secret)
}

func (h *harness) leaks(text string) bool {
	h.secretMu.Lock()
	defer h.secretMu.Unlock()
	for _, secret := range h.secrets {
		if strings.Contains(text, secret) {
			return true
		}
	}
	return false
}

// checked wraps the handler in the checks that hold for every answer.
func (h *harness) checked(inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := httptest.NewRecorder()
		inner.ServeHTTP(recorder, r)
		answer := recorder.Result()
		body := recorder.Body.Bytes()
		if r.Header.Get("Idempotency-Key") == "" && h.leaks(recorder.Body.String()) || h.leaks(headerText(answer.Header)) {
			h.t.Errorf("%s %s: the answer holds a secret", r.Method, r.Pattern)
		}
		h.checkAnswer(r, answer, body)
		if answer.StatusCode < 300 {
			var made struct{ Key string }
			if json.Unmarshal(body, &made) == nil && made.Key != "" {
				h.remember(made.Key)
			}
		}
		maps.Copy(w.Header(), answer.Header)
		w.WriteHeader(answer.StatusCode)
		_, _ = w.Write(body)
	})
}

func headerText(h http.Header) string {
	var text bytes.Buffer
	_ = h.Write(&text)
	return text.String()
}

func (h *harness) checkAnswer(r *http.Request, answer *http.Response, body []byte) {
	if got := answer.Header.Get("Cache-Control"); got != "no-store" {
		h.t.Errorf("%s %s: Cache-Control %q, want no-store", r.Method, r.URL.Path, got)
	}
	route := h.spec.route(r.Pattern)
	if route == nil { // 404 and 405: check against any operation's problem
		route = h.spec.route("GET " + api.BasePath + "/whoami")
		if answer.StatusCode < 400 {
			h.t.Errorf("%s %s: status %d on a path that is not in the document", r.Method, r.URL.Path, answer.StatusCode)
		}
	}
	err := openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, Route: route},
		Status:                 answer.StatusCode, Header: answer.Header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	})
	if err != nil {
		h.t.Errorf("%s %s: the answer does not fit the document: %v", r.Method, r.URL.Path, err)
	}
	if answer.StatusCode >= 400 {
		var p api.Problem
		if json.Unmarshal(body, &p) != nil || p.Status != answer.StatusCode || p.Type != problemTypePrefix+p.Code || p.Title == "" {
			h.t.Errorf("%s %s: bad problem: %s", r.Method, r.URL.Path, body)
		}
	}
}

func (h *harness) checkLogs() {
	for _, entry := range h.logs.All() {
		text, err := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()).EncodeEntry(entry.Entry, entry.Context)
		require.NoError(h.t, err)
		if h.leaks(text.String()) {
			h.t.Errorf("a log line holds a secret: %s", entry.Message)
		} else if h.t.Failed() {
			h.t.Logf("logged: %s", text)
		}
	}
}

// as returns the generated client of a caller.
func (h *harness) as(secret string) *client.ClientWithResponses {
	h.t.Helper()
	c, err := client.NewClientWithResponses(h.server.URL+api.BasePath, client.WithHTTPClient(h.server.Client()),
		client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+secret)
			return nil
		}))
	require.NoError(h.t, err)
	return c
}

// answer is what a raw request got.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) problem(t testing.TB) api.Problem {
	t.Helper()
	var p api.Problem
	require.NoError(t, json.Unmarshal([]byte(a.body), &p), a.body)
	return p
}

// code returns the status and the problem's code: "409 key_revoked", or the
// status alone of a success.
func (a answer) code(t testing.TB) string {
	t.Helper()
	status := http.StatusText(a.status)
	if a.status < 400 {
		return status
	}
	return status + " " + a.problem(t).Code
}

// do sends a raw request; a body is labelled as JSON. Edits change it before.
func (h *harness) do(secret, method, target, body string, edits ...func(*http.Request)) answer {
	h.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, edit := range edits {
		edit(r)
	}
	recorder := httptest.NewRecorder()
	h.handler.ServeHTTP(recorder, r)
	return answer{status: recorder.Code, header: recorder.Header(), body: recorder.Body.String()}
}

func (h *harness) create(secret, body string) answer {
	h.t.Helper()
	return h.do(secret, http.MethodPost, "/api/v1/api-keys", body)
}

func (h *harness) patch(secret, id, body string) answer {
	h.t.Helper()
	return h.do(secret, http.MethodPatch, "/api/v1/api-keys/"+id, body)
}

func (h *harness) revoke(secret, id string) answer {
	h.t.Helper()
	return h.do(secret, http.MethodDelete, "/api/v1/api-keys/"+id, "")
}

func (h *harness) rotate(secret, id, body string, edits ...func(*http.Request)) answer {
	h.t.Helper()
	return h.do(secret, http.MethodPost, "/api/v1/api-keys/"+id+"/rotate", body, edits...)
}

func (h *harness) createUser(secret, body string) answer {
	h.t.Helper()
	return h.do(secret, http.MethodPost, "/api/v1/users", body)
}

func (h *harness) patchUser(secret, id, body string) answer {
	h.t.Helper()
	return h.do(secret, http.MethodPatch, "/api/v1/users/"+id, body)
}

func (h *harness) deleteUser(secret, id string) answer {
	h.t.Helper()
	return h.do(secret, http.MethodDelete, "/api/v1/users/"+id, "")
}

func (h *harness) apply(secret, body string) answer {
	h.t.Helper()
	return h.do(secret, http.MethodPost, "/api/v1/apply", body)
}

func (h *harness) introspect(secret, token string) answer {
	h.t.Helper()
	return h.do(secret, http.MethodPost, "/api/v1/introspect", url.Values{"token": {token}}.Encode(), func(r *http.Request) {
		r.Header.Set("Content-Type", formType)
	})
}

// with sets a header of a request.
func with(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func (h *harness) get(secret, path string) answer {
	h.t.Helper()
	return h.do(secret, http.MethodGet, "/api/v1"+path, "")
}

// created creates a key that must be allowed and returns it.
func (h *harness) created(secret, body string) api.Key {
	h.t.Helper()
	a := h.create(secret, body)
	require.Equal(h.t, http.StatusCreated, a.status, a.body)
	return keyOf(h.t, a)
}

func keyOf(t testing.TB, a answer) api.Key {
	t.Helper()
	var k api.Key
	require.NoError(t, json.Unmarshal([]byte(a.body), &k), a.body)
	return k
}

// audits returns the audit log, oldest first, without what the harness wrote.
func (h *harness) audits() []store.Audit {
	h.t.Helper()
	page, err := h.store.ListAudit(h.t.Context(), store.AuditFilter{}, store.Page{Limit: store.MaxLimit})
	require.NoError(h.t, err)
	var records []store.Audit
	for _, r := range page.Records {
		if r.Actor != (store.Actor{}) {
			records = append([]store.Audit{r}, records...)
		}
	}
	return records
}

func (h *harness) newestAudit() store.Audit {
	h.t.Helper()
	page, err := h.store.ListAudit(h.t.Context(), store.AuditFilter{}, store.Page{Limit: 1})
	require.NoError(h.t, err)
	return page.Records[0]
}

// faultyStore fails where it is told to.
type faultyStore struct {
	store.Store
	fail sync.Map // method → error
}

func (f *faultyStore) fault(method string) error {
	if err, ok := f.fail.Load(method); ok {
		if err == nil {
			panic("planted")
		}
		return err.(error)
	}
	return nil
}

func (f *faultyStore) CreateKey(ctx context.Context, k store.Key, a store.Audit) (store.Key, error) {
	if err := f.fault("CreateKey"); err != nil {
		return store.Key{}, err
	}
	return f.Store.CreateKey(ctx, k, a)
}

func (f *faultyStore) UpdateKey(ctx context.Context, id string, edit func(*store.Key) (store.Audit, error)) (store.Key, error) {
	if err := f.fault("UpdateKey"); err != nil {
		return store.Key{}, err
	}
	return f.Store.UpdateKey(ctx, id, edit)
}

func (f *faultyStore) AppendAudit(ctx context.Context, a store.Audit) (store.Audit, error) {
	if err := f.fault("AppendAudit"); err != nil {
		return store.Audit{}, err
	}
	return f.Store.AppendAudit(ctx, a)
}

func (f *faultyStore) Key(ctx context.Context, id string) (store.Key, error) {
	if err := f.fault("Key"); err != nil {
		return store.Key{}, err
	}
	return f.Store.Key(ctx, id)
}

func (f *faultyStore) User(ctx context.Context, id string) (store.User, error) {
	if err := f.fault("User"); err != nil {
		return store.User{}, err
	}
	return f.Store.User(ctx, id)
}

func (f *faultyStore) ListKeys(ctx context.Context, filter store.KeyFilter, page store.Page) (store.KeyPage, error) {
	if err := f.fault("ListKeys"); err != nil {
		return store.KeyPage{}, err
	}
	return f.Store.ListKeys(ctx, filter, page)
}
