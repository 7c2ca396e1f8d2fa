package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// restart stops the collector and starts another over its storage.
func (c *collector) restart(t *testing.T, overlay string) *collector {
	t.Helper()
	c.stop(t)
	return start(t, options{storage: c.storage, vault: c.vault, sink: c.sink, overlay: overlay})
}

func TestKeysSurviveARestart(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	good, revoked, limited := c.create(t), c.create(t), c.create(t, projects("mine"))
	c.revoke(t, revoked.id)
	administrator := c.secret
	c = c.restart(t, "")
	assert.Equal(t, administrator, c.secret, "the administrator's key stays")
	assert.Equal(t, client.KeyStatusRevoked, c.statuses(t)[revoked.id])
	for _, s := range senders {
		assert.Equal(t, codes.OK, s.send(t, c, traces, traces.request(), good.bearer()).code, s.name)
		assert.Equal(t, codes.Unauthenticated, s.send(t, c, traces, traces.request(), revoked.bearer()).code, s.name)
		assert.Equal(t, codes.PermissionDenied, s.send(t, c, traces, traces.request("theirs"), limited.bearer()).code, s.name)
	}
}

func TestTheStorageIsForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	for path, want := range map[string]os.FileMode{c.storage: 0o700, filepath.Join(c.storage, "admin.key"): 0o600} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, want, info.Mode().Perm(), path)
	}
}

func TestRequestsUnderWayAreAnsweredBeforeTheEnd(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	k := c.create(t)
	hold := make(chan struct{})
	c.sink.hold.Store(&hold)
	answers := make(chan answer, len(senders))
	for _, s := range senders {
		go func() { answers <- s.send(t, c, traces, traces.request(), k.bearer()) }()
	}
	require.Eventually(t, func() bool { return c.sink.requests.Load() == int64(len(senders)) }, patience, time.Millisecond)
	require.NoError(t, c.cmd.Process.Signal(syscall.SIGTERM))
	require.True(t, c.await(t, "shutdown", func(text string) bool { return strings.Contains(text, "Starting shutdown") }))
	close(hold)
	for range senders {
		a := <-answers
		assert.Equal(t, codes.OK, a.code, a.message)
	}
	assert.Zero(t, c.wait(t))
	assert.Equal(t, len(senders), c.sink.items())
}

func TestTheAdminAPIServesTLS(t *testing.T) {
	t.Parallel()
	certificate, key, pool := selfSigned(t)
	c := start(t, options{
		adminTLS: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}},
		overlay:  fmt.Sprintf("extensions: {apikeyauth: {admin: {tls: {cert_file: '%s', key_file: '%s'}}}}", certificate, key),
	})
	assert.Equal(t, http.StatusOK, sendHTTPPlain(t, c, c.create(t)))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+c.admin.address+"/api/v1/whoami", http.NoBody)
	require.NoError(t, err)
	assert.Equal(t, http.StatusBadRequest, doHTTP(t, http.DefaultClient, r).status, "nothing is served in the clear")
}

// sendHTTPPlain sends over the receiver, which has no TLS.
func sendHTTPPlain(t *testing.T, c *collector, k key) int {
	t.Helper()
	return sendProtobuf(t, c, traces, traces.request(), k.bearer()).http
}

func selfSigned(t *testing.T) (certificateFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	return writePEM(t, "CERTIFICATE", der), writePEM(t, "EC PRIVATE KEY", keyDER), pool
}

func writePEM(t *testing.T, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.pem")
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return path
}
