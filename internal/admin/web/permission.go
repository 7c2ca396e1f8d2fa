package web

import (
	"slices"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/identity"
)

// permission is a choice of scopes with a name.
type permission struct {
	Value, Title, Hint string
	Scopes             []client.Scope
}

// permissions are the presets that pages offer, the narrowest first.
var permissions = []permission{
	presetOf("instrumentation", "Send traces", "For an application that is instrumented: it sends spans and reads nothing."),
	presetOf("read-only", "Read only", "For dashboards and analyses: reads everything, changes and sends nothing."),
	presetOf("read-write", "Read and write", "For services: sends every signal, and reads and changes data."),
	presetOf("admin", "Admin", "For automation that manages the gate: everything, keys and users included."),
}

func presetOf(name, title, hint string) permission {
	scopes, err := identity.Preset(name)
	if err != nil {
		panic(err)
	}
	p := permission{Value: name, Title: title, Hint: hint}
	for _, s := range scopes {
		p.Scopes = append(p.Scopes, client.Scope(s))
	}
	return p
}

// roles are what pages offer for system keys: a role, with all that it allows.
var roles = []permission{
	roleOf("viewer", "read-only", "Viewer", "Reads everything, changes and sends nothing."),
	roleOf("member", "read-write", "Member", "Sends every signal, and reads and changes data."),
	roleOf("admin", "admin", "Admin", "Everything, keys and users included."),
}

func roleOf(role, preset, title, hint string) permission {
	p := presetOf(preset, title, hint)
	p.Value = role
	return p
}

// permissionOf returns the preset whose scopes these are.
func permissionOf(scopes []client.Scope) (permission, bool) {
	i := slices.IndexFunc(permissions, func(p permission) bool { return sameElements(p.Scopes, scopes) })
	if i < 0 {
		return permission{}, false
	}
	return permissions[i], true
}

// grantable are the choices that a visitor may pass on.
func grantable(choices []permission, v Visitor) []permission {
	return slices.DeleteFunc(slices.Clone(choices), func(p permission) bool { return !v.Scopes.HasAll(scopeSet(p.Scopes)) })
}

func scopeSet(scopes []client.Scope) identity.ScopeSet {
	list := make([]identity.Scope, len(scopes))
	for i, s := range scopes {
		list[i] = identity.Scope(s)
	}
	return identity.NewScopeSet(list...)
}

// grantableGroups are the scopes that a visitor may pass on, by what they are of.
func grantableGroups(v Visitor) []scopeGroup {
	var groups []scopeGroup
	for _, group := range scopeGroups {
		group.Scopes = slices.DeleteFunc(slices.Clone(group.Scopes), func(s identity.ScopeInfo) bool { return !v.Scopes.HasAll(identity.NewScopeSet(s.Scope)) })
		if len(group.Scopes) > 0 {
			groups = append(groups, group)
		}
	}
	return groups
}

// scopeGroup is what a form offers of one kind of data.
type scopeGroup struct {
	Title  string
	Scopes []identity.ScopeInfo
}

// scopeGroups are all scopes, by what they are of.
var scopeGroups = groupScopes()

func groupScopes() []scopeGroup {
	groups := []scopeGroup{{Title: "Telemetry"}, {Title: "Platform"}, {Title: "Gate"}}
	for _, info := range identity.Scopes() {
		group := &groups[1]
		switch {
		case slices.Contains([]identity.Scope{
			identity.TracesRead, identity.TracesWrite, identity.MetricsRead, identity.MetricsWrite,
			identity.LogsRead, identity.LogsWrite, identity.ProfilesRead, identity.ProfilesWrite,
		}, info.Scope):
			group = &groups[0]
		case info.Scope == identity.Admin || info.Scope == identity.KeysVerify:
			group = &groups[2]
		}
		group.Scopes = append(group.Scopes, info)
	}
	return groups
}

// custom is the choice of single scopes.
const custom = "custom"

// scopesOf returns the scopes that a form asks for: those of one of the choices, or
// single ones.
func (f form) scopesOf(choices []permission) []client.Scope {
	choice := f.Get("permission")
	for _, p := range choices {
		if p.Value == choice {
			return p.Scopes
		}
	}
	scopes := []client.Scope{}
	if choice == custom {
		for _, s := range f.Values["scopes"] {
			scopes = append(scopes, client.Scope(s))
		}
	}
	return scopes
}
