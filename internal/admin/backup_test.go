package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/badgerstore"
)

// backupOf makes an Options.Backup of what it writes and how it ends.
func backupOf(end error, parts ...string) func(*Options) {
	return func(o *Options) {
		o.Backup = func(_ context.Context, w io.Writer) error {
			for _, part := range parts {
				if _, err := io.WriteString(w, part); err != nil {
					return err
				}
			}
			return end
		}
	}
}

func TestABackupIsAllThatItTakesToRestore(t *testing.T) {
	h := newHarness(t)
	key := h.created(h.admin, `{"name":"checkout","scopes":["traces:write"]}`)
	a := h.get(h.admin, "/backup")
	require.Equal(t, http.StatusOK, a.status, a.body)
	assert.Equal(t, "application/octet-stream", a.header.Get("Content-Type"))
	assert.Equal(t, `attachment; filename="otlpgate-20260701T093000Z.backup"`, a.header.Get("Content-Disposition"))
	assert.Equal(t, "no-store", a.header.Get("Cache-Control"))

	directory := filepath.Join(t.TempDir(), "restored")
	require.NoError(t, badgerstore.Restore(t.Context(), directory, strings.NewReader(a.body), nil))
	restored, err := badgerstore.Open(t.Context(), badgerstore.Options{Directory: directory})
	require.NoError(t, err)
	defer func() { assert.NoError(t, restored.Close()) }()
	got, err := restored.Key(t.Context(), key.ID)
	require.NoError(t, err)
	want, err := h.store.Key(t.Context(), key.ID)
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

func TestOnlyAdministratorsMakeBackups(t *testing.T) {
	called := false
	h := newHarnessWith(t, func(o *Options) {
		o.Backup = func(context.Context, io.Writer) error { called = true; return nil }
	})
	h.user("ada", identity.Member)
	member, _ := h.userKey("ada", "traces:read", "traces:write")
	narrow, _ := h.userKey(store.BuiltinUserID, "traces:write")
	system := h.key(store.Key{Type: identity.SystemKey, Role: identity.Viewer, Scopes: []identity.Scope{identity.TracesRead}})
	for name, secret := range map[string]string{"a member": member, "an administrator's lesser key": narrow, "a system key": system} {
		assert.Equal(t, "Forbidden not_permitted", h.get(secret, "/backup").code(t), name)
	}
	assert.False(t, called)
}

func TestABackupThatFailsAtOnceIsAProblem(t *testing.T) {
	h := newHarnessWith(t, backupOf(errors.New("planted")))
	a := h.get(h.admin, "/backup")
	assert.Equal(t, "Service Unavailable store_unavailable", a.code(t))
	assert.Empty(t, a.header.Get("Content-Disposition"))
	assert.Equal(t, "planted", h.logs.All()[0].ContextMap()["cause"])
}

func TestHeadMakesNoBackup(t *testing.T) {
	h := newHarnessWith(t, backupOf(errors.New("was made")))
	a := h.do(h.admin, http.MethodHead, "/api/v1/backup", "")
	assert.Equal(t, http.StatusOK, a.status)
	assert.Equal(t, "application/octet-stream", a.header.Get("Content-Type"))
}

// serve serves without the checks of the harness.
func (h *harness) serve(configure func(*httptest.Server)) *httptest.Server {
	h.t.Helper()
	server := httptest.NewUnstartedServer(h.unchecked)
	configure(server)
	if server.EnableHTTP2 {
		server.StartTLS()
	} else {
		server.Start()
	}
	h.t.Cleanup(server.Close)
	return server
}

func (h *harness) download(server *httptest.Server) (protocol string, body io.Reader) {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, server.URL+api.BasePath+"/backup", http.NoBody)
	require.NoError(h.t, err)
	request.Header.Set("Authorization", "Bearer "+h.admin)
	answer, err := server.Client().Do(request)
	require.NoError(h.t, err)
	h.t.Cleanup(func() { _ = answer.Body.Close() })
	require.Equal(h.t, http.StatusOK, answer.StatusCode)
	return answer.Proto, answer.Body
}

func TestABackupThatFailsOnTheWayNeverLooksWhole(t *testing.T) {
	failing := func(o *Options) { backupOf(errors.New("planted"), strings.Repeat("x", 1<<16))(o) }
	panicking := func(o *Options) {
		o.Backup = func(_ context.Context, w io.Writer) error {
			_, _ = io.WriteString(w, strings.Repeat("x", 1<<16))
			panic("planted")
		}
	}
	for name, edit := range map[string]func(*Options){"an error": failing, "a panic": panicking} {
		for protocol, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
			t.Run(name+" over "+protocol, func(t *testing.T) {
				h := newHarnessWith(t, edit)
				spoken, part := h.download(h.serve(func(s *httptest.Server) { s.EnableHTTP2 = http2 }))
				assert.Equal(t, protocol, spoken)
				body, err := io.ReadAll(part)
				require.Error(t, err)
				assert.NotContains(t, string(body), "problem")
				assert.NotEmpty(t, h.logs.FilterMessage("admin API: backup broken off").All())
			})
		}
	}
}

func TestTheWriteTimeoutDoesNotCutALongBackup(t *testing.T) {
	const parts, pause, timeout = 6, 50 * time.Millisecond, 100 * time.Millisecond
	part := strings.Repeat("x", 1<<16)
	for protocol, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(protocol, func(t *testing.T) {
			h := newHarnessWith(t, func(o *Options) {
				o.Backup = func(_ context.Context, w io.Writer) error {
					for range parts {
						if _, err := io.WriteString(w, part); err != nil {
							return err
						}
						time.Sleep(pause)
					}
					return nil
				}
			})
			_, body := h.download(h.serve(func(s *httptest.Server) { s.EnableHTTP2, s.Config.WriteTimeout = http2, timeout }))
			got, err := io.ReadAll(body)
			require.NoError(t, err)
			assert.Len(t, got, parts*len(part))
		})
	}
}

// deadlines is a ResponseWriter that keeps them.
type deadlines struct {
	*httptest.ResponseRecorder
	set []time.Time
}

func (d *deadlines) SetWriteDeadline(at time.Time) error {
	d.set = append(d.set, at)
	return nil
}

func TestAClientThatTakesNothingOfABackupIsLeft(t *testing.T) {
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	tr := &transfer{ctx: t.Context(), writer: w, control: http.NewResponseController(w)}
	for n := range 3 {
		_, err := io.WriteString(tr, "part")
		require.NoError(t, err)
		require.Len(t, w.set, n+1)
		assert.WithinDuration(t, time.Now().Add(stalledAfter), w.set[n], stalledAfter/2)
	}
}

func TestABackupDoesNotHoldUpTheEndOfTheServer(t *testing.T) {
	lifetime, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	h := newHarnessWith(t, func(o *Options) {
		o.Lifetime = lifetime
		o.Backup = func(_ context.Context, w io.Writer) error {
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					ended <- err
					return err
				}
			}
		}
	})
	_, body := h.download(h.serve(func(*httptest.Server) {}))
	time.Sleep(20 * time.Millisecond) // until the connection is full; the test holds without
	end()
	select {
	case <-ended:
	case <-time.After(stalledAfter / 2):
		t.Fatal("the backup goes on")
	}
	_, err := io.Copy(io.Discard, body)
	require.Error(t, err)
}
