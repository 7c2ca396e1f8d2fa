package admin

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/catalog"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// A policy is a caller and what it has, asked in the words of the API:
// allow.create(key{…}), deny("exceeds_caller").update(key{…}, key{…}).
type policy struct {
	t      *testing.T
	caller caller
	has    rights
}

// holder describes a key, of a caller or as a target. The defaults are a live
// user key of ada's.
type holder struct {
	system   bool
	owner    string
	scopes   string
	projects string
	ips      string
	plan     string
	limited  int64 // max of a limit of its own; 0 none
	expires  int   // in days; 0 never
	test     bool
}

func (k holder) record() *store.Key {
	r := &store.Key{Type: identity.UserKey, Environment: identity.Live, OwnerID: k.owner, Plan: k.plan, Projects: strings.Fields(k.projects)}
	if k.system {
		r.Type = identity.SystemKey
	} else if k.owner == "" {
		r.OwnerID = "ada"
	}
	if k.test {
		r.Environment = identity.Test
	}
	for s := range strings.FieldsSeq(k.scopes) {
		r.Scopes = append(r.Scopes, identity.Scope(s))
	}
	for p := range strings.FieldsSeq(k.ips) {
		r.AllowedIPs = append(r.AllowedIPs, netip.MustParsePrefix(p))
	}
	if k.limited > 0 {
		r.Limits = []limit.Limit{{On: limit.Ingest, Unit: limit.Requests, Max: k.limited, Window: limit.MinWindow}}
	}
	if k.expires > 0 {
		r.ExpiresAt = epoch.AddDate(0, 0, k.expires)
	}
	return r
}

func policyFor(t *testing.T, k holder) policy {
	t.Helper()
	r := k.record()
	c := caller{Identity: &identity.Identity{
		KeyID: "key_caller", KeyType: r.Type, OwnerID: r.OwnerID, Environment: r.Environment,
		Scopes: identity.NewScopeSet(r.Scopes...), Projects: r.Projects, AllowedIPs: r.AllowedIPs,
		SecretInfo: identity.SecretInfo{EndsAt: r.ExpiresAt},
	}}
	return policy{t: t, caller: c, has: rightsOfCaller(c)}
}

// verdict is what a policy must say: empty to allow, else the problem's code
// and the fields it names.
type verdict struct {
	policy
	code   code
	fields []string
}

func (p policy) allow() verdict { return verdict{policy: p} }

func (p policy) deny(c code, fields ...string) verdict {
	return verdict{policy: p, code: c, fields: fields}
}

func (v verdict) is(err error, what string) {
	v.t.Helper()
	if v.code == "" {
		assert.NoError(v.t, err, what)
		return
	}
	if !assert.Error(v.t, err, what) {
		return
	}
	p := problemOf(err)
	assert.Equal(v.t, v.code, p.code, what)
	var fields []string
	for _, f := range p.fields {
		fields = append(fields, strings.TrimPrefix(*f.Pointer, "/"))
	}
	assert.Equal(v.t, v.fields, fields, what)
}

func (v verdict) create(k holder) {
	v.t.Helper()
	v.is(mayCreate(v.caller, v.has, k.record()), fmt.Sprintf("create %+v", k))
}

func (v verdict) update(before, after holder) {
	v.t.Helper()
	v.is(mayUpdate(v.caller, v.has, before.record(), after.record()), fmt.Sprintf("update %+v to %+v", before, after))
}

func (v verdict) manage() {
	v.t.Helper()
	v.is(mayManageKeys(v.caller), "manage keys")
}

func (v verdict) backUp() {
	v.t.Helper()
	v.is(mayAdminister(v.caller, "make a backup"), "make a backup")
}

func (p policy) sees(k holder) bool { return seesKey(p.caller, k.record()) }

func TestPolicyOfAnAdministrator(t *testing.T) {
	for _, p := range []policy{
		policyFor(t, holder{scopes: "admin"}),
		policyFor(t, holder{system: true, scopes: "admin"}),
		policyFor(t, holder{scopes: "admin", projects: "a", ips: "10.0.0.0/8", expires: 1, test: true}), // admin is unbounded
	} {
		p.allow().manage()
		p.allow().backUp()
		p.allow().create(holder{scopes: "admin"})
		p.allow().create(holder{system: true, scopes: "admin", plan: "enterprise", limited: 5})
		p.allow().create(holder{owner: "bob", scopes: "traces:read"})
		p.allow().update(holder{owner: "bob", scopes: "traces:read"}, holder{owner: "bob", scopes: "admin", plan: "pro", limited: 5})
		assert.True(t, p.sees(holder{owner: "bob"}))
		assert.True(t, p.sees(holder{system: true}))
	}
}

func TestPolicyOfASystemKeyWithoutAdmin(t *testing.T) {
	p := policyFor(t, holder{system: true, scopes: "traces:read traces:write keys:verify"})
	p.deny(codeNotPermitted).manage()
	p.deny(codeNotPermitted).backUp()
	assert.False(t, p.sees(holder{}))
	assert.False(t, p.sees(holder{system: true}), "not even its own, whose owner is as empty as its own")
}

func TestPolicyOfAUserSeesItsOwnKeysAlone(t *testing.T) {
	p := policyFor(t, holder{scopes: "traces:read"})
	p.allow().manage()
	p.deny(codeNotPermitted).backUp()
	assert.True(t, p.sees(holder{owner: "ada"}))
	assert.False(t, p.sees(holder{owner: "bob"}))
	assert.False(t, p.sees(holder{system: true}))

	f, some := narrowFilter(p.caller, catalog.Filter{Query: "x"})
	assert.Equal(t, catalog.Filter{Query: "x", OwnerID: "ada"}, f)
	assert.True(t, some)
	_, some = narrowFilter(p.caller, catalog.Filter{OwnerID: "bob"})
	assert.False(t, some)
}

func TestPolicyOfAUserCreates(t *testing.T) {
	p := policyFor(t, holder{scopes: "traces:read traces:write"})
	p.allow().create(holder{scopes: "traces:read"})
	p.allow().create(holder{scopes: "traces:read traces:write", projects: "a", ips: "10.0.0.0/8", expires: 1, test: true})
	p.deny(codeNotPermitted, "type").create(holder{system: true, scopes: "traces:read"})
	p.deny(codeNotPermitted, "ownerId").create(holder{owner: "bob", scopes: "traces:read"})
	p.deny(codeNotPermitted, "plan").create(holder{scopes: "traces:read", plan: "free"})
	p.deny(codeNotPermitted, "limits").create(holder{scopes: "traces:read", limited: 1})
	p.deny(codeExceedsCaller, "scopes").create(holder{scopes: "traces:read logs:read"})
	p.deny(codeExceedsCaller, "scopes").create(holder{scopes: "admin"})

	bounded := policyFor(t, holder{scopes: "traces:write", projects: "a b", ips: "10.0.0.0/8 2001:db8::/32", expires: 10, test: true})
	bounded.allow().create(holder{scopes: "traces:write", projects: "b", ips: "10.1.0.0/16", expires: 10, test: true})
	bounded.allow().create(holder{scopes: "traces:write", projects: "b a", ips: "2001:db8:1::/48 10.0.0.0/8", expires: 1, test: true})
	bounded.deny(codeExceedsCaller, "projects").create(holder{scopes: "traces:write", projects: "b c", ips: "10.0.0.0/8", expires: 1, test: true})
	bounded.deny(codeExceedsCaller, "allowedIps").create(holder{scopes: "traces:write", projects: "b", ips: "10.0.0.0/7", expires: 1, test: true})
	bounded.deny(codeExceedsCaller, "allowedIps").create(holder{scopes: "traces:write", projects: "b", ips: "0.0.0.0/0", expires: 1, test: true})
	bounded.deny(codeExceedsCaller, "expiresAt").create(holder{scopes: "traces:write", projects: "b", ips: "10.0.0.0/8", expires: 11, test: true})
	bounded.deny(codeExceedsCaller, "environment", "scopes", "projects", "allowedIps", "expiresAt").create(holder{scopes: "traces:read"})
}

func TestPolicyOfAUserInheritsItsBounds(t *testing.T) {
	has := policyFor(t, holder{scopes: "traces:write", projects: "a b", ips: "10.0.0.0/8", expires: 10, test: true}).has
	k := store.Key{}
	has.inherit(&k)
	assert.Equal(t, []string{"a", "b"}, k.Projects)
	assert.Equal(t, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, k.AllowedIPs)
	assert.Equal(t, epoch.AddDate(0, 0, 10), k.ExpiresAt)
	assert.Equal(t, identity.Test, k.Environment)

	own := *holder{scopes: "traces:write", projects: "b", ips: "10.2.0.0/16", expires: 2}.record()
	k = own
	has.inherit(&k)
	assert.Equal(t, own, k, "what is named stays")
}

func TestPolicyOfAUserUpdates(t *testing.T) {
	p := policyFor(t, holder{scopes: "traces:read traces:write"})
	greater := holder{scopes: "traces:write logs:write", plan: "pro"}
	p.allow().update(greater, greater)
	// Nothing of what a greater key may do is a lesser one's to change: who cut it
	// down could get its secret, and wait until it is given its rights back.
	for _, after := range []string{"traces:write", "logs:write", "traces:read", "traces:write logs:write admin"} {
		p.deny(codeExceedsCaller).update(greater, holder{scopes: after, plan: "pro"})
	}
	p.deny(codeExceedsCaller).update(greater, holder{scopes: "logs:write traces:write", plan: "pro", projects: "a", ips: "10.0.0.0/8", expires: 1})
	p.allow().update(holder{scopes: "traces:write traces:read", projects: "a"}, holder{scopes: "traces:read"})
	p.deny(codeNotPermitted, "plan").update(greater, holder{scopes: "traces:write logs:write"})
	limited := holder{scopes: "traces:write", limited: 5}
	p.allow().update(limited, holder{scopes: "traces:read", limited: 5})
	p.deny(codeNotPermitted, "limits").update(limited, holder{scopes: "traces:write", limited: 6})
	p.deny(codeNotPermitted, "limits").update(limited, holder{scopes: "traces:write", limited: 4})
	p.deny(codeNotPermitted, "limits").update(limited, holder{scopes: "traces:write"})
	p.deny(codeNotPermitted, "limits").update(holder{scopes: "traces:write"}, limited)
	p.deny(codeExceedsCaller, "scopes").update(holder{scopes: "traces:read"}, holder{scopes: "traces:read logs:read"})

	bounded := policyFor(t, holder{scopes: "traces:write", projects: "a", ips: "10.0.0.0/8", expires: 10})
	own := holder{scopes: "traces:write", projects: "a", ips: "10.0.0.0/8", expires: 10}
	for field, wider := range map[string]holder{
		"projects":   {scopes: "traces:write", ips: "10.0.0.0/8", expires: 10},
		"allowedIps": {scopes: "traces:write", projects: "a", expires: 10},
		"expiresAt":  {scopes: "traces:write", projects: "a", ips: "10.0.0.0/8"},
	} {
		bounded.deny(codeExceedsCaller, field).update(own, wider)
		bounded.deny(codeExceedsCaller).update(wider, own)
		bounded.allow().update(wider, wider)
	}
	// A greater key is not raised in what the caller does have: the sum would
	// be more than either.
	bounded.deny(codeExceedsCaller).update(
		holder{scopes: "datasets:write", projects: "b", ips: "10.0.0.0/8", expires: 10},
		holder{scopes: "datasets:write", projects: "a", ips: "10.0.0.0/8", expires: 10})
	bounded.deny(codeExceedsCaller).update(
		holder{scopes: "datasets:write", projects: "b", ips: "10.0.0.0/8", expires: 10},
		holder{scopes: "traces:write", projects: "a", ips: "10.0.0.0/8", expires: 10})
}

func TestLeastRoleIsTheSmallestThatAllows(t *testing.T) {
	for scopes, want := range map[string]identity.Role{
		"traces:read logs:read":    identity.Viewer,
		"traces:read traces:write": identity.Member,
		"keys:verify":              identity.AdminRole,
		"admin":                    identity.AdminRole,
	} {
		set := identity.NewScopeSet(holder{scopes: scopes}.record().Scopes...)
		got := leastRole(set)
		assert.Equal(t, want, got, scopes)
		assert.True(t, got.Scopes().HasAll(set))
	}
}

func TestScopesStayWithinTheRole(t *testing.T) {
	require.NoError(t, scopesWithin(identity.Member, holder{scopes: "traces:write"}.record()))
	err := scopesWithin(identity.Viewer, holder{scopes: "traces:write"}.record())
	assert.Equal(t, codeScopesExceedRole, problemOf(err).code)
	assert.Equal(t, "the scopes need the role member, but its owner's role is viewer: ask for less or give the owner a higher role", err.Error())
}

// The order of rights must be one: whatever a user makes of its own rights can
// make no more than that.
func TestRightsAreAPartialOrder(t *testing.T) {
	var all []rights
	for _, scopes := range []string{"traces:read", "traces:read traces:write", "admin"} {
		for _, projects := range []string{"", "a", "a b"} {
			for _, ips := range []string{"", "10.0.0.0/8", "10.1.0.0/16 192.0.2.0/24"} {
				for _, expires := range []int{0, 1, 2} {
					for _, test := range []bool{true, false} {
						all = append(all, rightsOf(holder{scopes: scopes, projects: projects, ips: ips, expires: expires, test: test}.record()))
					}
				}
			}
		}
	}
	within := func(a, b rights) bool { return len(a.beyond(b)) == 0 }
	for i, a := range all {
		assert.True(t, within(a, a), "reflexive")
		for j, b := range all {
			if i != j {
				assert.False(t, within(a, b) && within(b, a), "antisymmetric: %v %v", a, b)
			}
			if within(a, b) {
				assert.False(t, slices.ContainsFunc(all, func(c rights) bool { return within(b, c) && !within(a, c) }), "transitive")
			}
		}
	}
}
