package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

func TestOnlyAnswersThatWereLostAreAskedForAgain(t *testing.T) {
	t.Parallel()
	c := &connection{timeout: 10 * time.Second, url: "http://x"}
	problem := func(status int, retryAfter time.Duration) error {
		return c.apiFailure("x", &client.Error{Problem: client.Problem{Status: status, Code: "x"}, RetryAfter: retryAfter})
	}
	for name, test := range map[string]struct {
		err   error
		again bool
		pause time.Duration
	}{
		"success":            {nil, false, briefPause},
		"timeout":            {c.transportFailure("x", context.DeadlineExceeded), true, briefPause},
		"reset":              {c.transportFailure("x", syscall.ECONNRESET), true, briefPause},
		"cut off":            {c.transportFailure("x", io.ErrUnexpectedEOF), true, briefPause},
		"nobody there":       {c.transportFailure("x", syscall.ECONNREFUSED), false, briefPause},
		"no such host":       {c.transportFailure("x", &net.DNSError{}), false, briefPause},
		"bad certificate":    {c.transportFailure("x", &tls.CertificateVerificationError{Err: errors.New("x")}), false, briefPause},
		"interrupted":        {c.transportFailure("x", context.Canceled), false, briefPause},
		"busy":               {problem(http.StatusServiceUnavailable, 2*time.Second), true, 2 * time.Second},
		"busy for long":      {problem(http.StatusServiceUnavailable, time.Minute), false, time.Minute},
		"a proxy gave up":    {c.apiFailure("x", &client.Error{Problem: client.Problem{Status: http.StatusGatewayTimeout}}), true, briefPause},
		"over a limit":       {problem(http.StatusTooManyRequests, time.Second), false, time.Second},
		"refused":            {problem(http.StatusBadRequest, 0), false, briefPause},
		"not the API itself": {c.strangerFailure("x", "200 OK"), false, briefPause},
	} {
		pause, again := c.pauseAfter(test.err)
		assert.Equal(t, test.again, again, name)
		if again {
			assert.Equal(t, test.pause, pause, name)
		}
	}
}

func TestASecondTryHasTheSameIdempotencyKey(t *testing.T) {
	t.Parallel()
	c := &connection{timeout: time.Second}
	var ids []string
	require.NoError(t, c.once(t.Context(), func(id string) error {
		ids = append(ids, id)
		if len(ids) == 1 {
			return c.transportFailure("x", io.ErrUnexpectedEOF)
		}
		return nil
	}))
	require.Len(t, ids, 2)
	assert.Equal(t, ids[0], ids[1])
	require.NoError(t, c.once(t.Context(), func(id string) error {
		assert.NotEqual(t, ids[0], id, "each call has its own")
		return nil
	}))
}

func TestPatienceWaitsForLimitsAndSometimesForTheServer(t *testing.T) {
	t.Parallel()
	c := &connection{}
	for code, test := range map[string]struct{ status, calls int }{
		"rate_limited":         {http.StatusTooManyRequests, 20},
		"concurrency_exceeded": {http.StatusTooManyRequests, 20},
		"too_many_failures":    {http.StatusTooManyRequests, 1},
		"store_unavailable":    {http.StatusServiceUnavailable, 1 + maxUnavailable},
	} {
		calls, waits := 0, 0
		_ = patiently(t.Context(), func(time.Duration) { waits++ }, func() error {
			if calls++; calls == 20 {
				return nil
			}
			return c.apiFailure("x", &client.Error{Problem: client.Problem{Status: test.status, Code: code}, RetryAfter: time.Microsecond})
		})
		assert.Equal(t, test.calls, calls, code)
		assert.Equal(t, test.calls-1, waits, code)
	}
}
