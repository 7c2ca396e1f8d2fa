package demo

import (
	"context"
	"maps"
	"slices"
	"time"
)

// rates know how much keys were used of late, for the alerts: of minutes that lie
// far back the ledger keeps nothing.
type rates map[string][]rated

type rated struct {
	at               time.Time
	requests, errors int64
}

// rateKept is longer than the alerts look back.
const rateKept = 90 * time.Minute

func (r rates) note(keyID string, at time.Time, requests, errors int64) {
	list := r[keyID]
	for len(list) > 0 && list[0].at.Before(at.Add(-rateKept)) {
		list = list[1:]
	}
	r[keyID] = append(list, rated{at, requests, errors})
}

// InUse implements alert.Usage.
func (r rates) InUse(_ context.Context, since time.Time) ([]string, error) {
	in := maps.Clone(r)
	maps.DeleteFunc(in, func(_ string, list []rated) bool { return list[len(list)-1].at.Before(since) })
	return slices.Sorted(maps.Keys(in)), nil
}

// Requests implements alert.Usage.
func (r rates) Requests(_ context.Context, keyID string, from, to time.Time) (requests, errors int64, err error) {
	for _, n := range r[keyID] {
		if !n.at.Before(from) && n.at.Before(to) {
			requests, errors = requests+n.requests, errors+n.errors
		}
	}
	return requests, errors, nil
}
