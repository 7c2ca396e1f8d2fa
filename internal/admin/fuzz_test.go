package admin

import (
	"net/http"
	"strings"
	"testing"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

var fuzzSeeds = []string{
	`{"name":"k","scopes":["traces:write"]}`,
	`{"name":"k","preset":"read-only","type":"system","environment":"test","role":"viewer","plan":"pro"}`,
	`{"name":"k","description":"d","ownerId":"admin","scopes":["admin"],"projects":["a","b"],"allowedIps":["10.0.0.0/8","::1"],"expectedCountries":["DE"],"expiresAt":"2030-01-01T00:00:00.5+01:00"}`,
	`{"description":null,"role":null,"projects":null,"plan":null,"allowedIps":null,"expectedCountries":null,"expiresAt":null}`,
	`{"name":"k","preset":"admin","limits":[{"on":"ingest","unit":"requests","max":100,"window":"1m"},{"on":"api","unit":"items","max":1e3,"window":"1h30m"}]}`, `{"limits":null}`,
	`{"expiresAt":"9999-12-31T23:59:59.999999999Z"}`, `{"name":"\ud800\u0000"}`, `{"name":"KEY"}`, `{"KEY":["KEY"]}`, `[]`, `null`, `"KEY"`, `{"name":1e999}`,
	`{"scopes":[null]}`, `{"projects":["` + strings.Repeat("x", 256) + `"]}`, "{\"name\":\"\xff\"}", `{"name":"k","name":"l"}`,
}

// fuzzBodies sends bodies in which KEY stands for a planted key: never a 5xx
// nor a panic, never the key in an answer (which the harness watches), never an
// answer that does not fit the document.
func fuzzBodies(f *testing.F, send func(h *harness, secret, body string) answer) {
	f.Helper()
	for _, seed := range fuzzSeeds {
		f.Add(seed)
	}
	h := newHarness(f)
	h.user("ada", identity.Member)
	ada := h.key(store.Key{OwnerID: "ada", Scopes: []identity.Scope{identity.TracesWrite}, Projects: []string{"a"}})
	key := planted(h)
	f.Fuzz(func(t *testing.T, body string) {
		h.t = t // as testing asks of what runs in here
		defer func() { h.t = f }()
		body = strings.ReplaceAll(body, "KEY", key)
		for _, secret := range []string{h.admin, ada} {
			a := send(h, secret, body)
			if a.status >= 500 {
				t.Fatalf("status %d: %s", a.status, a.body)
			}
			if strings.Contains(a.body, key) {
				t.Fatalf("the key is echoed: %s", a.body)
			}
		}
	})
}

func FuzzCreate(f *testing.F) {
	fuzzBodies(f, func(h *harness, secret, body string) answer { return h.create(secret, body) })
}

func FuzzPatch(f *testing.F) {
	targets := map[string]string{}
	fuzzBodies(f, func(h *harness, secret, body string) answer {
		if targets[secret] == "" {
			targets[secret] = h.created(secret, `{"name":"target","scopes":["traces:write"]}`).ID
		}
		return h.do(secret, http.MethodPatch, "/api/v1/api-keys/"+targets[secret], body, func(r *http.Request) {
			r.Header.Set("Content-Type", mergePatchType)
		})
	})
}
