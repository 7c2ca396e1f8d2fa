package main

import (
	"context"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/otlpgate/otlpgate/internal/admin"
	"github.com/otlpgate/otlpgate/internal/clientip"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/declaration"
	"github.com/otlpgate/otlpgate/internal/gate"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/keyring"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/provision"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/badgerstore"
	"github.com/otlpgate/otlpgate/internal/throttle"
)

// adminServer is the admin API as otlpgate serves it, over a store of its own.
type adminServer struct {
	http.Handler
	keys store.Store
}

// deferrer is a *testscript.Env or a *testscript.TestScript.
type deferrer interface{ Defer(func()) }

// startAdmin opens a store in the directory and brings it to the state that it
// has after a first start: the bootstrap key is in admin.key.
func startAdmin(env deferrer, directory string) (*adminServer, error) {
	ctx := context.Background()
	backend, err := badgerstore.Open(ctx, badgerstore.Options{Directory: directory})
	if err != nil {
		return nil, err
	}
	env.Defer(func() { backend.Close() })
	plans, err := limit.NewPlans(nil, limit.DefaultPlan)
	if err != nil {
		return nil, err
	}
	ring, err := keyring.New(keyring.Options{Source: backend, MaxKeys: 1000, Plans: plans})
	if err != nil {
		return nil, err
	}
	env.Defer(ring.Close)
	s := &adminServer{keys: keyring.NewWriter(backend, ring)}
	if _, err := (provision.Bootstrap{Store: s.keys, Directory: directory, Now: time.Now}).Run(ctx); err != nil {
		return nil, err
	}
	counter := limit.NewMemory(limit.MemoryOptions{})
	books, alerts := newBooks(backend)
	s.Handler, err = admin.New(admin.Options{
		Store: s.keys, Door: newDoor(ring, counter, backend),
		Plans:  plans,
		Record: books.Record, Usage: books, AccessLog: books, Alerts: alerts,
		State: func(ctx context.Context, id string, p *limit.Policy) (limit.State, error) {
			return counter.State(ctx, time.Now(), id, p)
		},
		Backup:        func(ctx context.Context, w io.Writer) error { return backend.Backup(ctx, w, nil) },
		BackupRecords: backend.Records,
	})
	return s, err
}

// door judges requests as the extension does. It remembers when secrets were
// used.
type door struct {
	*gate.Gate
	uses store.Uses
}

func newDoor(ring *keyring.Keyring, counter limit.Counter, uses store.Uses) door {
	headers, err := credential.NewHeaders(nil)
	if err != nil {
		panic(err)
	}
	return door{uses: uses, Gate: gate.New(gate.Options{
		Headers: headers, Keyring: ring, Counter: counter, Clock: time.Now,
		Clients: clientip.NewResolver(nil), Throttle: throttle.New(throttle.Options{}),
	})}
}

func requestOf(r *http.Request) gate.Request {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	return gate.Request{Headers: r.Header, Peer: peer.Addr()}
}

// Authenticate implements admin.Door.
func (d door) Authenticate(r *http.Request) (*identity.Admission, error) {
	a, denial := d.Gate.Authenticate(r.Context(), requestOf(r))
	if denial != nil {
		return nil, denial
	}
	if refusal := a.Refused(); refusal != nil {
		return nil, refusal
	}
	ref := store.Digest(d.Credential(r).Digest()).Ref()
	return a, d.uses.KeepUses(r.Context(), []store.Use{{KeyID: a.KeyID, Secret: ref, At: time.Now()}})
}

// Credential implements admin.Door.
func (d door) Credential(r *http.Request) credential.Secret { return d.Gate.Credential(requestOf(r)) }

// ClientAddr implements admin.Door.
func (d door) ClientAddr(r *http.Request) netip.Addr { return d.Gate.ClientAddr(requestOf(r)) }

// addMember makes a user who is no administrator, with a key that can do what
// the role allows, and returns the key.
func (s *adminServer) addMember() (string, error) {
	ctx, now := context.Background(), time.Now()
	user := store.User{ID: store.NewUserID(), Name: "Mem Ber", Role: identity.Member, Active: true, CreatedAt: now, UpdatedAt: now}
	if _, err := s.keys.CreateUser(ctx, user, store.Audit{Time: now, Action: "user.create", Target: user.ID}); err != nil {
		return "", err
	}
	secret := credential.Format{}.Mint(credential.Live)
	key := store.Key{
		ID: store.NewKeyID(), Name: "member", Type: identity.UserKey, Environment: identity.Live, OwnerID: user.ID,
		Scopes:    identity.Member.Scopes().List(),
		Secrets:   []store.Secret{{Digest: store.Digest(secret.Digest()), Hint: secret.Hint(), CreatedAt: now}},
		CreatedAt: now, UpdatedAt: now,
	}
	_, err := s.keys.CreateKey(ctx, key, store.Audit{Time: now, Action: "key.create", Target: key.ID})
	return secret.Reveal(), err
}

// declare makes a key as the configuration of the collector does.
func (s *adminServer) declare() (id string, err error) {
	secret := credential.Format{}.Mint(credential.Sys)
	records, err := declaration.Document{Keys: []declaration.Key{{
		Name: "declared", Digest: secret.Digest().String(), Scopes: []string{"traces:write"},
	}}}.Records(nil)
	if err != nil {
		return "", err
	}
	_, err = provision.Reconcile(context.Background(), s.keys, records, provision.Options{Source: provision.Configuration, Now: time.Now()})
	return records.Keys[0].ID, err
}

// lossy carries out what is sent, but loses the answer to each call with an
// idempotency key that it has not seen.
func lossy(h http.Handler) http.Handler {
	var seen sync.Map
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("Idempotency-Key")
		if _, repeated := seen.LoadOrStore(id, true); id == "" || repeated {
			h.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
}

// strangers are servers that answer otherwise than the admin API does.
func strangers() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		// html is some other web server.
		"html": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<html>hello</html>")
		},
		// missing knows no such path.
		"missing": http.NotFound,
		// slow never answers in time.
		"slow": func(_ http.ResponseWriter, r *http.Request) {
			// The end of the connection is seen only once the body was read.
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		},
		// busy asks to come back later.
		"busy": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			problem(w, http.StatusServiceUnavailable, "store_unavailable", "the store cannot be asked now: retry later")
		},
		// limited asks to wait, once, and has an empty audit log.
		"limited": func() http.HandlerFunc {
			var asked atomic.Bool
			return func(w http.ResponseWriter, _ *http.Request) {
				if !asked.Swap(true) {
					w.Header().Set("Retry-After", "1")
					problem(w, http.StatusTooManyRequests, "rate_limited", "too many requests")
					return
				}
				answer(w, `{"data":[],"nextCursor":null}`)
			}
		}(),
		// forged has an audit log whose one record does not fit its hash.
		"forged": func(w http.ResponseWriter, _ *http.Request) {
			answer(w, `{"data":[{"seq":1,"time":"2026-07-01T09:30:00Z","actor":{"keyId":null,"userId":null,"address":null},"action":"key.create","target":"key_a",`+
				`"outcome":"success","reason":null,"changes":{},"previousHash":null,"hash":"sha256:`+strings.Repeat("0", 64)+`"}],"nextCursor":null}`)
		},
		// echo repeats the caller's key, and tries to control the terminal.
		"echo": func(w http.ResponseWriter, r *http.Request) {
			problem(w, http.StatusForbidden, "not_permitted", `you sent `+r.Header.Get("Authorization")+`\u001b[2J\u202e`)
		},
		// broken breaks off in the middle of a backup.
		"broken": func(w http.ResponseWriter, _ *http.Request) {
			beginBackup(w)
			panic(http.ErrAbortHandler)
		},
		// short ends a backup as if it were whole.
		"short": func(w http.ResponseWriter, _ *http.Request) { beginBackup(w) },
		// stalled sends a part of a backup and then nothing.
		"stalled": func(w http.ResponseWriter, r *http.Request) {
			beginBackup(w)
			<-r.Context().Done()
		},
		// unbacked keeps its keys elsewhere.
		"unbacked": func(w http.ResponseWriter, _ *http.Request) {
			problem(w, http.StatusNotImplemented, "backup_unsupported", "the keys are kept where this API cannot back them up")
		},
		// header tells which headers came.
		"header": func(w http.ResponseWriter, r *http.Request) {
			seen := "no key"
			for _, name := range []string{"Authorization", "X-Api-Key"} {
				if strings.Contains(r.Header.Get(name), "px_sys_") {
					seen = name
				}
			}
			problem(w, http.StatusForbidden, "not_permitted", "the key came in "+seen)
		},
	}
}

// beginBackup sends the head of a backup and the beginning of a record.
func beginBackup(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/octet-stream")
	io.WriteString(w, "OTLPGATE BACKUP\n\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02\x06uadmin")
	http.NewResponseController(w).Flush()
}

func answer(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, body)
}

func problem(w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	io.WriteString(w, `{"type":"t","title":"t","status":1,"code":"`+code+`","detail":"`+detail+`"}`)
}

// serveTLS serves the handler with a certificate that is written to ca.pem.
func serveTLS(env *testscript.Env, h http.Handler) (string, error) {
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = quietLog
	server.StartTLS()
	env.Defer(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return server.URL, os.WriteFile(filepath.Join(env.WorkDir, "ca.pem"), ca, 0o600)
}
