package e2e

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// nginxBase holds what the documented configuration takes for granted: one
// process that logs to its output and keeps its files in one folder.
const nginxBase = `
daemon off;
master_process off;
pid nginx.pid;
error_log stderr notice;
events {}
http {
    access_log /dev/stderr;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
`

// nginx returns the path of the program.
func nginx(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} { // not in everybody's PATH
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, "nginx is missing: run make test-deps")
	return ""
}

// viaNginx starts an nginx with the documented configuration, with the changes.
func viaNginx(changes ...string) proxy {
	return func(t *testing.T, v *vault, gateAddress, serviceAddress string) string {
		t.Helper()
		address := freeAddress(t)
		config := put(t, documented(t, "nginx", "auth_request"), changes...)
		config = put(t, config, documentedGate, gateAddress, documentedService, serviceAddress, "listen 80;", "listen "+address+";")
		return serveNginx(t, v, config, address)
	}
}

func serveNginx(t *testing.T, v *vault, config, address string) string {
	t.Helper()
	folder := t.TempDir()
	file := filepath.Join(folder, "nginx.conf")
	require.NoError(t, os.WriteFile(file, []byte(nginxBase+config+"}\n"), 0o600))
	p := run(t, nginx(t), "-e", "stderr", "-p", folder, "-c", file)
	t.Cleanup(func() { v.saw("nginx's output", p.output.String()) })
	if !p.await(t, "nginx", func(text string) bool { return strings.Contains(text, "nginx/1.") }) {
		t.Fatalf("nginx ended:\n%s", p.output)
	}
	return address
}

func TestNginxWithTheDocumentedConfigurationLetsPassWhatAKeyMay(t *testing.T) {
	t.Parallel()
	nginx(t)
	f := newFront(t, viaNginx())
	f.guaranteed(t)

	t.Run("any project can be asked for", func(t *testing.T) {
		k := f.gate.create(t, scopes("projects:read"), projects("a-1_B")).bearer()
		for path, want := range map[string]int{
			"/projects/a-1_B":                         statusPass,
			"/projects/a-1_B/spans":                   statusPass,
			"/projects/other":                         statusDenied,
			"/projects/a-1_B/../other":                statusDenied,
			"/projects/a-1_B/%2e%2e/other":            statusDenied,
			"/projects":                               http.StatusNotFound,
			"/projects/a%26project=b":                 http.StatusNotFound,
			"/projects/a%0d%0aX-Forwarded-For:%20::1": http.StatusNotFound,
			"/elsewhere":                              http.StatusNotFound,
		} {
			assert.Equal(t, want, f.ask(t, http.MethodGet, path, k).status, path)
		}
	})
	t.Run("nobody asks the gate past the proxy", func(t *testing.T) {
		assert.Equal(t, http.StatusNotFound, f.ask(t, http.MethodGet, "/_verify", f.gate.create(t).bearer()).status)
	})
}

func TestNginxFindsKeysInHeadersWithUnderscoresIfItIsToldTo(t *testing.T) {
	t.Parallel()
	nginx(t)
	f := newFront(t, viaNginx())
	assert.Equal(t, statusUnknown, f.ask(t, http.MethodGet, "/datasets", headers{"api_key": f.gate.create(t, scopes("datasets:read")).secret}).status)
	assert.Empty(t, f.take())

	f.reach(t, viaNginx("# underscores_in_headers on;", "underscores_in_headers on;"), f.gate.admin.address)
	takesUnderscores(t, f)
}

func TestNginxLetsPreflightsPassToTheServiceIfItIsToldTo(t *testing.T) {
	t.Parallel()
	nginx(t)
	f := newFront(t, viaNginx())
	preflight := with(lies, headers{"Origin": "https://example.com", "Access-Control-Request-Method": "POST"})
	assert.Equal(t, statusUnknown, f.ask(t, http.MethodOptions, "/datasets", preflight).status)
	assert.Empty(t, f.take())

	f.reach(t, viaNginx("# if ($request_method = OPTIONS)", "if ($request_method = OPTIONS)"), f.gate.admin.address)
	assert.Equal(t, statusPass, f.ask(t, http.MethodOptions, "/datasets", preflight).status)
	got := f.take()
	require.Len(t, got, 1)
	for name := range lies {
		assert.Empty(t, got[0].header.Get(name), name)
	}
	assert.Equal(t, statusUnknown, f.ask(t, http.MethodGet, "/datasets", preflight).status, "nothing else statusPass")
}

// silent is an address that takes connections and never answers.
func silent(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() }) // the kernel answers for it until then
	return l.Addr().String()
}

func TestNginxFailsClosed(t *testing.T) {
	t.Parallel()
	nginx(t)
	f := newFront(t, viaNginx())
	k := f.gate.create(t, scopes("admin")).bearer()
	for name, tt := range map[string]struct {
		gate    string
		changes []string
	}{
		"the gate is down":                 {freeAddress(t), nil},
		"the gate does not answer":         {silent(t), []string{"proxy_read_timeout 5s", "proxy_read_timeout 200ms"}},
		"something else answers":           {f.backend.address, []string{"/api/v1/verify", brokenPath}},
		"a scope is misspelt":              {f.gate.admin.address, []string{"datasets:$access", "dataset:$access"}},
		"a location asks for no scope":     {f.gate.admin.address, []string{"set $need datasets:$access;", ""}},
		"the path of the gate is misspelt": {f.gate.admin.address, []string{"/api/v1/verify", "/api/v1/verified"}},
	} {
		t.Run(name, func(t *testing.T) {
			f.reach(t, viaNginx(tt.changes...), tt.gate)
			f.take()
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				assert.Equal(t, http.StatusServiceUnavailable, f.ask(t, method, "/datasets", k).status, method)
			}
			for _, r := range f.take() {
				assert.Contains(t, r.uri, brokenPath, "only as the gate")
			}
		})
	}
}

func TestNginxTellsOfLimitsWhereOneOfTwoGatesIsDown(t *testing.T) {
	t.Parallel()
	nginx(t)
	f := newFront(t, viaNginx("server "+documentedGate+";", "server "+freeAddress(t)+" max_fails=0; server "+documentedGate+";"))
	k := f.gate.create(t, scopes("datasets:read"), limitedTo("4 requests in 1m on api")).bearer()
	for range 4 {
		assert.Equal(t, statusPass, f.ask(t, http.MethodGet, "/datasets", k).status)
	}
	for range 4 {
		r := f.ask(t, http.MethodGet, "/datasets", k)
		assert.Equal(t, http.StatusTooManyRequests, r.status)
		assert.NotEmpty(t, r.header.Get("Retry-After"))
	}
}
