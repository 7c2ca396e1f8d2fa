package alert

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/kv"
	"github.com/otlpgate/otlpgate/internal/kv/kvtest"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
	"github.com/otlpgate/otlpgate/internal/usage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const day = 24 * time.Hour

var usual = DefaultRules()

// fixture is a runner over a real key store, ledger and kv store, with a clock of
// its own.
type fixture struct {
	*Runner
	t       *testing.T
	keys    store.Store
	uses    *usage.LastUses
	ledger  *usage.Ledger
	kv      kv.Store
	now     time.Time
	options Options
}

// newFixture begins hundred days ago: what is told to others lies in the past by
// then.
func newFixture(t *testing.T, edit ...func(*Options)) *fixture {
	t.Helper()
	f := &fixture{t: t, keys: storetest.NewMemory(), now: time.Now().UTC().Truncate(time.Hour).Add(-100 * day)}
	f.kv = kvtest.NewMemoryAt(func() time.Time { return f.now })
	f.uses, f.ledger = usage.NewLastUses(f.keys), usage.NewLedger(f.kv, 400*day)
	f.options = Options{
		Rules: usual, Store: f.kv, Keys: f.keys, LastUses: f.uses.LastUses, Usage: f.ledger, Now: func() time.Time { return f.now },
	}
	for _, e := range edit {
		e(&f.options)
	}
	f.start()
	_, err := f.keys.CreateUser(t.Context(), store.User{ID: "ada", Name: "Ada", Role: identity.Member, Active: true, CreatedAt: f.now, UpdatedAt: f.now}, audit())
	require.NoError(t, err)
	return f
}

func audit() store.Audit { return store.Audit{Time: time.Now(), Action: "test"} }

func (f *fixture) start() {
	f.t.Helper()
	f.Runner = New(f.options)
	require.NoError(f.t, f.Start(f.t.Context()))
	f.t.Cleanup(f.Shutdown)
}

// restart ends the runner and begins another one over what it has kept.
func (f *fixture) restart() {
	f.t.Helper()
	f.Shutdown()
	f.start()
}

// key makes a key of Ada's.
func (f *fixture) key(id string, edit ...func(*store.Key)) {
	f.t.Helper()
	k := store.Key{
		ID: id, Name: "checkout", Type: identity.UserKey, Environment: identity.Live, OwnerID: "ada", Scopes: []identity.Scope{identity.TracesWrite},
		Secrets:   []store.Secret{{Digest: digest(id, 1), Hint: "px_live_new…1111", CreatedAt: f.now}},
		CreatedAt: f.now, UpdatedAt: f.now,
	}
	for _, e := range edit {
		e(&k)
	}
	_, err := f.keys.CreateKey(f.t.Context(), k, audit())
	require.NoError(f.t, err)
}

func digest(id string, n byte) store.Digest { return sha256.Sum256([]byte(id + string(rune('0'+n)))) }

func (f *fixture) change(id string, edit func(*store.Key)) {
	f.t.Helper()
	_, err := f.keys.UpdateKey(f.t.Context(), id, func(k *store.Key) (store.Audit, error) {
		edit(k)
		return audit(), nil
	})
	require.NoError(f.t, err)
}

// use lets a key be used now, with its newest secret or another.
func (f *fixture) use(id string, secret byte) {
	f.t.Helper()
	f.uses.Used(&identity.Identity{KeyID: id, SecretInfo: identity.SecretInfo{Ref: digest(id, secret).Ref()}}, f.now)
}

// send lets a key make requests now.
func (f *fixture) send(id, country string, outcome access.Outcome, n int64) {
	f.t.Helper()
	counts := []access.Count{{
		Group:   access.Group{Minute: f.now.Unix() / 60, KeyID: id, Endpoint: "traces", Outcome: outcome, Reason: map[bool]string{true: "rate_limited"}[outcome == access.Refused]},
		Volume:  access.Volume{Requests: n},
		Country: country,
	}}
	f.ledger.Add(counts)
	require.NoError(f.t, f.ledger.Flush(f.t.Context()))
	require.NoError(f.t, f.Note(f.t.Context(), counts))
}

func (f *fixture) evaluate() {
	f.t.Helper()
	require.NoError(f.t, f.Evaluate(f.t.Context()))
}

// after lets time pass and judges.
func (f *fixture) after(d time.Duration) {
	f.t.Helper()
	f.now = f.now.Add(d)
	f.evaluate()
}

func (f *fixture) list(filter Filter) []Alert {
	f.t.Helper()
	page, err := f.List(f.t.Context(), filter, store.Page{Limit: store.MaxLimit})
	require.NoError(f.t, err)
	return page.Alerts
}

// firingNow lists what fires, as "kind key subject".
func (f *fixture) firingNow() []string {
	f.t.Helper()
	texts := []string{}
	for _, a := range f.list(Filter{State: Firing}) {
		text := string(a.Kind) + " " + a.KeyID
		if a.Subject != "" {
			text += " " + a.Subject
		}
		texts = append(texts, text)
	}
	return texts
}

// hook is a server for a webhook that keeps what it gets.
type hook struct {
	*httptest.Server
	mu     sync.Mutex
	got    []notice
	answer func(http.ResponseWriter) // nil: 200
	came   chan struct{}
}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := &hook{came: make(chan struct{}, 1000)}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		defer func() { h.came <- struct{}{} }()
		if h.answer != nil {
			h.answer(w)
			return
		}
		var n notice
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		h.got = append(h.got, n)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) set(answer func(http.ResponseWriter)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = answer
}

// notices lists what came, as "state kind".
func (h *hook) notices() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var texts []string
	for _, n := range h.got {
		texts = append(texts, string(n.State)+" "+string(n.Alert.Kind))
	}
	return texts
}

func (h *hook) await(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return len(h.notices()) >= n }, 20*time.Second, 5*time.Millisecond)
}

func (h *hook) receiver() *Receiver { return &Receiver{URL: h.URL, Client: h.Client()} }

// failingKV cannot be written while it has an error.
type failingKV struct {
	kv.Store
	err atomic.Pointer[error]
}

func (f *failingKV) Write(ctx context.Context, groups [][]kv.Entry) (int, error) {
	if err := f.err.Load(); err != nil {
		return 0, *err
	}
	return f.Store.Write(ctx, groups)
}
