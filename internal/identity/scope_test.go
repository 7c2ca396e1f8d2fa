package identity

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestScopesAreTheDocumentedOnes(t *testing.T) {
	var names []string
	for _, info := range Scopes() {
		names = append(names, string(info.Scope))
		assert.NotEmpty(t, info.Description, info.Scope)
	}
	assert.Equal(t, strings.Fields(`
		traces:read traces:write metrics:read metrics:write logs:read logs:write profiles:read profiles:write
		projects:read projects:write datasets:read datasets:write experiments:read experiments:write
		keys:verify admin`), names)
	assert.LessOrEqual(t, len(names), 32, "a ScopeSet has a bit for each")
}

func TestScopesCannotBeChangedByCallers(t *testing.T) {
	Scopes()[0].Scope = Admin
	assert.Equal(t, TracesRead, Scopes()[0].Scope)
}

func TestParseScope(t *testing.T) {
	for _, info := range Scopes() {
		got, err := ParseScope(string(info.Scope))
		assert.NoError(t, err)
		assert.Equal(t, info.Scope, got)
	}
	for _, name := range []string{"", "traces", "traces:", "Traces:read", "traces:read ", "traces:*", "admin:read"} {
		_, err := ParseScope(name)
		assert.ErrorContains(t, err, "must be one of traces:read, traces:write, ", "%q", name)
	}
}

func scopesThat(match func(name string) bool) ScopeSet {
	var set ScopeSet
	for _, info := range Scopes() {
		if match(string(info.Scope)) {
			set |= NewScopeSet(info.Scope)
		}
	}
	return set
}

func TestRolesAndPresets(t *testing.T) {
	reads := scopesThat(func(s string) bool { return strings.HasSuffix(s, ":read") })
	writes := scopesThat(func(s string) bool { return strings.HasSuffix(s, ":write") })
	all := NewScopeSet(Admin)
	for _, test := range []struct {
		role   Role
		preset string
		want   ScopeSet
	}{
		{Viewer, "read-only", reads},
		{Member, "read-write", reads | writes},
		{AdminRole, "admin", all},
	} {
		t.Run(string(test.role), func(t *testing.T) {
			assert.Equal(t, test.want, test.role.Scopes())
			preset, err := Preset(test.preset)
			require.NoError(t, err)
			assert.Equal(t, test.want, NewScopeSet(preset...))
			parsed, err := ParseRole(string(test.role))
			require.NoError(t, err)
			assert.Equal(t, test.role, parsed)
		})
	}
	assert.False(t, Member.Scopes().Has(KeysVerify), "introspection is for callers made for it")
	assert.False(t, Member.Scopes().Has(Admin))
	assert.True(t, all.Has(KeysVerify))

	for _, name := range []string{"", "owner", "Admin"} {
		assert.Zero(t, Role(name).Scopes())
		_, err := ParseRole(name)
		assert.EqualError(t, err, `unknown role "`+name+`": must be one of viewer, member, admin`)
		_, err = Preset(name)
		assert.EqualError(t, err, `unknown preset "`+name+`": must be one of read-only, read-write, admin, analytics, ci-cd, instrumentation`)
	}
	assert.Equal(t, []string{"read-only", "read-write", "admin", "analytics", "ci-cd", "instrumentation"}, Presets())
}

func TestAdminImpliesEveryScope(t *testing.T) {
	for _, info := range Scopes() {
		assert.True(t, NewScopeSet(Admin).Has(info.Scope), info.Scope)
		if info.Scope != Admin {
			assert.False(t, NewScopeSet(info.Scope).Has(Admin), info.Scope)
		}
	}
	everyOther := scopesThat(func(s string) bool { return s != "admin" })
	assert.False(t, everyOther.Has(Admin))
	assert.False(t, everyOther.HasAll(NewScopeSet(Admin)))
}

func TestScopesOfAKeyAreCutDownToItsOwners(t *testing.T) {
	for name, test := range map[string]struct{ key, owner, want ScopeSet }{
		"admin key of a viewer":       {NewScopeSet(Admin), Viewer.Scopes(), Viewer.Scopes()},
		"admin key of a member":       {NewScopeSet(Admin), Member.Scopes(), Member.Scopes()},
		"admin key of an admin":       {NewScopeSet(Admin), AdminRole.Scopes(), NewScopeSet(Admin)},
		"one scope of an admin":       {NewScopeSet(TracesWrite), AdminRole.Scopes(), NewScopeSet(TracesWrite)},
		"writing key of a viewer":     {NewScopeSet(TracesWrite, TracesRead), Viewer.Scopes(), NewScopeSet(TracesRead)},
		"verifying key of a member":   {NewScopeSet(KeysVerify), Member.Scopes(), 0},
		"any key of an unknown role":  {NewScopeSet(Admin), Role("x").Scopes(), 0},
		"key without scopes of admin": {0, AdminRole.Scopes(), 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := test.key.Intersect(test.owner)
			assert.Equal(t, test.want, got)
			assert.Equal(t, got, test.owner.Intersect(test.key))
			assert.True(t, test.key.HasAll(got))
			assert.True(t, test.owner.HasAll(got))
		})
	}
}

func TestScopeSetsIgnoreUnknownScopes(t *testing.T) {
	set := NewScopeSet("traces:delete", "", TracesRead)
	assert.Equal(t, []Scope{TracesRead}, set.List())
	assert.False(t, set.Has("traces:delete"))
	assert.False(t, NewScopeSet(Admin).Has("traces:delete"))
}

func TestScopeSetsListInOrder(t *testing.T) {
	assert.Equal(t, []Scope{TracesWrite, LogsRead, KeysVerify}, NewScopeSet(KeysVerify, LogsRead, TracesWrite, LogsRead).List())
	assert.Equal(t, []Scope{Admin}, NewScopeSet(TracesRead, Admin, KeysVerify).List())
	assert.Equal(t, []Scope{}, ScopeSet(0).List())
}

func TestCanIngest(t *testing.T) {
	everySignal := append(Signals(), SignalUnknown)
	for _, test := range []struct {
		scopes []Scope
		may    []Signal
	}{
		{nil, nil},
		{[]Scope{TracesWrite}, []Signal{Traces, SignalUnknown}},
		{[]Scope{MetricsWrite}, []Signal{Metrics, SignalUnknown}},
		{[]Scope{LogsWrite}, []Signal{Logs, SignalUnknown}},
		{[]Scope{ProfilesWrite}, []Signal{Profiles, SignalUnknown}},
		{[]Scope{TracesWrite, LogsWrite}, []Signal{Traces, Logs, SignalUnknown}},
		{[]Scope{Admin}, everySignal},
		{Member.Scopes().List(), everySignal},
		{Viewer.Scopes().List(), nil},
		{[]Scope{ProjectsWrite, DatasetsWrite, ExperimentsWrite, KeysVerify}, nil},
	} {
		for _, signal := range everySignal {
			assert.Equal(t, slices.Contains(test.may, signal), NewScopeSet(test.scopes...).CanIngest(signal), "%v %s", test.scopes, signal)
		}
	}
}

func TestSignalsHaveTheNamesOfTheirScopes(t *testing.T) {
	assert.Equal(t, "telemetry", SignalUnknown.String())
	assert.Len(t, Signals(), int(signalCount)-1)
	for _, s := range Signals() {
		assert.Equal(t, NewScopeSet(Scope(s.String()+":write")), signalScopes[s])
		assert.NotZero(t, signalScopes[s])
	}
}
