package audit

import (
	"maps"
	"time"

	"github.com/otlpgate/otlpgate/internal/clientip"
	"github.com/otlpgate/otlpgate/internal/store"
)

// KeyChanges compares two states of a key by the fields of the admin API, and
// its secrets by all but what they are made of. Before is nil for a new key.
func KeyChanges(before, after *store.Key) map[string]store.Change {
	if before == nil {
		before = &store.Key{}
	}
	changes := differences(keyFields(before), keyFields(after))
	if !sameSecrets(before.Secrets, after.Secrets) {
		changes["secrets"] = store.Change{From: secretViews(before.Secrets), To: secretViews(after.Secrets)}
	}
	return changes
}

func keyFields(k *store.Key) []field {
	return []field{
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
		{"allowedIps", listOrNil(clientip.Texts(k.AllowedIPs))},
		{"expectedCountries", listOrNil(k.ExpectedCountries)},
		{"expiresAt", timeOrNil(k.ExpiresAt)},
		{"revokedAt", timeOrNil(k.RevokedAt)},
		{"applied", trueOrNil(k.Applied)},
		{"withdrawn", trueOrNil(k.Withdrawn)},
	}
}

// secretState is what of a secret is worth telling when it changes.
type secretState struct{ hint, expiresAt string }

// sameSecrets compares sets: their order alone is no change.
func sameSecrets(a, b []store.Secret) bool { return maps.Equal(secretStates(a), secretStates(b)) }

func secretStates(secrets []store.Secret) map[store.Digest]secretState {
	states := make(map[store.Digest]secretState, len(secrets))
	for _, s := range secrets {
		states[s.Digest] = secretState{s.Hint, s.ExpiresAt.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)}
	}
	return states
}

func secretViews(secrets []store.Secret) any {
	views := make([]map[string]any, len(secrets))
	for i, s := range secrets {
		views[i] = map[string]any{
			"hint": textOrNil(s.Hint), "createdAt": timeOrNil(s.CreatedAt), "expiresAt": timeOrNil(s.ExpiresAt),
		}
	}
	return listOrNil(views)
}
