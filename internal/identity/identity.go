package identity

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/otlpgate/otlpgate/internal/limit"
)

// KeyType tells keys that belong to a user from keys of the system.
type KeyType string

// UserKey belongs to a user and is bounded by that user's role; SystemKey
// stands for itself and survives its creator.
const (
	UserKey   KeyType = "user"
	SystemKey KeyType = "system"
)

// ParseKeyType returns the key type of that name.
func ParseKeyType(name string) (KeyType, error) {
	switch t := KeyType(name); t {
	case UserKey, SystemKey:
		return t, nil
	}
	return "", fmt.Errorf("unknown key type %q: must be user or system", name)
}

// Environment separates production from development keys.
type Environment string

// Live is production, Test is development.
const (
	Live Environment = "live"
	Test Environment = "test"
)

// ParseEnvironment returns the environment of that name.
func ParseEnvironment(name string) (Environment, error) {
	switch e := Environment(name); e {
	case Live, Test:
		return e, nil
	}
	return "", fmt.Errorf("unknown environment %q: must be live or test", name)
}

// DefaultProject is the project of telemetry that names none.
const DefaultProject = "default"

// Identity is what a valid key stands for at the moment of its use: the key's
// own rights, already cut down to its owner's. It is immutable once published
// and shared by concurrent requests.
type Identity struct {
	KeyID       string
	KeyName     string
	KeyType     KeyType
	Environment Environment
	OwnerID     string // empty for system keys
	Plan        string
	Role        Role
	Scopes      ScopeSet
	Projects    []string       // empty: every project
	AllowedIPs  []netip.Prefix // empty: every address
	Limits      *limit.Policy  // nil: none
	SecretInfo  SecretInfo
}

// SecretInfo says which of a key's secrets was presented, without it.
type SecretInfo struct {
	// Ref tells the secrets of one key apart; it is no secret itself.
	Ref       [8]byte
	CreatedAt time.Time
	EndsAt    time.Time // of the secret or its key, whichever is first; zero: never
}

// AllowsProject reports whether telemetry of that project may be sent; the
// empty name means DefaultProject.
func (id *Identity) AllowsProject(project string) bool {
	if project == "" {
		project = DefaultProject
	}
	return len(id.Projects) == 0 || slices.Contains(id.Projects, project)
}

// AllowsAddress reports whether the key may be used from addr. An unknown
// (invalid) address is allowed only where the key has no restriction.
func (id *Identity) AllowsAddress(addr netip.Addr) bool {
	if len(id.AllowedIPs) == 0 {
		return true
	}
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(id.AllowedIPs, func(p netip.Prefix) bool { return p.Contains(addr) })
}
