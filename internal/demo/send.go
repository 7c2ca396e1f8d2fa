package demo

import (
	"math"
	"net/http"
	"time"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// demand is how many requests of a key come in a step, by what becomes of them.
type demand struct{ accepted, failed, limited float64 }

func (d *demand) all() float64 { return d.accepted + d.failed + d.limited }

// demand returns that of a step, with its ups and downs.
func (w *world) demand(k *key, s step) demand {
	var d demand
	piece := min(s.length, pace)
	for at := s.start; at.Before(s.start.Add(s.length)); at = at.Add(piece) {
		ago := w.agoOf(at)
		if !k.sender.sends(ago) {
			continue
		}
		surge, failing := w.upset(k, at)
		grown := 1 - k.sender.growth*min(ago/float64(w.Days), 1)
		rate := k.dice.about(k.sender.rate*k.sender.rhythm(at)*grown*surge, .12)
		passing := rate
		if k.perMin > 0 {
			passing = min(rate, .985*k.perMin)
		}
		d.limited += (rate - passing) * piece.Minutes()
		d.failed += passing * failing * piece.Minutes()
		d.accepted += passing * (1 - failing) * piece.Minutes()
	}
	return d
}

// reasonOf tells why a key that is not active is refused.
var reasonOf = map[store.Status]identity.Reason{
	store.Expired: identity.ExpiredKey, store.Revoked: identity.RevokedKey, store.Disabled: identity.DisabledKey,
}

// send lets a key be used for a step.
func (w *world) send(k *key, s step) {
	if k.record.ID == "" || k.record.CreatedAt.After(s.start) {
		return
	}
	var owner *store.User
	if k.user != nil {
		owner = &k.user.record
	}
	d := w.demand(k, s)
	if status := k.record.StatusAt(s.start, owner); status != store.Active {
		w.refuse(k, s, &k.sender.flows[0], "", reasonOf[status], k.dice.poisson(d.all()*k.sender.insists))
		return
	}
	for i := range k.sender.flows {
		f := &k.sender.flows[i]
		w.pour(k, s, f, access.Accepted, "", http.StatusOK, k.dice.poisson(d.accepted*f.share))
		w.pour(k, s, f, access.Failed, access.PipelineFailed, http.StatusServiceUnavailable, k.dice.poisson(d.failed*f.share))
		w.refuse(k, s, f, "", identity.RateLimited, k.dice.poisson(d.limited*f.share))
	}
	for _, r := range k.sender.refused {
		if r.since == 0 || w.agoOf(s.start) <= r.since {
			w.refuse(k, s, &k.sender.flows[0], r.endpoint, r.reason, k.dice.poisson(d.accepted*r.share))
		}
	}
}

// refuse lets requests be turned away.
func (w *world) refuse(k *key, s step, f *flow, endpoint string, reason identity.Reason, n int64) {
	turned := *f
	if endpoint != "" {
		turned.endpoint = endpoint
	}
	w.pour(k, s, &turned, access.Refused, string(reason), statusOf(reason), n)
}

// statusOf returns the status that a refusal is answered with.
func statusOf(reason identity.Reason) int { return identity.NewRefusal(reason, "").HTTPStatus() }

// pour lets n requests of a flow end in one way, spread over some of the places
// that they come from.
func (w *world) pour(k *key, s step, f *flow, outcome access.Outcome, reason string, status int, n int64) {
	parts := min(int64(k.sender.spread), n)
	for part := range parts {
		size := n / parts
		if part == 0 {
			size += n % parts
		}
		at := s.moment(k.dice)
		from := pick(k.dice, k.sender.from, w.agoOf(at))
		g := access.Group{
			KeyID: k.record.ID, KeyType: k.record.Type, Secret: k.secretAt(at), Endpoint: f.endpoint, Transport: f.transport,
			Outcome: outcome, Reason: reason, Status: status, Address: from.address(k.dice),
		}
		w.note(&g, at, f.volume(k.dice, outcome, reason, size), source{k.name, k.dice, s, k.sender.agent, from.country})
	}
}

// secretAt draws which of a key's secrets is used.
func (k *key) secretAt(at time.Time) store.SecretRef {
	newest := k.record.Secrets[0]
	if len(k.record.Secrets) < 2 {
		return newest.Digest.Ref()
	}
	old := k.record.Secrets[1]
	if !at.Before(old.ExpiresAt) {
		return newest.Digest.Ref()
	}
	gone := float64(at.Sub(newest.CreatedAt)) / float64(old.ExpiresAt.Sub(newest.CreatedAt))
	if k.dice.Float64() < max(1-2*gone, k.sender.laggard) {
		return old.Digest.Ref()
	}
	return newest.Digest.Ref()
}

// volume draws how much n requests hold.
func (f *flow) volume(d dice, outcome access.Outcome, reason string, n int64) access.Volume {
	v := access.Volume{Requests: n, Duration: time.Duration(float64(n) * d.about(f.millis, .4) * float64(time.Millisecond))}
	items := int64(math.Round(float64(n) * d.about(f.items, .25)))
	switch {
	case outcome == access.Accepted:
		v.Items = items
	case reason == string(identity.ProjectNotAllowed): // which only the processor sees
		v.RefusedItems = items
	case outcome == access.Refused:
		v.Duration /= 20 // before anything is decoded
		return v
	}
	v.Bytes = int64(float64(items) * d.about(f.size, .15))
	return v
}
