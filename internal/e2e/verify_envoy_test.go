package e2e

import (
	"bufio"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// envoy does what Envoy's source and reference say that it does with the
// documented configuration (ext_authz_http_impl.cc, header_mutation.proto, of
// 2026). The program itself cannot be had where most tests run.
type envoy struct {
	connections envoyConnections
	needs       []envoyMutation // for every route
	authz       envoyAuthz
	clusters    map[string]string // addresses
}

// envoyConnections are the settings of the http_connection_manager.
type envoyConnections struct {
	UseRemoteAddress bool `yaml:"use_remote_address"`
	NormalizePath    bool `yaml:"normalize_path"`
	MergeSlashes     bool `yaml:"merge_slashes"`
	RouteConfig      struct {
		VirtualHosts []struct {
			RequestHeadersToRemove []string     `yaml:"request_headers_to_remove"`
			Routes                 []envoyRoute `yaml:"routes"`
		} `yaml:"virtual_hosts"`
	} `yaml:"route_config"`
	HTTPFilters []struct {
		Name        string
		TypedConfig yaml.Node `yaml:"typed_config"`
	} `yaml:"http_filters"`
}

type envoyRoute struct {
	Match struct {
		Prefix              string
		PathSeparatedPrefix string `yaml:"path_separated_prefix"`
		Headers             []struct {
			Name        string
			StringMatch struct {
				SafeRegex struct{ Regex string } `yaml:"safe_regex"`
			} `yaml:"string_match"`
		}
	}
	Route                struct{ Cluster string }
	TypedPerFilterConfig map[string]envoyMutations `yaml:"typed_per_filter_config"`
}

type envoyMutations struct {
	Mutations struct {
		RequestMutations []envoyMutation `yaml:"request_mutations"`
	}
}

type envoyMutation struct {
	Append struct {
		Header       struct{ Key, Value string }
		AppendAction string `yaml:"append_action"`
	}
}

type envoyAuthz struct {
	FailureModeAllow bool                  `yaml:"failure_mode_allow"`
	StatusOnError    struct{ Code string } `yaml:"status_on_error"`
	AllowedHeaders   envoyPatterns         `yaml:"allowed_headers"`
	HTTPService      struct {
		ServerURI             struct{ Cluster string } `yaml:"server_uri"`
		PathPrefix            string                   `yaml:"path_prefix"`
		AuthorizationResponse struct {
			AllowedUpstreamHeaders envoyPatterns `yaml:"allowed_upstream_headers"`
		} `yaml:"authorization_response"`
	} `yaml:"http_service"`
}

type envoyPatterns struct {
	Patterns []struct{ Exact, Prefix string }
}

func (p envoyPatterns) match(name string) bool {
	name = strings.ToLower(name)
	for _, pattern := range p.Patterns {
		if pattern.Exact == name || pattern.Prefix != "" && strings.HasPrefix(name, pattern.Prefix) {
			return true
		}
	}
	return false
}

// envoyDocument is the documented configuration.
type envoyDocument struct {
	StaticResources struct {
		Listeners []struct {
			FilterChains []struct {
				Filters []struct {
					TypedConfig envoyConnections `yaml:"typed_config"`
				}
			} `yaml:"filter_chains"`
		}
		Clusters []struct {
			Name           string
			LoadAssignment struct {
				Endpoints []struct {
					LbEndpoints []struct {
						Endpoint struct {
							Address struct {
								SocketAddress struct {
									Address   string
									PortValue string `yaml:"port_value"`
								} `yaml:"socket_address"`
							}
						}
					} `yaml:"lb_endpoints"`
				}
			} `yaml:"load_assignment"`
		}
	} `yaml:"static_resources"`
}

func envoyConfig(t *testing.T, gateAddress, serviceAddress string) string {
	t.Helper()
	_, gatePort, _ := strings.Cut(gateAddress, ":")
	_, servicePort, _ := strings.Cut(serviceAddress, ":")
	return put(t, documented(t, "yaml", "ext_authz"), "port_value: 4319", "port_value: "+gatePort, "port_value: 6006", "port_value: "+servicePort)
}

// viaRealEnvoy starts the program where there is one.
func viaRealEnvoy(t *testing.T, v *vault, gateAddress, serviceAddress string) string {
	t.Helper()
	program, err := exec.LookPath("envoy")
	if err != nil {
		t.Skip("envoy is not in PATH")
	}
	address := freeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	file := filepath.Join(t.TempDir(), "envoy.yaml")
	config := put(t, envoyConfig(t, gateAddress, serviceAddress), "address: 0.0.0.0, port_value: 80}", "address: 127.0.0.1, port_value: "+port+"}")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	awaitProxy(t, v, run(t, program, "-c", file, "--use-dynamic-base-id", "--concurrency", "1"), address)
	return address
}

func viaEnvoy(t *testing.T, _ *vault, gateAddress, serviceAddress string) string {
	t.Helper()
	server := httptest.NewServer(readEnvoy(t, envoyConfig(t, gateAddress, serviceAddress)))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func readEnvoy(t *testing.T, config string) *envoy {
	t.Helper()
	var d envoyDocument
	require.NoError(t, yaml.Unmarshal([]byte(config), &d))
	p := &envoy{connections: d.StaticResources.Listeners[0].FilterChains[0].Filters[0].TypedConfig, clusters: map[string]string{}}
	for _, c := range d.StaticResources.Clusters {
		at := c.LoadAssignment.Endpoints[0].LbEndpoints[0].Endpoint.Address.SocketAddress
		p.clusters[c.Name] = net.JoinHostPort(at.Address, at.PortValue)
	}
	filters := p.connections.HTTPFilters
	require.Equal(t, "envoy.filters.http.header_mutation", filters[0].Name, "before the verdict")
	var m envoyMutations
	require.NoError(t, filters[0].TypedConfig.Decode(&m))
	p.needs = m.Mutations.RequestMutations
	require.Equal(t, "envoy.filters.http.ext_authz", filters[1].Name)
	require.NoError(t, filters[1].TypedConfig.Decode(&p.authz))
	require.False(t, p.authz.FailureModeAllow)
	require.True(t, p.connections.UseRemoteAddress && p.connections.NormalizePath && p.connections.MergeSlashes)
	return p
}

// ServeHTTP implements http.Handler.
func (p *envoy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(strings.ToLower(r.RequestURI), "%2f") { // path_with_escaped_slashes_action
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.URL.Path = path.Clean(r.URL.Path)
	client, _, _ := net.SplitHostPort(r.RemoteAddr)
	if prior := r.Header.Values("X-Forwarded-For"); len(prior) > 0 {
		client = strings.Join(prior, ",") + "," + client
	}
	r.Header.Set("X-Forwarded-For", client)
	dropHopByHop(r.Header)

	host := p.connections.RouteConfig.VirtualHosts[0]
	i := slices.IndexFunc(host.Routes, func(route envoyRoute) bool { return route.matches(r) })
	mutate(r.Header, p.needs)
	if i >= 0 {
		mutate(r.Header, host.Routes[i].TypedPerFilterConfig["envoy.filters.http.header_mutation"].Mutations.RequestMutations)
	}
	if !p.passes(w, r) {
		return
	}
	if i < 0 {
		http.NotFound(w, r)
		return
	}
	for _, name := range host.RequestHeadersToRemove {
		deleteFold(r.Header, name)
	}
	target := &url.URL{Scheme: "http", Host: p.clusters[host.Routes[i].Route.Cluster]}
	httputil.NewSingleHostReverseProxy(target).ServeHTTP(w, r)
}

func deleteFold(h http.Header, name string) {
	for n := range h {
		if strings.EqualFold(n, name) {
			delete(h, n)
		}
	}
}

func mutate(h http.Header, mutations []envoyMutation) {
	for _, m := range mutations {
		if m.Append.AppendAction == "OVERWRITE_IF_EXISTS_OR_ADD" {
			h.Set(m.Append.Header.Key, m.Append.Header.Value)
		} else {
			h.Add(m.Append.Header.Key, m.Append.Header.Value)
		}
	}
}

func (route envoyRoute) matches(r *http.Request) bool {
	m := route.Match
	if !strings.HasPrefix(r.URL.Path, m.Prefix) {
		return false
	}
	if m.PathSeparatedPrefix != "" && !strings.HasPrefix(r.URL.Path+"/", m.PathSeparatedPrefix+"/") {
		return false
	}
	for _, h := range m.Headers {
		if h.Name == ":method" && !regexp.MustCompile("^(?:"+h.StringMatch.SafeRegex.Regex+")$").MatchString(r.Method) {
			return false
		}
	}
	return true
}

// passes asks the gate, and answers for it what does not pass.
func (p *envoy) passes(w http.ResponseWriter, r *http.Request) bool {
	verdict, err := p.ask(r)
	if err != nil || verdict.StatusCode >= 500 {
		w.WriteHeader(map[string]int{"": http.StatusForbidden, "ServiceUnavailable": http.StatusServiceUnavailable}[p.authz.StatusOnError.Code])
		return false
	}
	defer verdict.Body.Close()
	if verdict.StatusCode != http.StatusOK { // nothing else passes, 204 neither
		maps.Copy(w.Header(), verdict.Header)
		w.WriteHeader(verdict.StatusCode)
		_, _ = io.Copy(w, verdict.Body)
		return false
	}
	for name, values := range verdict.Header {
		if p.authz.HTTPService.AuthorizationResponse.AllowedUpstreamHeaders.match(name) {
			r.Header[name] = values
		}
	}
	return true
}

// ask repeats the request without its body, below the prefix.
func (p *envoy) ask(r *http.Request) (*http.Response, error) {
	service := p.authz.HTTPService
	question, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+p.clusters[service.ServerURI.Cluster], http.NoBody)
	if err != nil {
		return nil, err
	}
	question.URL.Opaque = service.PathPrefix + r.URL.RequestURI()
	question.Host = r.Host
	for name, values := range r.Header {
		if name == "Authorization" || p.authz.AllowedHeaders.match(name) {
			question.Header.Set(name, strings.Join(values, ","))
		}
	}
	return http.DefaultTransport.RoundTrip(question)
}

var envoys = map[string]proxy{"the program": viaRealEnvoy, "what its source says": viaEnvoy}

func TestVerifyBehindEnvoyWithTheDocumentedConfiguration(t *testing.T) {
	t.Parallel()
	for name, p := range envoys {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFront(t, p)
			f.guaranteed(t)
			takesUnderscores(t, f)
			t.Run("a route that asks for nothing is for administrators", func(t *testing.T) {
				k := f.gate.create(t, scopes("datasets:read", "traces:read")).bearer()
				for _, h := range []headers{{}, {"X-Required-Scope": "traces:read"}} {
					assert.Equal(t, statusDenied, f.ask(t, http.MethodGet, "/elsewhere", with(k, h)).status)
				}
			})
			f.reach(t, p, freeAddress(t))
			f.failsClosed(t, http.StatusServiceUnavailable)
		})
	}
}

// targets are what Envoy appends to the prefix: whatever clients ask for.
var targets = []string{
	"/", "//", "///a//b", "/..", "/../..", "/../api-keys", "/a/../../verify?scope=admin", "/./.", "/%2e%2e/%2e%2e", "/%2F%2f", "/%00", "/%ff%fe", "/ü",
	"/a;b=c", "/a:b@c", "/*", "/a%20b+c", "/?", "/??", "/?scope=", "/?scope=nonsense&scope=admin", "/?%zz", "/?;;&&==", "/?a=\"<>'`{}|\\^", "/#fragment", "/a?b#c?d",
	"/http://example.com/", "/healthz", "/api/v1/backup", "/api/v1/api-keys?limit=1", "/v1/traces",
}

func TestVerifyTakesAnyRequestThatAProxyRepeatsBelowIt(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	good, poor := c.create(t, scopes("datasets:read")), c.create(t, scopes("traces:read"))
	asked := headers{"X-Required-Scope": "datasets:read"}
	ask := func(method, target string, h headers) int { return c.rawVerify(t, method, target, with(asked, h)) }
	all := append(slices.Clone(targets), "/?key="+good.secret, "/"+good.secret, "/?"+strings.Repeat("q=%20&", 5000))
	for _, target := range all {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "QUERY"} {
			assert.Equal(t, http.StatusOK, ask(method, target, good.bearer()), "%s %s", method, target)
		}
		assert.Equal(t, statusDenied, ask("GET", target, poor.bearer()), target)
		assert.Equal(t, statusUnknown, ask("POST", target, nil), target)
	}
	for name, h := range map[string]headers{
		"an upgrade":     {"Connection": "Upgrade", "Upgrade": "websocket"},
		"an HTTP/2 one":  {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA"},
		"an expectation": {"Expect": "100-continue"},
		"a condition":    {"If-None-Match": "*", "If-Modified-Since": "Mon, 01 Jan 2040 00:00:00 GMT", "Range": "bytes=0-1"},
	} {
		assert.Equal(t, http.StatusOK, ask("GET", "/", with(good.bearer(), h)), name)
		assert.Equal(t, statusUnknown, ask("GET", "/", h), name)
	}
	for _, target := range []string{"/%zz", "/%", "/\x7f"} {
		assert.Equal(t, http.StatusBadRequest, ask("GET", target, good.bearer()), "%q is no path, and refused", target)
	}
	assert.Equal(t, http.StatusNotFound, ask("GET", "x", good.bearer()), "only a path can follow")
}

// rawVerify asks with a request whose path no client has tidied up.
func (c *collector) rawVerify(t *testing.T, method, target string, h headers) int {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", c.admin.address)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, method+" /api/v1/verify"+target+" HTTP/1.1\r\nHost: service.example\r\nContent-Length: 0\r\n"+h.lines()+"\r\n")
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	c.vault.saw("a verdict", resp.Status+string(body))
	return resp.StatusCode
}
