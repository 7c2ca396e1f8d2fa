package alert

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/kv"
)

// webhook tells a server of each alert that begins or ends, in that order and at
// least once: what is not delivered is kept, and delivered after a restart. Safe
// for concurrent use.
type webhook struct {
	receiver Receiver
	store    kv.Store
	logger   *zap.Logger
	observe  func(receiver string, r Result)
	wake     chan struct{}

	mu      sync.Mutex // guards the rest
	waiting []numbered
	next    uint64
}

// notice is the document that is delivered.
type notice struct {
	Version int   `json:"version"` // 1
	State   State `json:"state"`
	Alert   Alert `json:"alert"`
}

// numbered is a notice that waits to be delivered, by its number in the store.
type numbered struct {
	number uint64
	notice notice
	// kept is false while the store does not have it for sure.
	kept bool
}

// maxWaiting is how many notices wait for a server that does not take them.
const maxWaiting = 10_000

func newWebhook(r Receiver, s kv.Store, logger *zap.Logger, observe func(string, Result)) *webhook {
	return &webhook{receiver: r, store: s, logger: logger, observe: observe, wake: make(chan struct{}, 1), next: 1}
}

func noticeKey(number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(noticePrefix), number)
}

// load reads what was not delivered before.
func (h *webhook) load(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.store.Walk(ctx, kv.Range{Prefix: []byte(noticePrefix)}, func(suffix, value []byte) (bool, error) {
		n := numbered{kept: true}
		if len(suffix) == 8 && json.Unmarshal(value, &n.notice) == nil {
			n.number = binary.BigEndian.Uint64(suffix)
			h.waiting = append(h.waiting, n)
			h.next = n.number + 1
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("read undelivered alerts: %w", err)
	}
	if len(h.waiting) > 0 {
		h.wakeUp()
	}
	return nil
}

// prepare makes the notice of an alert that has turned, and what is to be kept of
// it before it is pushed.
func (h *webhook) prepare(a *Alert) (numbered, kv.Entry, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := numbered{number: h.next, notice: notice{Version: 1, State: a.State, Alert: *a}}
	value, err := json.Marshal(n.notice)
	if err != nil {
		return n, kv.Entry{}, fmt.Errorf("encode alert %s: %w", a.ID, err)
	}
	h.next++
	return n, kv.Entry{Key: noticeKey(n.number), Value: value}, nil
}

// keep writes what waits and could not be kept before. The lock is held until it is
// written, so that none is written that is delivered meanwhile.
func (h *webhook) keep(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var groups [][]kv.Entry
	var of []int
	for i := range h.waiting {
		if h.waiting[i].kept {
			continue
		}
		value, err := json.Marshal(h.waiting[i].notice)
		if err != nil {
			return fmt.Errorf("encode alert %s: %w", h.waiting[i].notice.Alert.ID, err)
		}
		groups, of = append(groups, []kv.Entry{{Key: noticeKey(h.waiting[i].number), Value: value}}), append(of, i)
	}
	if len(groups) == 0 {
		return nil
	}
	written, err := h.store.Write(ctx, groups)
	for _, i := range of[:written] {
		h.waiting[i].kept = true
	}
	if err != nil {
		return fmt.Errorf("keep %d alerts for the webhook: %w", len(groups), err)
	}
	return nil
}

// push queues notices. Where too many wait, the oldest are dropped.
func (h *webhook) push(ctx context.Context, notices []numbered) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting = append(h.waiting, notices...)
	var dropped [][]kv.Entry
	for ; len(h.waiting) > maxWaiting; h.waiting = h.waiting[1:] {
		h.observe(WebhookName, Dropped)
		dropped = append(dropped, []kv.Entry{{Key: noticeKey(h.waiting[0].number)}})
	}
	h.wakeUp()
	if len(dropped) == 0 {
		return nil
	}
	h.logger.Error("too many alerts wait for the webhook: the oldest are not sent", zap.Int("dropped", len(dropped)))
	if _, err := h.store.Write(ctx, dropped); err != nil {
		return fmt.Errorf("forget alerts that are not sent: %w", err)
	}
	return nil
}

func (h *webhook) wakeUp() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// run delivers what waits until the context ends.
func (h *webhook) run(ctx context.Context) {
	pauses := newPauses()
	for {
		n, ok := h.first()
		if !ok {
			select {
			case <-ctx.Done():
				return
			case <-h.wake:
			}
			continue
		}
		err := h.receiver.post(ctx, h.receiver.URL, n.notice)
		switch {
		case err == nil:
			h.observe(WebhookName, Delivered)
		case ctx.Err() != nil:
			return
		case isFinal(err):
			h.observe(WebhookName, Dropped)
			h.logger.Error("the webhook refuses an alert: it is not sent again", zap.String("alert", n.notice.Alert.ID), zap.Error(err))
		default:
			h.observe(WebhookName, Failed)
			pause := pauseOf(err, pauses.NextBackOff())
			h.logger.Warn("cannot tell the webhook of an alert: trying again", zap.Duration("in", pause), zap.Error(err))
			if !sleep(ctx, pause) {
				return
			}
			continue
		}
		pauses.Reset()
		h.done(ctx, n)
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (h *webhook) first() (numbered, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiting) == 0 {
		return numbered{}, false
	}
	return h.waiting[0], true
}

// done forgets a notice. Where that cannot be written it may be delivered again
// after a restart.
func (h *webhook) done(ctx context.Context, n numbered) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiting) > 0 && h.waiting[0].number == n.number { // not dropped meanwhile
		h.waiting = h.waiting[1:]
	}
	if _, err := h.store.Write(context.WithoutCancel(ctx), [][]kv.Entry{{{Key: noticeKey(n.number)}}}); err != nil {
		h.logger.Warn("an alert was delivered to the webhook, and may be delivered again after a restart", zap.Error(err))
	}
}
