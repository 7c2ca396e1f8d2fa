package cli

import (
	"slices"
	"strconv"
	"strings"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/identity"
)

func scopeNames() []string {
	var names []string
	for _, info := range identity.Scopes() {
		names = append(names, string(info.Scope))
	}
	return names
}

// parseScopes checks the scopes before they are sent, so that a mistyped one is
// answered with the one that was meant.
func parseScopes(names []string) ([]client.Scope, error) {
	scopes := make([]client.Scope, 0, len(names))
	for _, name := range names {
		scope, err := identity.ParseScope(name)
		if err != nil {
			return nil, misuse(scopeHint(name), "--scope %q: must be one of %s", name, strings.Join(scopeNames(), ", "))
		}
		scopes = append(scopes, client.Scope(scope))
	}
	return scopes, nil
}

func scopeHint(name string) string {
	if match, ok := closest(name, scopeNames()); ok {
		return "did you mean " + match + "?"
	}
	return "give several as --scope traces:write,metrics:write, or a --preset: " + strings.Join(identity.Presets(), ", ")
}

// scopeSet is what the scopes of an answer allow.
func scopeSet(scopes []client.Scope) identity.ScopeSet {
	list := make([]identity.Scope, len(scopes))
	for i, s := range scopes {
		list[i] = identity.Scope(s)
	}
	return identity.NewScopeSet(list...)
}

// shortScopes is for tables: the scopes where they are few, else the preset of
// those scopes or the first two.
func shortScopes(scopes []client.Scope) string {
	const shown = 2
	text := joined(scopes[:min(shown, len(scopes))])
	if len(scopes) <= shown {
		return text
	}
	for _, name := range identity.Presets() {
		// Presets lists what Preset knows.
		if preset, err := identity.Preset(name); err == nil && identity.NewScopeSet(preset...) == scopeSet(scopes) {
			return name
		}
	}
	return text + " +" + strconv.Itoa(len(scopes)-shown)
}

func joined[T ~string](list []T) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = string(s)
	}
	return strings.Join(words, ", ")
}

// presetNames lists the presets for a flag.
func presetNames() []string { return slices.Clone(identity.Presets()) }
