package apikeyauthextension

import (
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/demo"
	"github.com/otlpgate/otlpgate/internal/store"
)

// BenchmarkPages looks at every page with 100,000 keys and a year of usage. An
// operation is one page, from the request to the last byte; html-KB is its size.
// Pages over 50 ms or 200 kB do not keep what the documentation promises.
func BenchmarkPages(b *testing.B) {
	f, someone := populated(b)
	key, err := f.keys.ListKeys(b.Context(), store.KeyFilter{Query: "ios-app"}, store.Page{Limit: 1})
	require.NoError(b, err)
	require.Len(b, key.Keys, 1)
	one := "/keys/" + key.Keys[0].ID
	for _, path := range []string{
		"/keys", "/keys?sort=name", "/keys?sort=-lastUsedAt", "/keys?sort=expiresAt", "/keys?q=ios-app", "/keys?q=nothing-has-this", "/keys?status=expired&environment=test&plan=free",
		"/keys/new", "/system-keys", one, one + "?period=1h", one + "?period=1y", one + "/requests", one + "/requests?outcome=failed", one + "/alerts", one + "/history", one + "/edit",
		"/users", "/users?q=sofia", "/usage", "/usage?period=1y", "/alerts", "/alerts?state=", "/access-logs", "/access-logs?outcome=refused", "/audit-log", "/audit-log?action=key.revoke", "/plans",
		"/audit-log?outcome=refused", "/audit-log?actor=usr_none", "/audit-log?from=2020-01-01T00:00&to=2020-01-02T00:00", "/access-logs?outcome=failed&endpoint=nothere", "/users?q=zzzz", one + "/requests?endpoint=zzz",
	} {
		b.Run(strings.ReplaceAll(strings.Replace(path, one, "/key", 1), "/", "·"), func(b *testing.B) {
			size := 0
			for b.Loop() {
				size = someone.read(b, path)
			}
			b.ReportMetric(float64(size)/1000, "html-KB")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/page")
		})
	}
}

// populated is an extension whose store holds the demo's company and a crowd.
func populated(b *testing.B) (*fixture, *reader) {
	b.Helper()
	directory := filepath.Join(b.TempDir(), "store")
	admin := credential.Format{}.Mint(credential.Sys).Reveal()
	_, err := demo.Seed(b.Context(), demo.Options{
		Directory: directory, Now: time.Now(), Keys: 100_000, Days: 365, AdminKey: admin, Progress: io.Discard,
	})
	require.NoError(b, err)
	f := &fixture{telemetry: componenttest.NewTelemetry()}
	var address string
	f.startExtension(b, fixtureOptions{extension: func(c *Config) {
		c.Storage.Directory = directory
		c.Admin.NetAddr.Endpoint = freeAddress(b)
		address = c.Admin.NetAddr.Endpoint
	}})
	return f, signIn(b, "http://"+address, admin)
}

func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// reader reads pages.
type reader struct {
	site   string
	client *http.Client
}

func signIn(t testing.TB, site, key string) *reader {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	r := &reader{site, &http.Client{Jar: jar}}
	resp, err := r.client.PostForm(site+"/sign-in", url.Values{"key": {key}})
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	t.Cleanup(r.client.CloseIdleConnections)
	return r
}

// read returns the size of a page in bytes.
func (r *reader) read(t testing.TB, path string) int {
	resp, err := r.client.Get(r.site + path)
	require.NoError(t, err)
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s: %s", path, page)
	return len(page)
}
