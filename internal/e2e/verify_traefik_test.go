package e2e

import (
	"cmp"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// traefik does what Traefik's source says that it does with the documented
// configuration (v3.7.13: pkg/middlewares/auth/forward.go). The program itself
// cannot be had where most tests run.
type traefik struct {
	HTTP struct {
		Routers     map[string]traefikRouter
		Middlewares map[string]struct {
			ForwardAuth *forwardAuth `yaml:"forwardAuth"`
			Headers     *struct {
				CustomRequestHeaders map[string]string `yaml:"customRequestHeaders"`
			}
		}
		Services map[string]struct {
			LoadBalancer struct{ Servers []struct{ URL string } } `yaml:"loadBalancer"`
		}
	}
}

type traefikRouter struct {
	Rule        string
	Middlewares []string
	Service     string
}

type forwardAuth struct {
	Address             string
	TrustForwardHeader  bool     `yaml:"trustForwardHeader"`
	AuthRequestHeaders  []string `yaml:"authRequestHeaders"`
	AuthResponseHeaders []string `yaml:"authResponseHeaders"`
}

// viaRealTraefik starts the program where there is one.
func viaRealTraefik(t *testing.T, v *vault, gateAddress, serviceAddress string) string {
	t.Helper()
	program, err := exec.LookPath("traefik")
	if err != nil {
		t.Skip("traefik is not in PATH")
	}
	file := filepath.Join(t.TempDir(), "dynamic.yaml")
	config := put(t, documented(t, "yaml", "forwardAuth"), documentedGate, gateAddress, documentedService, serviceAddress)
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	address := freeAddress(t)
	p := run(t, program, "--entrypoints.web.address="+address, "--providers.file.filename="+file, "--log.level=DEBUG")
	awaitProxy(t, v, p, address)
	return address
}

// awaitProxy waits until a proxy asks somebody about what it is asked.
func awaitProxy(t *testing.T, v *vault, p *process, address string) {
	t.Helper()
	t.Cleanup(func() { v.saw("the proxy's output", p.output.String()) })
	require.Eventually(t, func() bool {
		resp, err := http.Get("http://" + address + "/datasets")
		if err != nil {
			return !p.running()
		}
		resp.Body.Close()
		return resp.StatusCode != http.StatusNotFound
	}, patience, tick, "%s", p.output)
	require.True(t, p.running(), "%s", p.output)
}

func viaTraefik(t *testing.T, _ *vault, gateAddress, serviceAddress string) string {
	t.Helper()
	config := put(t, documented(t, "yaml", "forwardAuth"), documentedGate, gateAddress, documentedService, serviceAddress)
	p := &traefik{}
	decoder := yaml.NewDecoder(strings.NewReader(config))
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(p))
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// ServeHTTP implements http.Handler.
func (p *traefik) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.URL = r.URL.JoinPath() // cleans the path
	dropHopByHop(r.Header)
	router, ok := p.route(r)
	if !ok {
		http.NotFound(w, r)
		return
	}
	for _, name := range router.Middlewares {
		m := p.HTTP.Middlewares[name]
		if m.ForwardAuth != nil && !m.ForwardAuth.passes(w, r) {
			return
		}
		if m.Headers != nil {
			for name, value := range m.Headers.CustomRequestHeaders {
				if r.Header.Set(name, value); value == "" {
					r.Header.Del(name)
				}
			}
		}
	}
	target, err := url.Parse(p.HTTP.Services[router.Service].LoadBalancer.Servers[0].URL)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	httputil.NewSingleHostReverseProxy(target).ServeHTTP(w, r)
}

func dropHopByHop(h http.Header) {
	for _, line := range h.Values("Connection") {
		for name := range strings.SplitSeq(line, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	h.Del("Connection")
}

// route finds the router with the longest rule.
func (p *traefik) route(r *http.Request) (traefikRouter, bool) {
	routers := slices.SortedFunc(maps.Values(p.HTTP.Routers), func(a, b traefikRouter) int { return -cmp.Compare(len(a.Rule), len(b.Rule)) })
	i := slices.IndexFunc(routers, func(router traefikRouter) bool { return router.matches(r) })
	if i < 0 {
		return traefikRouter{}, false
	}
	return routers[i], true
}

var traefikMatcher = regexp.MustCompile("(PathPrefix|PathRegexp|Method)\\(`([^`]*)`\\)")

// matches knows as much of rules as is documented: paths that must match, and
// methods of which one must.
func (router traefikRouter) matches(r *http.Request) bool {
	methods, method, path := 0, false, true
	for _, m := range traefikMatcher.FindAllStringSubmatch(router.Rule, -1) {
		switch m[1] {
		case "Method":
			methods++
			method = method || m[2] == r.Method
		case "PathPrefix":
			path = path && strings.HasPrefix(r.URL.Path, m[2])
		case "PathRegexp":
			path = path && regexp.MustCompile(m[2]).MatchString(r.URL.Path)
		}
	}
	return path && (methods == 0 || method)
}

// passes asks the gate, and answers for it what does not pass.
func (a *forwardAuth) passes(w http.ResponseWriter, r *http.Request) bool {
	verdict, err := a.ask(r)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return false
	}
	defer verdict.Body.Close()
	if verdict.StatusCode < 200 || verdict.StatusCode > 299 {
		maps.Copy(w.Header(), verdict.Header)
		w.WriteHeader(verdict.StatusCode)
		_, _ = io.Copy(w, verdict.Body)
		return false
	}
	for _, name := range a.AuthResponseHeaders {
		r.Header.Del(name)
		for _, value := range verdict.Header.Values(name) {
			r.Header.Add(name, value)
		}
	}
	return true
}

func (a *forwardAuth) ask(r *http.Request) (*http.Response, error) {
	question, err := http.NewRequestWithContext(r.Context(), http.MethodGet, a.Address, http.NoBody)
	if err != nil {
		return nil, err
	}
	for name, values := range r.Header {
		listed := slices.ContainsFunc(a.AuthRequestHeaders, func(n string) bool { return strings.EqualFold(n, name) })
		if len(a.AuthRequestHeaders) == 0 || listed {
			question.Header[name] = values
		}
	}
	client, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		"For": client, "Method": r.Method, "Proto": "http", "Port": "80", "Host": r.Host, "Uri": r.URL.RequestURI(),
	} {
		question.Header.Set("X-Forwarded-"+name, value)
	}
	return http.DefaultTransport.RoundTrip(question)
}

var traefiks = map[string]proxy{"the program": viaRealTraefik, "what its source says": viaTraefik}

func TestVerifyBehindTraefikWithTheDocumentedConfiguration(t *testing.T) {
	t.Parallel()
	for name, p := range traefiks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFront(t, p)
			f.guaranteed(t)
			takesUnderscores(t, f)
			f.reach(t, p, freeAddress(t))
			f.failsClosed(t, http.StatusInternalServerError)
		})
	}
}

// takesUnderscores shows that keys are found in api_key, and stay outside.
func takesUnderscores(t *testing.T, f *front) {
	t.Helper()
	f.take()
	assert.Equal(t, statusPass, f.ask(t, http.MethodGet, "/datasets", headers{"api_key": f.gate.create(t, scopes("datasets:read")).secret}).status)
	got := f.take()
	require.Len(t, got, 1)
	assert.NotContains(t, got[0].header, "Api_key")
}

// failsClosed shows that nothing passes while the gate is down.
func (f *front) failsClosed(t *testing.T, want int) {
	t.Helper()
	k := f.gate.create(t, scopes("admin"))
	f.take()
	assert.Equal(t, want, f.ask(t, http.MethodGet, "/datasets", k.bearer()).status)
	assert.Empty(t, f.take())
}
