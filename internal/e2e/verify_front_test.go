package e2e

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// documented returns the block of code in docs/verification.md that is of this
// language and holds the text.
func documented(t *testing.T, language, holds string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "verification.md"))
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(string(page), -1)
	for _, block := range blocks {
		if strings.Contains(block[1], holds) {
			return block[1]
		}
	}
	t.Fatalf("docs/verification.md has no %s with %q", language, holds)
	return ""
}

// put replaces what a documented configuration must hold.
func put(t *testing.T, config string, replacements ...string) string {
	t.Helper()
	for pair := range slices.Chunk(replacements, 2) {
		require.Contains(t, config, pair[0], "the documented configuration")
		config = strings.ReplaceAll(config, pair[0], pair[1])
	}
	return config
}

// What the documented configurations call the gate and the service.
const (
	documentedGate    = "127.0.0.1:4319"
	documentedService = "127.0.0.1:6006"
)

// backend is a service behind a proxy, and keeps the requests that it gets.
type backend struct {
	address string
	mu      sync.Mutex
	got     []served
}

// served is a request that reached the service.
type served struct {
	method, uri, body string
	header            http.Header
}

// The service's own failure, which no proxy may touch.
const (
	brokenPath = "/datasets/broken"
	brokenBody = "the service's own words"
)

func newBackend(t *testing.T) *backend {
	t.Helper()
	s := &backend{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.address = server.Listener.Addr().String()
	return s
}

// ServeHTTP implements http.Handler.
func (s *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.got = append(s.got, served{r.Method, r.RequestURI, string(body), r.Header.Clone()})
	s.mu.Unlock()
	if r.URL.Path == brokenPath {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, brokenBody)
		return
	}
	_, _ = io.WriteString(w, "served")
}

// take returns the requests since the last call.
func (s *backend) take() []served {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.got
	s.got = nil
	return got
}

// front is a proxy that asks the gate about what it passes on to the service.
type front struct {
	*backend
	gate    *collector
	address string
}

// proxy starts a proxy of one kind between these two addresses, lets the vault
// hear it, and returns where it listens.
type proxy func(t *testing.T, v *vault, gateAddress, serviceAddress string) string

// proxyAddress is where proxies connect to the gate from.
const proxyAddress = "127.0.0.1"

// startGate starts a gate that believes proxies.
func startGate(t *testing.T) *collector {
	t.Helper()
	return start(t, options{overlay: `extensions: {apikeyauth: {trusted_proxies: ["` + proxyAddress + `"]}}`})
}

func newFront(t *testing.T, p proxy) *front {
	t.Helper()
	f := &front{backend: newBackend(t), gate: startGate(t)}
	f.reach(t, p, f.gate.admin.address)
	return f
}

// reach puts a new proxy in the place of the one that there is.
func (f *front) reach(t *testing.T, p proxy, gateAddress string) {
	t.Helper()
	f.address = p(t, f.gate.vault, gateAddress, f.backend.address)
}

// The addresses that clients of a test come from.
const (
	someAddress  = "127.0.0.2"
	otherAddress = "127.0.0.3"
)

// client returns one whose requests come from that address.
func (f *front) client(t *testing.T, address string) *http.Client {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	transport := &http.Transport{DialContext: dialer.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: recorder{f.gate.vault, transport}, Timeout: patience}
}

// ask sends a request to the proxy.
func (f *front) ask(t *testing.T, method, path string, h headers) reply {
	t.Helper()
	return f.send(t, f.client(t, someAddress), method, path, h, http.NoBody)
}

func (f *front) send(t *testing.T, c *http.Client, method, path string, h headers, body io.Reader) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+f.address+path, body)
	require.NoError(t, err)
	for name, value := range h {
		r.Header[name] = []string{value} // as it is spelt
	}
	return doHTTP(t, c, r)
}

func with(h, more headers) headers {
	all := maps.Clone(h)
	maps.Copy(all, more)
	return all
}

// lines spells headers for a request that is written by hand.
func (h headers) lines() string {
	var text strings.Builder
	for name, value := range h {
		fmt.Fprintf(&text, "%s: %s\r\n", name, value)
	}
	return text.String()
}
