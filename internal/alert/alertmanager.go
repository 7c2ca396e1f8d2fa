package alert

import (
	"context"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"
)

// repeatFor is for how long the end of an alert is told again and again: what
// restarts meanwhile must hear of it too.
const repeatFor = 15 * time.Minute

// repeatEvery is how often Alertmanager is told again of what it was told: it takes
// an alert that it does not hear of for five minutes to have ended, and evaluations
// may be farther apart.
const repeatEvery = time.Minute

// maxBatch is how many alerts are sent at once.
const maxBatch = 64

// alertmanager tells an Alertmanager, again and again, which alerts fire and which
// have ended of late. Alertmanager takes an alert that it is not told of for some
// minutes to have ended, so nothing has to be kept here.
type alertmanager struct {
	receiver Receiver
	logger   *zap.Logger
	observe  func(receiver string, r Result)
	news     chan []postable // the newest state of all that is to be told; never nil
	every    time.Duration   // after which it is told again
}

// postable is an alert as API v2 of Alertmanager takes it (postableAlert).
type postable struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      *time.Time        `json:"endsAt,omitempty"`
}

func newAlertmanager(r Receiver, logger *zap.Logger, observe func(string, Result)) *alertmanager {
	return &alertmanager{receiver: r, logger: logger, observe: observe, news: make(chan []postable, 1), every: repeatEvery}
}

// tell hands over the state of all alerts, in place of what has not been sent.
func (m *alertmanager) tell(alerts []Alert, now time.Time) {
	state := []postable{}
	for i := range alerts {
		if a := &alerts[i]; a.State == Firing || now.Sub(a.ResolvedAt) < repeatFor {
			state = append(state, postableOf(a))
		}
	}
	select {
	case <-m.news:
	default:
	}
	m.news <- state
}

func postableOf(a *Alert) postable {
	labels := map[string]string{
		"alertname": "Otlpgate" + camel(string(a.Kind)), "kind": string(a.Kind), "severity": a.Severity,
		"key_id": a.KeyID, "key_name": a.KeyName, "key_type": string(a.KeyType),
	}
	if a.OwnerID != "" {
		labels["owner_id"] = a.OwnerID
	}
	switch a.Kind {
	case UnexpectedCountry:
		labels["country"] = a.Subject
	case OldSecretUsed:
		labels["secret"] = a.Subject
	case KeyUnused, ErrorRate, KeyExpiring:
	}
	p := postable{Labels: labels, Annotations: map[string]string{"summary": a.Summary, "description": a.Description}, StartsAt: a.StartedAt}
	if a.State == Resolved {
		p.EndsAt = &a.ResolvedAt
	}
	return p
}

// camel writes a kind as in the names of alerts: KeyUnused.
func camel(kind string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(kind, "_") {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// run sends what it is told, and again, until the context ends.
func (m *alertmanager) run(ctx context.Context) {
	again := time.NewTimer(m.every)
	defer again.Stop()
	var state []postable
	for ok := true; ok; again.Reset(m.every) {
		select {
		case <-ctx.Done():
			return
		case state = <-m.news:
		case <-again.C:
		}
		state, ok = m.deliver(ctx, state)
	}
}

// deliver sends a state, or the news that come meanwhile, until all of it is sent,
// and returns what that was. It reports false when the context ends.
func (m *alertmanager) deliver(ctx context.Context, state []postable) ([]postable, bool) {
	pauses := newPauses()
	for rest := state; len(rest) > 0; {
		var retry time.Duration
		if rest, retry = m.send(ctx, rest, pauses.NextBackOff()); retry == 0 {
			pauses.Reset()
			continue
		}
		news, ok := m.wait(ctx, retry)
		if !ok {
			return nil, false
		}
		if news != nil {
			state, rest = news, news
		}
	}
	return state, true
}

// send sends a batch, and returns what is left to send and how long to wait
// before.
func (m *alertmanager) send(ctx context.Context, state []postable, pause time.Duration) ([]postable, time.Duration) {
	n := min(len(state), maxBatch)
	endpoint, err := url.JoinPath(m.receiver.URL, "api/v2/alerts")
	if err == nil {
		err = m.receiver.post(ctx, endpoint, state[:n])
	} else {
		err = withoutURL(err)
	}
	switch {
	case err == nil:
		m.observe(AlertmanagerName, Delivered)
		return state[n:], 0
	case ctx.Err() != nil:
		return state, pause
	case isFinal(err):
		m.observe(AlertmanagerName, Dropped)
		m.logger.Error("Alertmanager refuses alerts: they are not sent until the next evaluation", zap.Error(err))
		return state[n:], 0
	}
	m.observe(AlertmanagerName, Failed)
	m.logger.Warn("cannot tell Alertmanager of alerts: trying again", zap.Duration("in", pause), zap.Error(err))
	return state, pauseOf(err, pause)
}

// wait waits before the next attempt, and returns the news that came meanwhile, nil
// where there are none.
func (m *alertmanager) wait(ctx context.Context, pause time.Duration) (news []postable, ok bool) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, false
		case news = <-m.news:
		case <-timer.C:
			return news, true
		}
	}
}
