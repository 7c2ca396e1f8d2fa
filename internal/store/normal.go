package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/otlpgate/otlpgate/internal/limit"
)

// maxID is the longest id and email in bytes, so that they fit into the index
// keys of every backend.
const maxID = 255

// Normal returns the key in the form in which every backend keeps and returns
// it: times in UTC and whole microseconds (what PostgreSQL keeps), empty lists
// nil, nothing shared with k.
//
// It returns ErrInvalid where no backend could: an id that is empty or longer
// than 255 bytes, text that is not UTF-8 or holds NUL, a year beyond 9999, two
// secrets with one digest, or limits that package limit refuses.
func (k Key) Normal() (Key, error) {
	k.Scopes, k.Projects = cloned(k.Scopes), cloned(k.Projects)
	k.AllowedIPs, k.ExpectedCountries = cloned(k.AllowedIPs), cloned(k.ExpectedCountries)
	k.Limits, k.Secrets, k.Retired = cloned(k.Limits), cloned(k.Secrets), cloned(k.Retired)
	k.Spent = cloned(k.Spent)
	times := []*time.Time{&k.CreatedAt, &k.UpdatedAt, &k.ExpiresAt, &k.RevokedAt}
	texts := []string{k.Name, k.Description, k.Plan, k.CreatedBy, string(k.Type), string(k.Environment), string(k.Role)}
	texts = append(append(texts, k.Projects...), k.ExpectedCountries...)
	for _, s := range k.Scopes {
		texts = append(texts, string(s))
	}
	for i := range k.Spent {
		times = append(times, &k.Spent[i].At)
	}
	for i := range k.Secrets {
		k.Secrets[i].Request = k.Secrets[i].Request.clone()
		times = append(times, &k.Secrets[i].CreatedAt, &k.Secrets[i].ExpiresAt)
		texts = append(texts, k.Secrets[i].Hint)
		if slices.ContainsFunc(k.Secrets[:i], func(s Secret) bool { return s.Digest == k.Secrets[i].Digest }) {
			return Key{}, fmt.Errorf("two secrets have the same digest: each must be of its own: %w", ErrInvalid)
		}
	}
	err := firstError(checkID(k.ID), checkLength(k.OwnerID), checkTexts(append(texts, k.OwnerID)), normalTimes(times), checkLimits(k.Limits))
	if err != nil {
		return Key{}, err
	}
	return k, nil
}

func (r *Request) clone() *Request {
	if r == nil {
		return nil
	}
	copied := *r
	return &copied
}

// Normal is to users what Key.Normal is to keys.
func (u User) Normal() (User, error) {
	err := firstError(checkID(u.ID), checkLength(u.Email), checkTexts([]string{u.Email, u.Name, string(u.Role)}),
		normalTimes([]*time.Time{&u.CreatedAt, &u.UpdatedAt, &u.DeletedAt}))
	if err != nil {
		return User{}, err
	}
	return u, nil
}

// Normal is to audit records what Key.Normal is to keys. Changes become what
// JSON makes of them: numbers float64, lists []any. An empty outcome becomes
// Success.
func (a Audit) Normal() (Audit, error) {
	changes, err := throughJSON(a.Changes)
	if err != nil {
		return Audit{}, err
	}
	a.Changes = changes
	if a.Outcome == "" {
		a.Outcome = Success
	}
	err = firstError(checkOutcome(a.Outcome), checkLength(a.Target),
		checkTexts([]string{a.Target, a.Action, a.Reason, string(a.Outcome), a.Actor.KeyID, a.Actor.UserID, a.Actor.Address}),
		normalTimes([]*time.Time{&a.Time}))
	if err != nil {
		return Audit{}, err
	}
	return a, nil
}

func checkOutcome(o Outcome) error {
	if o != Success && o != Refused {
		return fmt.Errorf("outcome %.32q must be %s or %s: %w", o, Success, Refused, ErrInvalid)
	}
	return nil
}

// EmailKey returns the form in which emails are compared; empty for none.
func EmailKey(email string) string { return strings.ToLower(email) }

func cloned[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return slices.Clone(list)
}

func firstError(errs ...error) error {
	i := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	if i < 0 {
		return nil
	}
	return errs[i]
}

func checkID(id string) error {
	if id == "" {
		return fmt.Errorf("the id is empty: %w", ErrInvalid)
	}
	return firstError(checkLength(id), checkTexts([]string{id}))
}

func checkLength(id string) error {
	if len(id) > maxID {
		return fmt.Errorf("%.32q… is %d bytes long, must be at most %d: %w", id, len(id), maxID, ErrInvalid)
	}
	return nil
}

func checkTexts(texts []string) error {
	for _, t := range texts {
		if !utf8.ValidString(t) || strings.ContainsRune(t, 0) {
			return fmt.Errorf("text %.32q must be UTF-8 without NUL: %w", t, ErrInvalid)
		}
	}
	return nil
}

func checkLimits(limits []limit.Limit) error {
	if err := limit.CheckLimits(limits); err != nil {
		return fmt.Errorf("%w: %w", err, ErrInvalid)
	}
	return nil
}

func normalTimes(times []*time.Time) error {
	for _, t := range times {
		*t = t.UTC().Truncate(time.Microsecond)
		if year := t.Year(); year < 1 || year > 9999 {
			return fmt.Errorf("year %d of a time must be between 1 and 9999: %w", year, ErrInvalid)
		}
	}
	return nil
}

func throughJSON(changes map[string]Change) (map[string]Change, error) {
	if len(changes) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(changes)
	if err != nil {
		return nil, fmt.Errorf("changes of the audit record: %w: %w", err, ErrInvalid)
	}
	var normal map[string]Change
	if err := json.Unmarshal(text, &normal); err != nil {
		return nil, fmt.Errorf("changes of the audit record: %w: %w", err, ErrInvalid)
	}
	for field, c := range normal {
		if hasNUL(field) || hasNUL(c.From) || hasNUL(c.To) {
			return nil, fmt.Errorf("change of %.32q must be text without NUL: %w", field, ErrInvalid)
		}
	}
	return normal, nil
}

// hasNUL looks into a value as decoded from JSON.
func hasNUL(value any) bool {
	switch v := value.(type) {
	case string:
		return strings.ContainsRune(v, 0)
	case []any:
		return slices.ContainsFunc(v, hasNUL)
	case map[string]any:
		for field, nested := range v {
			if hasNUL(field) || hasNUL(nested) {
				return true
			}
		}
	}
	return false
}
