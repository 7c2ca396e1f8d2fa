package catalog

import (
	"cmp"
	"strings"
	"time"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// Filter selects keys; zero fields select all.
type Filter struct {
	Status      store.Status
	Type        identity.KeyType
	Environment identity.Environment
	OwnerID     string
	// Plan is the one that applies: keys that name none are on DefaultPlan.
	Plan, DefaultPlan string
	// Declared selects declared keys alone.
	Declared bool
	// Query is searched, without case, in name, description, id and hints, and in
	// the owner's name and email.
	Query string
	// Now is the time at which Status is judged; required with Status.
	Now time.Time
}

// Matches reports whether the key, whose owner's record is given, passes the
// filter.
func (f Filter) Matches(k *store.Key, owner *store.User) bool {
	rest := store.KeyFilter{Status: f.Status, Type: f.Type, OwnerID: f.OwnerID, Declared: f.Declared, Now: f.Now}
	return rest.Matches(k, owner) &&
		(f.Environment == "" || f.Environment == k.Environment) &&
		(f.Plan == "" || f.Plan == cmp.Or(k.Plan, f.DefaultPlan)) &&
		f.finds(k, owner)
}

// finds reports whether what is searched is of the key or its owner.
func (f Filter) finds(k *store.Key, owner *store.User) bool {
	if (store.KeyFilter{Query: f.Query}).Matches(k, owner) {
		return true
	}
	query := strings.ToLower(f.Query)
	return owner != nil && (strings.Contains(strings.ToLower(owner.Name), query) || strings.Contains(strings.ToLower(owner.Email), query))
}
