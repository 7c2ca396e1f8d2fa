package demo

import (
	"slices"
	"time"
)

// incident is when something went wrong.
type incident struct {
	on          float64 // days ago
	hour, hours float64 // of that day
	keys        []string
	surge       float64 // how many times as much came; zero: no more than usual
	failing     float64 // the part that failed
}

// incidents are an outage of a backend, a surge beyond a plan, and small things.
var incidents = []incident{
	{on: 26, hour: 19, hours: 1, keys: []string{"assistant-prod"}, failing: .5},
	{on: 11, hour: 9.2, hours: .75, keys: []string{"checkout-prod", "payments-api", "search-api", "recommendations", "feature-store", "fraud-scoring"}, failing: .85},
	{on: 6, hour: 17.5, hours: 2.4, keys: []string{"mobile-gateway"}, surge: 4.5},
	{on: 1, hour: 14.2, hours: .2, keys: []string{"storefront-prod"}, failing: .5},
}

// upset returns how much more of a key's requests come than usual, and which part
// of them fails.
func (w *world) upset(k *key, at time.Time) (surge, failing float64) {
	surge, failing = 1, k.sender.failing
	for i := range incidents {
		in := &incidents[i]
		begins := w.Now.Truncate(day).Add(-spanOf(in.on) + spanOf(in.hour/24))
		if at.Before(begins) || !at.Before(begins.Add(spanOf(in.hours/24))) || !slices.Contains(in.keys, k.name) {
			continue
		}
		surge, failing = max(surge, in.surge), max(failing, in.failing)
	}
	return surge, failing
}

// agoOf returns how many days ago a time is.
func (w *world) agoOf(t time.Time) float64 { return float64(w.Now.Sub(t)) / float64(day) }
