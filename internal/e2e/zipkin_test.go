package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const zipkinSpan = `[{"traceId": "5b8efff798038103d269b633813fc60c", "id": "eee19b7ec3c1b174", "name": "hello",
	"timestamp": 1764000000000000, "duration": 1000, "tags": {"apikey.id": "forged"}}]`

// startWithZipkin starts a collector with a receiver that is not OTLP's, and
// returns where it takes spans.
func startWithZipkin(t *testing.T, d doors) (c *collector, url string) {
	t.Helper()
	address := freeAddress(t)
	c = start(t, options{overlay: `
receivers:
  zipkin: {endpoint: "` + address + `"` + string(d) + `}
service:
  pipelines:
    traces: {receivers: [otlp, zipkin]}
`})
	return c, "http://" + address + "/api/v2/spans"
}

func sendZipkin(t *testing.T, c *collector, url string, h headers) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(zipkinSpan))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	for name, value := range h {
		r.Header.Set(name, value)
	}
	return doHTTP(t, c.admin.http, r)
}

func TestTheGateStandsBeforeOtherReceivers(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		t.Run(d.name(), func(t *testing.T) {
			t.Parallel()
			c, url := startWithZipkin(t, d)
			k := c.create(t)
			for _, h := range []headers{k.bearer(), {"x-api-key": k.secret}} {
				assert.Equal(t, http.StatusAccepted, sendZipkin(t, c, url, h).status)
			}
			require.Len(t, c.sink.spans(), 2)
			assert.Equal(t, map[string]any{"apikey.id": k.id, "apikey.name": "test key"}, c.sink.spans()[0].Attributes().AsRaw())

			for name, want := range map[string]struct {
				headers headers
				status  int
				text    string
			}{
				"no key":                {nil, http.StatusUnauthorized, "no API key"},
				"malformed":             {headers{"api_key": c.vault.keep("px_live_far-too-short")}, http.StatusUnauthorized, "malformed"},
				"no write scope at all": {c.create(t, scopes("traces:read")).bearer(), http.StatusForbidden, ":write"},
				"of another signal":     {c.create(t, scopes("metrics:write")).bearer(), http.StatusForbidden, "traces:write"},
				"of another project":    {c.create(t, projects("other")).bearer(), http.StatusForbidden, "default"},
			} {
				got := sendZipkin(t, c, url, want.headers)
				if d == authOnly && want.status == http.StatusForbidden {
					// The receiver answers for the processor, in its own way.
					assert.Equal(t, http.StatusBadRequest, got.status, name)
					continue
				}
				assert.Equal(t, want.status, got.status, "%s: %s", name, got.body)
				assert.Contains(t, got.body, want.text, name)
			}
			assert.Len(t, c.sink.spans(), 2)
		})
	}
}
