package e2e

import (
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/otlpgate/otlpgate/internal/credential"
)

// scrape returns the collector's own metrics whose names have the prefix, by
// name and labels as Prometheus writes them.
func (c *collector) scrape(t *testing.T, prefix string) map[string]float64 {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+c.metricsAddress+"/metrics", http.NoBody)
	require.NoError(t, err)
	got := doHTTP(t, c.admin.http, r)
	require.Equal(t, http.StatusOK, got.status)
	values := map[string]float64{}
	for line := range strings.Lines(got.body) {
		if at := strings.LastIndexByte(line, ' '); strings.HasPrefix(line, prefix) {
			value, err := strconv.ParseFloat(strings.TrimSpace(line[at:]), 64)
			require.NoError(t, err, line)
			values[line[:at]] = value
		}
	}
	return values
}

// requests returns how many requests have come to the doors.
func (c *collector) requests(t *testing.T) int {
	t.Helper()
	n := 0.0
	for value := range maps.Values(c.scrape(t, "otelcol_apikeyauth_requests")) {
		n += value
	}
	return int(n)
}

func TestWhatPassesAndWhatIsRefusedIsCounted(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	good, mine := c.create(t), c.create(t, projects("mine"))
	revoked := c.create(t)
	c.revoke(t, revoked.id)
	for _, s := range senders {
		require.Equal(t, codes.OK, s.send(t, c, traces, traces.request("", "", ""), good.bearer()).code)
		s.send(t, c, traces, traces.request(), nil)
		s.send(t, c, traces, traces.request(), revoked.bearer())
		s.send(t, c, logs, logs.request(), bearer(c.vault.mint(credential.Live)))
		s.send(t, c, metrics, metrics.request("mine", "theirs", "theirs"), mine.bearer())
		s.send(t, c, metrics, metrics.request("theirs"), mine.bearer())
		s.send(t, c, logs, spoofedLogs(), good.bearer())
	}
	assert.Equal(t, map[string]float64{
		`otelcol_apikeyauth_requests{outcome="accepted",reason="none",transport="grpc"}`:               3,
		`otelcol_apikeyauth_requests{outcome="accepted",reason="none",transport="http"}`:               6,
		`otelcol_apikeyauth_requests{outcome="refused",reason="project_not_allowed",transport="grpc"}`: 1,
		`otelcol_apikeyauth_requests{outcome="refused",reason="project_not_allowed",transport="http"}`: 2,
		`otelcol_apikeyauth_requests{outcome="refused",reason="no_credential",transport="grpc"}`:       1,
		`otelcol_apikeyauth_requests{outcome="refused",reason="no_credential",transport="http"}`:       2,
		`otelcol_apikeyauth_requests{outcome="refused",reason="revoked_key",transport="grpc"}`:         1,
		`otelcol_apikeyauth_requests{outcome="refused",reason="revoked_key",transport="http"}`:         2,
		`otelcol_apikeyauth_requests{outcome="refused",reason="unknown_key",transport="grpc"}`:         1,
		`otelcol_apikeyauth_requests{outcome="refused",reason="unknown_key",transport="http"}`:         2,
	}, c.scrape(t, "otelcol_apikeyauth_requests"))
	assert.Equal(t, map[string]float64{
		`otelcol_apikey_accepted_items{signal="traces"}`:                              9,
		`otelcol_apikey_accepted_items{signal="metrics"}`:                             3,
		`otelcol_apikey_accepted_items{signal="logs"}`:                                3,
		`otelcol_apikey_refused_items{reason="project_not_allowed",signal="metrics"}`: 9,
		`otelcol_apikey_spoofed_attributes{signal="logs"}`:                            3 * 3 * 4,
	}, c.scrape(t, "otelcol_apikey_"))
	assert.Positive(t, c.scrape(t, "otelcol_apikeyauth_cache_hits")[`otelcol_apikeyauth_cache_hits{cache="positive"}`])
	assert.Positive(t, c.scrape(t, "otelcol_apikeyauth_cache_misses")[`otelcol_apikeyauth_cache_misses`])
	assert.Positive(t, c.scrape(t, "otelcol_apikeyauth_store_duration_count")[`otelcol_apikeyauth_store_duration_count{operation="lookup"}`])
	assert.Empty(t, c.scrape(t, "otelcol_apikeyauth_store_errors"))
}
