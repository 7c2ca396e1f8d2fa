package identity

import (
	"fmt"
	"slices"
	"strings"
)

// Scope is one permission of a key, such as "traces:write".
type Scope string

// The scopes a key can hold. Admin implies every other one.
const (
	TracesRead       Scope = "traces:read"
	TracesWrite      Scope = "traces:write"
	MetricsRead      Scope = "metrics:read"
	MetricsWrite     Scope = "metrics:write"
	LogsRead         Scope = "logs:read"
	LogsWrite        Scope = "logs:write"
	ProfilesRead     Scope = "profiles:read"
	ProfilesWrite    Scope = "profiles:write"
	ProjectsRead     Scope = "projects:read"
	ProjectsWrite    Scope = "projects:write"
	DatasetsRead     Scope = "datasets:read"
	DatasetsWrite    Scope = "datasets:write"
	ExperimentsRead  Scope = "experiments:read"
	ExperimentsWrite Scope = "experiments:write"
	KeysVerify       Scope = "keys:verify"
	Admin            Scope = "admin"
)

// ScopeInfo describes a scope to people.
type ScopeInfo struct {
	Scope       Scope
	Description string
}

// catalogue gives every scope its bit (its position) and its meaning. The
// order is that of the documentation; bits never leave the process, so it may
// change.
var catalogue = []ScopeInfo{
	{TracesRead, "Read traces and spans"},
	{TracesWrite, "Send traces over OTLP"},
	{MetricsRead, "Read metrics"},
	{MetricsWrite, "Send metrics over OTLP"},
	{LogsRead, "Read logs"},
	{LogsWrite, "Send logs over OTLP"},
	{ProfilesRead, "Read profiles"},
	{ProfilesWrite, "Send profiles over OTLP"},
	{ProjectsRead, "Read projects"},
	{ProjectsWrite, "Create and change projects"},
	{DatasetsRead, "Read datasets"},
	{DatasetsWrite, "Create and change datasets"},
	{ExperimentsRead, "Read experiments"},
	{ExperimentsWrite, "Create and change experiments"},
	{KeysVerify, "Ask whether another key is valid (introspection)"},
	{Admin, "Everything, including managing keys and users"},
}

// Scopes lists every scope with its description, in documentation order.
func Scopes() []ScopeInfo { return slices.Clone(catalogue) }

// ParseScope returns the scope of that name.
func ParseScope(name string) (Scope, error) {
	if bit(Scope(name)) < 0 {
		return "", fmt.Errorf("unknown scope %q: must be one of %s", name, strings.Join(scopeNames(), ", "))
	}
	return Scope(name), nil
}

func scopeNames() []string {
	names := make([]string, len(catalogue))
	for i, info := range catalogue {
		names[i] = string(info.Scope)
	}
	return names
}

func bit(s Scope) int {
	return slices.IndexFunc(catalogue, func(i ScopeInfo) bool { return i.Scope == s })
}

// ScopeSet is a set of effective scopes. The zero value holds none. Admin is
// expanded to all when it is added, so that intersecting an admin key with a
// lesser role leaves exactly that role.
type ScopeSet uint32

// NewScopeSet returns the set of the given scopes; unknown ones are ignored.
func NewScopeSet(scopes ...Scope) ScopeSet {
	var set ScopeSet
	for _, s := range scopes {
		if s == Admin {
			return allScopes
		}
		if b := bit(s); b >= 0 {
			set |= 1 << b
		}
	}
	return set
}

var (
	allScopes   = ScopeSet(1<<len(catalogue) - 1)
	writeScopes = NewScopeSet(TracesWrite, MetricsWrite, LogsWrite, ProfilesWrite)
)

// Has reports whether the set holds s.
func (set ScopeSet) Has(s Scope) bool {
	b := bit(s)
	return b >= 0 && set&(1<<b) != 0
}

// HasAll reports whether the set holds every scope of other.
func (set ScopeSet) HasAll(other ScopeSet) bool { return set&other == other }

// Intersect returns the scopes that both sets hold.
func (set ScopeSet) Intersect(other ScopeSet) ScopeSet { return set & other }

// CanIngest reports whether the set allows sending signal. For SignalUnknown
// any signal's write scope is enough: the processor, which sees what was sent,
// decides the rest.
func (set ScopeSet) CanIngest(signal Signal) bool {
	if signal == SignalUnknown {
		return set&writeScopes != 0
	}
	return set&signalScopes[signal] != 0
}

// List returns the scopes of the set in documentation order; a set that holds
// Admin lists it alone.
func (set ScopeSet) List() []Scope {
	if set.Has(Admin) {
		return []Scope{Admin}
	}
	list := []Scope{}
	for i, info := range catalogue {
		if set&(1<<i) != 0 {
			list = append(list, info.Scope)
		}
	}
	return list
}

// presets are the names for lists of scopes. The first three are as wide as the
// roles are; the others are what the usual programs need.
var presets = []struct {
	name   string
	scopes []Scope
}{
	{"read-only", Viewer.Scopes().List()},
	{"read-write", Member.Scopes().List()},
	{"admin", []Scope{Admin}},
	{"analytics", Viewer.Scopes().List()},
	{"ci-cd", []Scope{TracesWrite, ProjectsRead, ExperimentsWrite, DatasetsRead}},
	{"instrumentation", []Scope{TracesWrite}},
}

// Preset returns the scopes of a named preset.
func Preset(name string) ([]Scope, error) {
	for _, p := range presets {
		if p.name == name {
			return slices.Clone(p.scopes), nil
		}
	}
	return nil, fmt.Errorf("unknown preset %q: must be one of %s", name, strings.Join(Presets(), ", "))
}

// Presets lists the names that Preset knows, in documentation order.
func Presets() []string {
	names := make([]string, len(presets))
	for i, p := range presets {
		names[i] = p.name
	}
	return names
}
