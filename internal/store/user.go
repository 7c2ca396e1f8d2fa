package store

import (
	"slices"
	"strings"
	"time"

	"github.com/otlpgate/otlpgate/internal/identity"
)

// BuiltinUserID is the id of the user that exists from the first start and
// cannot be deleted.
const BuiltinUserID = "admin"

// User is a person or team that owns keys. Times are UTC; zero means never.
type User struct {
	ID        string        `json:"id"`
	Email     string        `json:"email,omitempty"`
	Name      string        `json:"name"`
	Role      identity.Role `json:"role"`
	Active    bool          `json:"active"`
	CreatedAt time.Time     `json:"createdAt"`
	UpdatedAt time.Time     `json:"updatedAt"`
	DeletedAt time.Time     `json:"deletedAt,omitzero"`
	// Declared, Applied and Withdrawn are as in Key.
	Declared  bool   `json:"declared,omitempty"`
	Applied   bool   `json:"applied,omitempty"`
	Withdrawn bool   `json:"withdrawn,omitempty"`
	Revision  uint64 `json:"revision"` // assigned by the backend
}

// Enabled reports whether the user's keys may be used.
func (u *User) Enabled() bool { return u.Active && !u.Withdrawn && u.DeletedAt.IsZero() }

// UserFilter selects users; zero fields select all.
type UserFilter struct {
	Role identity.Role
	// Active selects by Enabled; nil selects both.
	Active *bool
	// Declared selects declared users alone.
	Declared bool
	// Query is searched, without case, in name, email and id.
	Query string
}

// Matches reports whether the user passes the filter.
func (f UserFilter) Matches(u *User) bool {
	return (f.Role == "" || f.Role == u.Role) &&
		(f.Active == nil || *f.Active == u.Enabled()) &&
		(!f.Declared || u.Declared) &&
		(f.Query == "" || u.mentions(strings.ToLower(f.Query)))
}

func (u *User) mentions(query string) bool {
	return slices.ContainsFunc([]string{u.Name, u.Email, u.ID}, func(t string) bool {
		return strings.Contains(strings.ToLower(t), query)
	})
}

// UserPage is a part of a listing of users.
type UserPage struct {
	Users []User
	Next  string // empty on the last page
}
