package audit

import "github.com/otlpgate/otlpgate/internal/store"

// UserChanges is to users what KeyChanges is to keys.
func UserChanges(before, after *store.User) map[string]store.Change {
	return differences(userFields(before), userFields(after))
}

// userFields of nil, no user at all, are all nil, so that a new user's
// active: false is told.
func userFields(u *store.User) []field {
	var active any
	if u == nil {
		u = &store.User{}
	} else {
		active = u.Active
	}
	return []field{
		{"email", textOrNil(u.Email)},
		{"name", textOrNil(u.Name)},
		{"role", textOrNil(u.Role)},
		{"active", active},
		{"deletedAt", timeOrNil(u.DeletedAt)},
		{"applied", trueOrNil(u.Applied)},
		{"withdrawn", trueOrNil(u.Withdrawn)},
	}
}
