package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// limitOf reads a limit as refusals spell it: "100 requests in 1m on ingest".
func limitOf(text string) (l client.Limit) {
	if _, err := fmt.Sscanf(text, "%d %s in %s on %s", &l.Max, &l.Unit, &l.Window, &l.On); err != nil {
		panic(err) // the test is wrong
	}
	return l
}

func limitsOf(texts ...string) (limits []client.Limit) {
	for _, text := range texts {
		limits = append(limits, limitOf(text))
	}
	return limits
}

// limitedTo gives a key limits of its own. The plan of keys in tests has none.
func limitedTo(texts ...string) edit {
	return func(k *client.KeyCreate) { k.Limits = limitsOf(texts...) }
}

// onPlan puts a key on a plan; the empty one is the default plan.
func onPlan(name string) edit {
	return func(k *client.KeyCreate) {
		if k.Plan = &name; name == "" {
			k.Plan = nil
		}
	}
}

// details asks the admin API about a key.
func (a *admin) details(t *testing.T, id string) client.Key {
	t.Helper()
	answer, err := a.api.GetKeyWithResponse(t.Context(), id)
	require.NoError(t, err)
	require.NoError(t, client.Check(answer.HTTPResponse, answer.Body))
	return *answer.JSON200
}

// used returns what a key has spent of each of its limits, as the admin API
// tells it.
func (a *admin) used(t *testing.T, id string) []int64 {
	t.Helper()
	used := []int64{}
	for _, q := range a.details(t, id).Quotas {
		used = append(used, q.Used)
	}
	return used
}

// underWay returns how many requests hold one of a key's places, as the admin
// API tells it.
func (a *admin) underWay(t *testing.T, id string) int {
	t.Helper()
	k := a.details(t, id)
	require.NotNil(t, k.Concurrency)
	return k.Concurrency.UnderWay
}

// manyOf is one request with that many items.
func (s signal) manyOf(n int) message {
	if s.name == profiles.name { // OTLP counts profiles, and limits their samples
		return samplesRequest(n)
	}
	return s.request(make([]string, n)...)
}

func accepted(t *testing.T, a answer) bool {
	t.Helper()
	return assert.Equal(t, codes.OK, a.code, "%s: %s", a.reason, a.message)
}

// overLimit checks a refusal of whoever has spent a limit with that window.
func overLimit(t *testing.T, a answer, window time.Duration) {
	t.Helper()
	assert.Equal(t, codes.ResourceExhausted, a.code, a.message)
	assert.Equal(t, "rate_limited", a.reason)
	assert.GreaterOrEqual(t, a.retry, time.Second)
	assert.LessOrEqual(t, a.retry, window+window/60+time.Second, "it is never longer than the window and a sixtieth, rounded up")
	retryable(t, a, http.StatusTooManyRequests)
}

// tooManyAtOnce checks a refusal of whoever has all its places taken.
func tooManyAtOnce(t *testing.T, a answer) {
	t.Helper()
	assert.Equal(t, codes.ResourceExhausted, a.code, a.message)
	assert.Equal(t, "concurrency_exceeded", a.reason)
	assert.Equal(t, time.Second, a.retry)
	retryable(t, a, http.StatusTooManyRequests)
}

// retryable checks that every exporter understands when it may retry.
func retryable(t *testing.T, a answer, status int) {
	t.Helper()
	assert.Positive(t, a.retry)
	assert.Zero(t, a.retry%time.Second, "exporters see whole seconds")
	if a.http != 0 {
		assert.Equal(t, status, a.http)
		assert.Equal(t, strconv.Itoa(int(a.retry/time.Second)), a.header.Get("Retry-After"))
	}
}

// tooLarge checks a refusal of what can never pass.
func tooLarge(t *testing.T, a answer) {
	t.Helper()
	assert.Equal(t, codes.InvalidArgument, a.code, a.message)
	assert.Equal(t, "larger_than_limit", a.reason)
	assert.Zero(t, a.retry, "retrying cannot help")
	if a.http != 0 {
		assert.Equal(t, http.StatusBadRequest, a.http)
		assert.Empty(t, a.header.Get("Retry-After"))
	}
}
