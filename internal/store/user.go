package store

import (
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
	Declared  bool          `json:"declared,omitempty"`
	Revision  uint64        `json:"revision"` // assigned by the backend
}

// Enabled reports whether the user's keys may be used.
func (u *User) Enabled() bool { return u.Active && u.DeletedAt.IsZero() }

// UserPage is a part of a listing of users.
type UserPage struct {
	Users []User
	Next  string // empty on the last page
}
