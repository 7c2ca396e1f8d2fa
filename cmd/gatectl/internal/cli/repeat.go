package cli

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// briefPause is how long to wait before a call whose answer was lost is sent
// again.
const briefPause = 200 * time.Millisecond

// once carries out a call that makes a secret. Where no answer came it is sent
// a second time under the same idempotency key, so that the secret is made once
// and is not lost.
func (c *connection) once(ctx context.Context, call func(idempotencyKey string) error) error {
	id := rand.Text()
	err := call(id)
	pause, again := c.pauseAfter(err)
	if !again || sleep(ctx, pause) != nil {
		return err
	}
	second := call(id)
	if e, ok := errors.AsType[*client.Error](second); ok && e.Status == http.StatusUnauthorized {
		// The key that gatectl uses has ended meanwhile, perhaps by this call.
		return err
	}
	return second
}

// pauseAfter tells whether a second try may get an answer, and when.
func (c *connection) pauseAfter(err error) (pause time.Duration, again bool) {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return max(e.RetryAfter, briefPause), unavailable(e.Status) && e.RetryAfter <= c.timeout
	}
	return briefPause, inDoubt(err)
}

func unavailable(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// inDoubt reports whether a call may have been carried out although no answer
// came.
func inDoubt(err error) bool {
	f, ok := errors.AsType[*failure](err)
	if !ok || f.cause == nil {
		return false
	}
	if e, ok := errors.AsType[*client.Error](f.cause); ok {
		return unavailable(e.Status)
	}
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	return !errors.Is(err, context.Canceled) && !errors.As(err, &dns) && !errors.As(err, &certificate) &&
		!errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, http.ErrSchemeMismatch)
}

// doubtful replaces the hint of a failure after which nobody knows whether the
// call was carried out.
func doubtful(err error, hint string) error {
	if f, ok := errors.AsType[*failure](err); ok && inDoubt(err) {
		if e, ok := errors.AsType[*client.Error](err); !ok || e.RetryAfter == 0 {
			f.hint = hint
		}
	}
	return err
}

// maxUnavailable is how often a call waits for a server that cannot answer now.
const maxUnavailable = 5

// patiently carries out a call that can be sent twice, and waits as long as the
// server asks to: where a limit is spent, and some times where it cannot answer.
// Waiting is told, which may be nil.
func patiently(ctx context.Context, waiting func(time.Duration), call func() error) error {
	for failures := 0; ; failures++ {
		err := call()
		e, ok := errors.AsType[*client.Error](err)
		if !ok || e.RetryAfter <= 0 || !worthwhile(e, failures) {
			return err
		}
		if waiting != nil {
			waiting(e.RetryAfter)
		}
		if sleep(ctx, e.RetryAfter) != nil {
			return err
		}
	}
}

func worthwhile(e *client.Error, failures int) bool {
	switch e.Code {
	case "rate_limited", "concurrency_exceeded":
		return true
	}
	return e.Status == http.StatusServiceUnavailable && failures < maxUnavailable
}

// sleep returns an error where the context ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
