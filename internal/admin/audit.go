package admin

import (
	"reflect"
	"time"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// The actions on keys in the audit log.
const (
	actionCreate = "key.create"
	actionUpdate = "key.update"
	actionRevoke = "key.revoke"
)

// audit returns the record of a change by the caller. Before is nil for a new
// key.
func (c caller) audit(action string, at time.Time, before, after *store.Key) store.Audit {
	if before == nil {
		before = &store.Key{}
	}
	return store.Audit{Time: at, Actor: c.actor(), Action: action, Target: after.ID, Changes: changesOf(before, after)}
}

func (c caller) actor() store.Actor {
	actor := store.Actor{KeyID: c.KeyID, UserID: c.OwnerID}
	if c.address.IsValid() {
		actor.Address = c.address.String()
	}
	return actor
}

// creator returns who stands for what the caller makes: its user, or the
// system key itself.
func (c caller) creator() string {
	if c.KeyType == identity.UserKey {
		return c.OwnerID
	}
	return c.KeyID
}

// changesOf compares two states of a key by the fields of the API. What is not
// set is null. Secrets and digests are no such field.
func changesOf(before, after *store.Key) map[string]store.Change {
	changes := map[string]store.Change{}
	was := auditedFields(before)
	for i, field := range auditedFields(after) {
		if !reflect.DeepEqual(was[i].value, field.value) {
			changes[field.name] = store.Change{From: was[i].value, To: field.value}
		}
	}
	return changes
}

type auditedField struct {
	name  string
	value any // nil where not set
}

func auditedFields(k *store.Key) []auditedField {
	return []auditedField{
		{"name", textOrNil(k.Name)},
		{"description", textOrNil(k.Description)},
		{"type", textOrNil(k.Type)},
		{"environment", textOrNil(k.Environment)},
		{"ownerId", textOrNil(k.OwnerID)},
		{"role", textOrNil(k.Role)},
		{"scopes", listOrNil(k.Scopes)},
		{"projects", listOrNil(k.Projects)},
		{"plan", textOrNil(k.Plan)},
		{"limits", listOrNil(k.Limits)},
		{"allowedIps", listOrNil(prefixTexts(k))},
		{"expectedCountries", listOrNil(k.ExpectedCountries)},
		{"expiresAt", timeOrNil(k.ExpiresAt)},
		{"revokedAt", timeOrNil(k.RevokedAt)},
	}
}

func textOrNil[T ~string](text T) any {
	if text == "" {
		return nil
	}
	return string(text)
}

func listOrNil[T any](list []T) any {
	if len(list) == 0 {
		return nil
	}
	return list
}

// timeOrNil returns text, which two states can be compared by.
func timeOrNil(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339Nano)
}
