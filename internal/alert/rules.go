package alert

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/otlpgate/otlpgate/internal/store"
)

// Rules say what is amiss. Where nothing else is said, a span of zero turns its
// kind off.
type Rules struct {
	// UnusedAfter is for how long an active key must not have been used.
	UnusedAfter time.Duration
	// ErrorRate is the part of requests, 0 to 1, over which too many of them were
	// refused or failed, in RateWindow, of at least MinRequests. A part of 1 turns
	// the kind off.
	ErrorRate   float64
	MinRequests int64
	RateWindow  time.Duration
	// ExpiringWithin is how long before its end a key is about to expire.
	ExpiringWithin time.Duration
	// OldSecretWithin is how long before the end of its grace period a secret must
	// not be used any more; of a short grace period the last quarter.
	OldSecretWithin time.Duration
	// UnexpectedCountry tells of countries that are not expected.
	UnexpectedCountry bool
}

// DefaultRules returns the rules where nothing else is configured.
func DefaultRules() Rules {
	const day = 24 * time.Hour
	return Rules{
		UnusedAfter: 30 * day, ErrorRate: 0.05, MinRequests: 100, RateWindow: time.Hour, ExpiringWithin: 14 * day,
		OldSecretWithin: day, UnexpectedCountry: true,
	}
}

// The spans of countries.
const (
	// history is how long a key must have been used for a country to be new to it:
	// a key's first days show where it is at home. It is as long until a country
	// is new no more.
	history = 7 * 24 * time.Hour
	// goneAfter is after how long without a request from there a country is left.
	goneAfter = 24 * time.Hour
)

// facts are what is known of a key.
type facts struct {
	key    *store.Key
	active bool
	uses   map[store.SecretRef]time.Time // last ones
	// requests and errors are those of the rate window.
	requests, errors int64
	countries        []Sighting
}

// finding is something amiss with a key now.
type finding struct {
	kind                 Kind
	subject              string
	summary, description string
}

// judge returns what is amiss. Of a key that is not active nothing is.
func (r *Rules) judge(f *facts, now time.Time) []finding {
	if !f.active {
		return nil
	}
	var found []finding
	for _, rule := range []func(*facts, time.Time) []finding{r.unused, r.errorRate, r.expiring, r.oldSecret, r.country} {
		found = append(found, rule(f, now)...)
	}
	return found
}

func (r *Rules) unused(f *facts, now time.Time) []finding {
	last := f.key.CreatedAt
	for _, at := range f.uses {
		if at.After(last) {
			last = at
		}
	}
	idle := now.Sub(last)
	if r.UnusedAfter == 0 || idle < r.UnusedAfter {
		return nil
	}
	return []finding{{
		kind:        KeyUnused,
		summary:     fmt.Sprintf("API key %s was not used for %s", title(f.key), spanText(r.UnusedAfter)),
		description: "A key that nobody needs can only leak: ask its owner, then revoke it.",
	}}
}

func (r *Rules) errorRate(f *facts, _ time.Time) []finding {
	if f.requests < r.MinRequests || f.requests == 0 || float64(f.errors)/float64(f.requests) <= r.ErrorRate {
		return nil
	}
	return []finding{{
		kind:    ErrorRate,
		summary: fmt.Sprintf("More than %s of the requests of API key %s are refused or fail", percentText(r.ErrorRate), title(f.key)),
		description: fmt.Sprintf("%d of %d requests of the last %s: `gatectl keys usage %s` shows why, `gatectl logs --key %s` which.",
			f.errors, f.requests, spanText(r.RateWindow), f.key.ID, f.key.ID),
	}}
}

func (r *Rules) expiring(f *facts, now time.Time) []finding {
	end := f.key.ExpiresAt
	if r.ExpiringWithin == 0 || end.IsZero() || end.Sub(now) > r.ExpiringWithin {
		return nil
	}
	return []finding{{
		kind:        KeyExpiring,
		summary:     fmt.Sprintf("API key %s expires on %s", title(f.key), end.UTC().Format("2006-01-02 15:04 UTC")),
		description: fmt.Sprintf("Whoever uses it will be refused then: extend it with `gatectl keys update %s --expires …`, or see that it is needed no more.", f.key.ID),
	}}
}

func (r *Rules) oldSecret(f *facts, now time.Time) []finding {
	if r.OldSecretWithin == 0 || len(f.key.Secrets) < 2 {
		return nil
	}
	newest, old := f.key.Secrets[0], f.key.Secrets[1]
	near := min(r.OldSecretWithin, old.ExpiresAt.Sub(newest.CreatedAt)/4)
	left, used := old.ExpiresAt.Sub(now), f.uses[old.Digest.Ref()]
	if old.ExpiresAt.IsZero() || left <= 0 || left > near || used.Before(now.Add(-near)) {
		return nil
	}
	return []finding{{
		kind: OldSecretUsed, subject: old.Hint,
		summary: fmt.Sprintf("The old secret of API key %s is still used", title(f.key)),
		description: fmt.Sprintf("It ends on %s, and whoever still has it (%s) will be refused: `gatectl logs --key %s` shows where it comes from.",
			old.ExpiresAt.UTC().Format("2006-01-02 15:04 UTC"), old.Hint, f.key.ID),
	}}
}

func (r *Rules) country(f *facts, now time.Time) []finding {
	if !r.UnexpectedCountry {
		return nil
	}
	var found []finding
	for _, s := range f.countries {
		if s.Last.Before(now.Add(-goneAfter)) || !f.unexpected(s, now) {
			continue
		}
		found = append(found, finding{
			kind: UnexpectedCountry, subject: s.Country,
			summary: fmt.Sprintf("API key %s is used from %s", title(f.key), s.Country),
			description: fmt.Sprintf("That is not among its expected countries, or new to it: rotate the key if it was stolen, or add %s to them with `gatectl keys update %s --expect-country …`.",
				s.Country, f.key.ID),
		})
	}
	return found
}

func (f *facts) unexpected(s Sighting, now time.Time) bool {
	if len(f.key.ExpectedCountries) > 0 {
		return !slices.Contains(f.key.ExpectedCountries, s.Country)
	}
	if s.First.Before(now.Add(-history)) {
		return false
	}
	for _, other := range f.countries {
		if !other.First.After(s.First.Add(-history)) {
			return true
		}
	}
	return false
}

func title(k *store.Key) string { return fmt.Sprintf("%s (%s)", k.Name, k.ID) }

func percentText(part float64) string { return strconv.FormatFloat(100*part, 'g', 4, 64) + " %" }

// spanText says a span in its largest whole unit.
func spanText(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if n := int64(d / unit.length); n > 0 && d%unit.length == 0 {
			if n == 1 {
				return "1 " + unit.name
			}
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return d.String()
}
