package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
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
	// longestAsked is how long a receiver may ask to be left alone.
	longestAsked = time.Hour
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
func (r *Receiver) post(ctx context.Context, address string, document any) error {
	body, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("encode alerts: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("send alerts: %w", withoutURL(err))
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := r.reposting().Do(request)
	if err != nil {
		return fmt.Errorf("send alerts to %s: %w", request.URL.Host, withoutURL(err))
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // so that the connection can be used again
	if answer.StatusCode < http.StatusMultipleChoices {
		return nil
	}
	return fmt.Errorf("send alerts to %s: %w", request.URL.Host, refusalOf(answer))
}

// reposting returns the client, but for redirects that would turn a POST into a
// GET: that is answered well and delivers nothing.
func (r *Receiver) reposting() *http.Client {
	client := *r.Client
	follow := client.CheckRedirect
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		switch {
		case next.Method != http.MethodPost, follow == nil && len(via) >= 10: // as net/http has it
			return http.ErrUseLastResponse
		case follow != nil:
			return follow(next, via)
		}
		return nil
	}
	return &client
}

// withoutURL takes the URL out of an error of net/http, since that of a webhook
// may be a secret.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

func refusalOf(answer *http.Response) *refusal {
	r := &refusal{status: answer.Status}
	switch code := answer.StatusCode; {
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests:
	case code < http.StatusInternalServerError:
		r.final = true
	}
	r.after = min(max(askedFor(answer.Header.Get("Retry-After"), time.Now()), 0), longestAsked)
	return r
}

// askedFor reads a Retry-After header, which holds seconds or a time.
func askedFor(header string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil {
		return time.Duration(min(seconds, int(longestAsked/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return at.Sub(now)
	}
	return 0
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
