package identity

import (
	"fmt"
	"strings"
)

// Role bounds what a user, and so every key of that user, may do.
type Role string

// Viewer may read, Member may read and write, AdminRole may do everything.
const (
	Viewer    Role = "viewer"
	Member    Role = "member"
	AdminRole Role = "admin"
)

// ParseRole returns the role of that name.
func ParseRole(name string) (Role, error) {
	switch r := Role(name); r {
	case Viewer, Member, AdminRole:
		return r, nil
	}
	return "", fmt.Errorf("unknown role %q: must be one of viewer, member, admin", name)
}

// Scopes returns what the role allows; an unknown role allows nothing.
func (r Role) Scopes() ScopeSet {
	switch r {
	case Viewer:
		return scopesEndingIn(":read")
	case Member:
		return scopesEndingIn(":read") | scopesEndingIn(":write")
	case AdminRole:
		return allScopes
	}
	return 0
}

func scopesEndingIn(suffix string) ScopeSet {
	var set ScopeSet
	for i, info := range catalogue {
		if strings.HasSuffix(string(info.Scope), suffix) {
			set |= 1 << i
		}
	}
	return set
}
