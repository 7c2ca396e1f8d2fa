package e2e

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// helloSpan is the request of the README.
const helloSpan = `{
  "resourceSpans": [{"scopeSpans": [{"spans": [{
    "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "hello",
    "startTimeUnixNano": "1764000000000000000", "endTimeUnixNano": "1764000001000000000"}]}]}]}`

// TestTheFiveMinutesOfTheREADME does what the README says, with the configuration
// that is shipped; only the addresses differ.
func TestTheFiveMinutesOfTheREADME(t *testing.T) {
	t.Parallel()
	config, err := filepath.Abs(filepath.Join(root, "testdata", "quickstart.yaml"))
	require.NoError(t, err)
	grpcAddress, httpAddress, adminAddress, metricsAddress := freeAddress(t), freeAddress(t), freeAddress(t), freeAddress(t)
	_, metricsPort, _ := strings.Cut(metricsAddress, ":")
	p := run(t, binary(t, "otlpgate"), "--config", config,
		"--set=receivers.otlp.protocols.grpc.endpoint="+grpcAddress,
		"--set=receivers.otlp.protocols.http.endpoint="+httpAddress,
		"--set=extensions.apikeyauth.admin.endpoint="+adminAddress,
		"--config=yaml:service: {telemetry: {metrics: {readers: [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: "+metricsPort+"}}}}]}}}",
	)
	require.True(t, p.await(t, "readiness", func(text string) bool { return strings.Contains(text, "Everything is ready") }), "%s", p.output)

	v := newVault(t)
	c := &collector{process: p, vault: v, storage: filepath.Join(p.cmd.Dir, "otlpgate-data"), httpAddress: httpAddress, admin: newAdmin(v, nil)}
	c.admin.address = adminAddress
	c.admin.connect(t, c.storage)
	require.NotEmpty(t, c.secret, "the administrator's key is where the README says")
	k, _ := newOperator(v, p.cmd.Dir, "http://"+adminAddress).createKey(t, "--name", "demo", "--scope", "traces:write")

	assert.Equal(t, http.StatusOK, postHello(t, c, traces.path, k.bearer()).status)
	assert.Equal(t, http.StatusUnauthorized, postHello(t, c, traces.path, nil).status)
	refused := postHello(t, c, metrics.path, k.bearer())
	assert.Equal(t, http.StatusForbidden, refused.status)
	assert.Contains(t, refused.body, "metrics:write", "the body says what to do")
	for _, part := range []string{"hello", "apikey.id: Str(" + k.id + ")", "apikey.name: Str(demo)"} {
		assert.True(t, p.await(t, part, func(text string) bool { return strings.Contains(text, part) }))
	}
	c.finish(t)
}

func postHello(t *testing.T, c *collector, path string, h headers) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.httpAddress+path, strings.NewReader(helloSpan))
	require.NoError(t, err)
	r.Header.Set("Content-Type", jsonType)
	for name, value := range h {
		r.Header.Set(name, value)
	}
	return doHTTP(t, c.admin.http, r)
}
