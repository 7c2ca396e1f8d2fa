package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Receiver is where alerts are delivered. The URL is that of the server alone for
// Alertmanager, and the whole of it for a webhook.
type Receiver struct {
	URL    string
	Client *http.Client
}

// Result is what became of a delivery.
type Result string

// Delivered was taken; Failed is tried again; Dropped is not.
const (
	Delivered Result = "delivered"
	Failed    Result = "failed"
	Dropped   Result = "dropped"
)

// The names of the receivers, as an observer is told them.
const (
	AlertmanagerName = "alertmanager"
	WebhookName      = "webhook"
)

// The pauses between two attempts. The first ones are short: most failures are a
// restart of the receiver.
const (
	firstPause   = 500 * time.Millisecond
	longestPause = time.Minute
	// postTimeout bounds an attempt where the client does not.
	postTimeout = 30 * time.Second
)

func newPauses() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = firstPause, longestPause
	return b
}

// refusal is an answer that is no success.
type refusal struct {
	status string
	// final says that the same would be answered again.
	final bool
	// after is how long the receiver asks to wait; zero where it does not say.
	after time.Duration
}

func (r *refusal) Error() string { return "it answers " + r.status }

// post sends a JSON document.
func (r *Receiver) post(ctx context.Context, url string, document any) error {
	body, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("encode alerts: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("send alerts: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := r.Client.Do(request)
	if err != nil {
		return fmt.Errorf("send alerts: %w", err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // so that the connection can be used again
	if answer.StatusCode < http.StatusMultipleChoices {
		return nil
	}
	return fmt.Errorf("send alerts to %s: %w", request.URL.Host, refusalOf(answer))
}

func refusalOf(answer *http.Response) *refusal {
	r := &refusal{status: answer.Status}
	switch code := answer.StatusCode; {
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests:
	case code < http.StatusInternalServerError:
		r.final = true
	}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
		r.after = min(time.Duration(seconds)*time.Second, longestPause)
	}
	return r
}

// pauseOf returns how long to wait before the next attempt: a pause, or what the
// receiver asks for.
func pauseOf(err error, pause time.Duration) time.Duration {
	if r, ok := errors.AsType[*refusal](err); ok {
		return max(pause, r.after)
	}
	return pause
}

func isFinal(err error) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && r.final
}
