package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/kv"
)

// What is kept, in a kv.Store, all as JSON:
//
//	af id        → Alert; those that have ended expire
//	ac key id    → []Sighting of the key
//	aw number    → notice for the webhook that is not delivered, 8 bytes big-endian
const (
	alertPrefix   = "af"
	countryPrefix = "ac"
	noticePrefix  = "aw"
)

// Sighting is that a key was used from a country.
type Sighting struct {
	Country string    `json:"country"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
}

// sightings know from where keys were used. Safe for concurrent use.
type sightings struct {
	store kv.Store

	mu   sync.Mutex // guards the rest
	keys map[string]*seen
}

// seen is from where a key was used.
type seen struct {
	countries []Sighting
	kept      time.Time // the Last of all that is kept; zero: something new is not
}

const (
	// keptEvery is how far what is kept may lie behind.
	keptEvery = time.Hour
	// maxSightings bounds the countries of a key; there are some 250.
	maxSightings = 300
	// forgottenAfter is when a key that is not used goes from memory; what is kept
	// stays.
	forgottenAfter = 25 * time.Hour
	sightingsKept  = 400 * 24 * time.Hour
)

func newSightings(store kv.Store) *sightings {
	return &sightings{store: store, keys: map[string]*seen{}}
}

// note learns from counts of requests. What is new is kept when it returns.
func (s *sightings) note(ctx context.Context, counts []access.Count, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for i := range counts {
		c := &counts[i]
		if c.KeyID == "" || c.Country == "" || c.Country == access.UnknownCountry || c.Outcome == access.Refused {
			continue
		}
		k, err := s.of(ctx, c.KeyID)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		k.note(c.Country, time.Unix(c.Minute*60, 0).UTC())
	}
	errs = append(errs, s.keep(ctx, now))
	for id, k := range s.keys {
		if k.last().Before(now.Add(-forgottenAfter)) && (len(k.countries) == 0 || !k.kept.IsZero()) {
			delete(s.keys, id)
		}
	}
	return errors.Join(errs...)
}

// of returns what is known of a key. The lock must be held.
func (s *sightings) of(ctx context.Context, keyID string) (*seen, error) {
	if k, ok := s.keys[keyID]; ok {
		return k, nil
	}
	k, err := s.read(ctx, keyID)
	if err == nil {
		s.keys[keyID] = k
	}
	return k, err
}

// read returns what is kept of a key.
func (s *sightings) read(ctx context.Context, keyID string) (*seen, error) {
	k := &seen{}
	value, err := s.store.Get(ctx, []byte(countryPrefix+keyID))
	switch {
	case errors.Is(err, kv.ErrNotFound), errors.Is(err, kv.ErrDamaged):
	case err != nil:
		return nil, fmt.Errorf("read the countries of key %.80q: %w", keyID, err)
	case json.Unmarshal(value, &k.countries) != nil:
		k.countries = nil // as good as nothing
	default:
		k.kept = k.last()
	}
	return k, nil
}

func (k *seen) note(country string, at time.Time) {
	i := slices.IndexFunc(k.countries, func(s Sighting) bool { return s.Country == country })
	switch {
	case i >= 0 && at.After(k.countries[i].Last):
		k.countries[i].Last = at
	case i < 0 && len(k.countries) < maxSightings:
		k.countries = append(k.countries, Sighting{country, at, at})
		k.kept = time.Time{}
	}
}

func (k *seen) last() (last time.Time) {
	for _, s := range k.countries {
		if s.Last.After(last) {
			last = s.Last
		}
	}
	return last
}

// keep writes what is new, or lies far behind.
func (s *sightings) keep(ctx context.Context, now time.Time) error {
	var groups [][]kv.Entry
	for id, k := range s.keys {
		if len(k.countries) == 0 {
			continue
		}
		if !k.kept.IsZero() && k.last().Sub(k.kept) < keptEvery {
			continue
		}
		value, err := json.Marshal(k.countries)
		if err != nil {
			return fmt.Errorf("encode the countries of key %.80q: %w", id, err)
		}
		groups = append(groups, []kv.Entry{{Key: []byte(countryPrefix + id), Value: value, ExpiresAt: now.Add(sightingsKept)}})
	}
	if len(groups) == 0 {
		return nil
	}
	written, err := s.store.Write(ctx, groups)
	for _, group := range groups[:written] {
		k := s.keys[strings.TrimPrefix(string(group[0].Key), countryPrefix)]
		k.kept = k.last()
	}
	if err != nil {
		return fmt.Errorf("keep the countries of %d keys: %w", len(groups), err)
	}
	return nil
}

// list returns from where a key was used.
func (s *sightings) list(ctx context.Context, keyID string) ([]Sighting, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.keys[keyID]
	if !ok {
		var err error
		if k, err = s.read(ctx, keyID); err != nil { // judging it is no reason to remember it
			return nil, err
		}
	}
	return slices.Clone(k.countries), nil
}
