package admin

import (
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// newLimitedHarness is an admin server that charges keys as the gate does.
func newLimitedHarness(t *testing.T) *harness {
	t.Helper()
	h := newHarness(t)
	h.charges = true
	return h
}

func (h *harness) limitedKey(plan string, limits ...limit.Limit) string {
	h.t.Helper()
	return h.key(store.Key{
		OwnerID: store.BuiltinUserID, Scopes: []identity.Scope{identity.ProjectsRead}, Plan: plan, Limits: limits,
	})
}

func TestCallsCountOnTheAPILimitsOfTheirKey(t *testing.T) {
	h := newLimitedHarness(t)
	secret := h.limitedKey("free")
	reset := strconv.FormatInt(epoch.Add(61*time.Second).Unix(), 10)
	for left := 59; left >= 0; left-- {
		a := h.get(secret, "/whoami")
		require.Equal(t, http.StatusOK, a.status)
		require.Equal(t, "60", a.header.Get("X-RateLimit-Limit"))
		require.Equal(t, strconv.Itoa(left), a.header.Get("X-RateLimit-Remaining"))
		require.Equal(t, reset, a.header.Get("X-RateLimit-Reset"))
		require.Equal(t, `"api-requests-1m";q=60;w=60, "concurrency";q=5;qu="concurrent-requests"`, a.header.Get("RateLimit-Policy"))
		require.Equal(t, `"api-requests-1m";r=`+strconv.Itoa(left)+`;t=61, "concurrency";r=4`, a.header.Get("RateLimit"))
	}
	a := h.get(secret, "/whoami")
	assert.Equal(t, "Too Many Requests rate_limited", a.code(t))
	assert.Equal(t, "61", a.header.Get("Retry-After"))
	assert.Equal(t, "0", a.header.Get("X-RateLimit-Remaining"))
	assert.Contains(t, a.problem(t).Detail, "60 requests in 1m on api")
	assert.Equal(t, "OK", h.get(h.limitedKey("free"), "/whoami").code(t), "another key")

	h.setClock(epoch.Add(60 * time.Second))
	assert.Equal(t, "Too Many Requests rate_limited", h.get(secret, "/whoami").code(t))
	h.setClock(epoch.Add(61 * time.Second))
	assert.Equal(t, "OK", h.get(secret, "/whoami").code(t), "waiting Retry-After out is enough")
}

func TestCallsThatAreRefusedForTheirRequestCount(t *testing.T) {
	h := newLimitedHarness(t)
	secret := h.limitedKey("", limit.Limit{On: limit.API, Unit: limit.Requests, Max: 2, Window: limit.Window(time.Minute)})
	assert.Equal(t, "Bad Request invalid_request", h.get(secret, "/whoami?x=1").code(t))
	assert.Equal(t, "Not Found key_not_found", h.get(secret, "/api-keys/none").code(t))
	assert.Equal(t, "Too Many Requests rate_limited", h.get(secret, "/whoami").code(t))
}

func TestIngestLimitsAreNotThoseOfCalls(t *testing.T) {
	h := newLimitedHarness(t)
	secret := h.limitedKey("enterprise", limit.Limit{On: limit.Ingest, Unit: limit.Requests, Max: 1, Window: limit.Window(time.Minute)})
	for range 3 {
		a := h.get(secret, "/whoami")
		assert.Equal(t, "OK", a.code(t))
		assert.Empty(t, a.header.Get("X-RateLimit-Limit"))
	}
}

func TestCallsHoldASlotUntilTheyEnd(t *testing.T) {
	h := newLimitedHarness(t)
	secret := h.limitedKey("free")
	for range 2 {
		var calls sync.WaitGroup
		for range 5 {
			calls.Go(func() { assert.Equal(t, "OK", h.get(secret, "/whoami").code(t)) })
		}
		calls.Wait()
	}
	assert.Equal(t, `"api-requests-1m";r=49;t=61, "concurrency";r=4`, h.get(secret, "/whoami").header.Get("RateLimit"))
}
