package e2e

import (
	"encoding/json"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// whoami calls the admin API with a key.
func whoami(t *testing.T, c *collector, k key) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+c.admin.address+"/api/v1/whoami", http.NoBody)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+k.secret)
	return doHTTP(t, c.admin.http, r)
}

// overLimitCall checks the problem document of a call over a limit of a minute.
func overLimitCall(t *testing.T, r reply) {
	t.Helper()
	assert.Equal(t, http.StatusTooManyRequests, r.status)
	assert.Equal(t, "application/problem+json", r.header.Get("Content-Type"))
	var problem client.Problem
	require.NoError(t, json.Unmarshal([]byte(r.body), &problem), r.body)
	assert.Equal(t, "rate_limited", problem.Code)
	assert.Contains(t, r.body, "requests in 1m on api")
	wait, err := strconv.Atoi(r.header.Get("Retry-After"))
	require.NoError(t, err)
	assert.GreaterOrEqual(t, wait, 1)
	assert.LessOrEqual(t, wait, 61)
}

func TestCallsOfTheAdminAPICountOnTheirOwnLimits(t *testing.T) {
	t.Parallel()
	c := start(t, options{overlay: "extensions: {apikeyauth: {limits: {over_limit_status: 503}}}"})
	k := c.create(t, limitedTo("3 requests in 1m on api", "2 requests in 1m on ingest"))
	for _, left := range []int64{2, 1, 0} {
		asked := time.Now()
		r := whoami(t, c, k)
		require.Equal(t, http.StatusOK, r.status, r.body)
		checkFields(t, answer{header: r.header}, asked, "api-requests-1m", numbers{limit: 3, remaining: left})
	}
	for range 2 {
		asked := time.Now()
		r := whoami(t, c, k)
		overLimitCall(t, r)
		checkFields(t, answer{header: r.header}, asked, "api-requests-1m", numbers{limit: 3})
	}
	assert.Equal(t, []int64{3, 0}, c.used(t, k.id))
	for _, s := range senders[1:] {
		accepted(t, s.send(t, c, traces, traces.request(), k.bearer()))
	}
	assert.Equal(t, []int64{3, 2}, c.used(t, k.id), "telemetry is no call")

	other := c.create(t, limitedTo("3 requests in 1m on api", "1 requests in 1m on ingest"))
	accepted(t, sendGRPC(t, c, traces, traces.request(), other.bearer()))
	overLimit(t, sendGRPC(t, c, traces, traces.request(), other.bearer()), time.Minute)
	assert.Equal(t, http.StatusOK, whoami(t, c, other).status, "nor is a call telemetry")
}

func TestTheDefaultPlanAdmitsExactlySixtyCallsAMinute(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	k := c.create(t, onPlan(""))
	passed := 0
	for _, r := range flood(200, 5, func() reply { return whoami(t, c, k) }) {
		if r.status == http.StatusOK {
			passed++
			continue
		}
		overLimitCall(t, r)
	}
	assert.Equal(t, 60, passed)
}

func TestTheAdministratorIsNotLimited(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	for range 500 {
		r := whoami(t, c, key{secret: c.secret})
		require.Equal(t, http.StatusOK, r.status, r.body)
		require.Empty(t, r.header.Get("X-RateLimit-Limit"))
	}
}
