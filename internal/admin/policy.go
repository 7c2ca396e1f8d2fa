package admin

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/otlpgate/otlpgate/internal/catalog"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// caller is who makes a call. An administrator is a caller whose effective
// scopes hold admin; it may do everything. Of the others a user key may work
// on the keys of its own user, within its own rights, and a system key on
// none.
type caller struct {
	*identity.Identity
	address netip.Addr        // invalid where unknown
	key     credential.Secret // zero where unknown
	judge   judge             // nil: what the caller stands for cannot change
}

func (c caller) admin() bool { return c.Scopes.Has(identity.Admin) }

// mayManageKeys refuses callers that no key is visible to.
func mayManageKeys(c caller) error {
	if c.admin() || (c.KeyType == identity.UserKey && c.OwnerID != "") {
		return nil
	}
	return newProblem(codeNotPermitted, "a system key without the scope admin may not see or change keys and users: use an administrator's or a user's key")
}

// mayAdminister refuses all but administrators: what they ask for is everybody's.
// Deed completes "only an administrator may".
func mayAdminister(c caller, deed string) error {
	if c.admin() {
		return nil
	}
	return newProblem(codeNotPermitted, "only an administrator may %s: use a key with the scope admin", deed)
}

// mayIntrospect refuses callers that no other key is any business of.
func mayIntrospect(c caller) error {
	if c.Scopes.Has(identity.KeysVerify) {
		return nil
	}
	return newProblem(codeNotPermitted, "asking about another key takes the scope keys:verify: use a key that has it")
}

// seesUser reports whether the user exists as far as the caller is told.
func seesUser(c caller, id string) bool {
	return c.admin() || (c.KeyType == identity.UserKey && c.OwnerID == id)
}

// seesKey reports whether the key exists as far as the caller is told. Others'
// keys answer like none, lest their ids can be probed.
func seesKey(c caller, k *store.Key) bool {
	return c.admin() || (k.Type == identity.UserKey && k.OwnerID == c.OwnerID)
}

// narrowFilter confines a listing to the keys that the caller sees. It reports
// false where nothing can be left.
func narrowFilter(c caller, f catalog.Filter) (catalog.Filter, bool) {
	if c.admin() {
		return f, true
	}
	if f.OwnerID != "" && f.OwnerID != c.OwnerID {
		return f, false
	}
	f.OwnerID = c.OwnerID
	return f, true
}

// replacedSecretOf reports whether the call is made with a secret of that key
// which is not its newest: one in its grace period must not outlive it by making
// another.
func (c caller) replacedSecretOf(k *store.Key) bool {
	return k.ID == c.KeyID && len(k.Secrets) > 0 && k.Secrets[0].Digest.Ref() != c.SecretInfo.Ref
}

// rights are the ways in which one key can exceed another. Empty projects and
// addresses and a zero expiry are no bound.
type rights struct {
	environment identity.Environment
	scopes      identity.ScopeSet
	projects    []string
	allowedIPs  []netip.Prefix
	expiresAt   time.Time
	plan        string        // passed on as it is, by inheritLimits
	limits      []limit.Limit // likewise
}

// rightsOf returns what a key is given, whatever its owner's role leaves of it.
func rightsOf(k *store.Key) rights {
	return rights{
		environment: k.Environment, scopes: identity.NewScopeSet(k.Scopes...),
		projects: k.Projects, allowedIPs: k.AllowedIPs, expiresAt: k.ExpiresAt,
	}
}

// rightsOfCaller returns what the caller has now. Its effective scopes count,
// not its user's role: a narrow key that leaked must not widen itself. The
// expiry is that of the caller's own key or of the secret that it uses.
func rightsOfCaller(c caller) rights {
	return rights{
		environment: c.Environment, scopes: c.Scopes,
		projects: c.Projects, allowedIPs: c.AllowedIPs, expiresAt: c.SecretInfo.EndsAt,
	}
}

// beyond names the API fields in which r exceeds the other; none means that r
// is within it.
func (r rights) beyond(other rights) []string {
	var fields []string
	for _, d := range []struct {
		field  string
		within bool
	}{
		{"environment", r.environment == other.environment || other.environment == identity.Live},
		{"scopes", other.scopes.HasAll(r.scopes)},
		{"projects", subset(r.projects, other.projects, func(a, b string) bool { return a == b })},
		{"allowedIps", subset(r.allowedIPs, other.allowedIPs, prefixWithin)},
		{"expiresAt", other.expiresAt.IsZero() || (!r.expiresAt.IsZero() && !r.expiresAt.After(other.expiresAt))},
	} {
		if !d.within {
			fields = append(fields, d.field)
		}
	}
	return fields
}

// same reports whether neither exceeds the other.
func (r rights) same(other rights) bool {
	return len(r.beyond(other)) == 0 && len(other.beyond(r)) == 0
}

// subset reports whether each element lies within one of bounds; an empty list
// stands for everything.
func subset[T any](list, bounds []T, within func(T, T) bool) bool {
	if len(bounds) == 0 {
		return true
	}
	return len(list) > 0 && !slices.ContainsFunc(list, func(element T) bool {
		return !slices.ContainsFunc(bounds, func(bound T) bool { return within(element, bound) })
	})
}

func prefixWithin(p, bound netip.Prefix) bool {
	return bound.Bits() <= p.Bits() && bound.Contains(p.Addr())
}

// inherit gives a new key the bounds of its maker where it names none of its
// own.
func (r rights) inherit(k *store.Key) {
	if len(k.Projects) == 0 {
		k.Projects = r.projects
	}
	if len(k.AllowedIPs) == 0 {
		k.AllowedIPs = r.allowedIPs
	}
	if k.ExpiresAt.IsZero() {
		k.ExpiresAt = r.expiresAt
	}
	if k.Environment == "" {
		k.Environment = r.environment
	}
}

// inheritLimits puts a new key under the plan and the limits of its maker, who
// may choose neither: a key with less than the default plan must not make one
// with more.
func (r rights) inheritLimits(k *store.Key) { k.Plan, k.Limits = r.plan, r.limits }

// mayCreate refuses a new key that its maker may not make. Has is what the
// maker has; administrators need none.
func mayCreate(c caller, has rights, k *store.Key) error {
	switch {
	case c.admin():
		return nil
	case k.Type != identity.UserKey:
		return problemAdminOnly("type", "only an administrator may create system keys")
	case k.OwnerID != c.OwnerID:
		return problemAdminOnly("ownerId", "only an administrator may create keys for another user")
	case k.Plan != "":
		return problemPlan()
	case len(k.Limits) > 0:
		return problemLimits()
	case recorded(k):
		return problemAdminOnly("digest", "only an administrator may record a key that exists already")
	}
	if fields := rightsOf(k).beyond(has); len(fields) > 0 {
		return problemExceeds(fields)
	}
	return nil
}

// mayUpdate refuses a change that its maker may not make. What a key may do is
// changed only by whoever has all that it had and gets. Were a lesser key allowed
// to take rights away from a greater one, it could get that one's secret by a
// rotation meanwhile, and hold all of it once somebody gives the rights back. To
// rename a greater key, or to revoke it, takes no rights.
func mayUpdate(c caller, has rights, before, after *store.Key) error {
	switch {
	case c.admin():
		return nil
	case before.Plan != after.Plan:
		return problemPlan()
	case !slices.Equal(before.Limits, after.Limits):
		return problemLimits()
	}
	was, becomes := rightsOf(before), rightsOf(after)
	if was.same(becomes) {
		return nil
	}
	if excess := was.beyond(has); len(excess) > 0 {
		return newProblem(codeExceedsCaller, "the key has more %s than the key used for this call, which may therefore not change what it may do: use that key or ask an administrator, or revoke it",
			strings.Join(excess, ", "))
	}
	if excess := becomes.beyond(has); len(excess) > 0 {
		return problemExceeds(excess)
	}
	return nil
}

// mayRotate refuses a rotation: whoever makes a key's new secret holds the key,
// with all that it has, its limits included. The key used for the call may
// always rotate itself.
func mayRotate(c caller, has rights, k *store.Key, policy *limit.Policy) error {
	if c.admin() || k.ID == c.KeyID {
		return nil
	}
	excess := rightsOf(k).beyond(has)
	if !policy.Within(c.Limits) {
		excess = append(excess, "limits")
	}
	if len(excess) == 0 {
		return nil
	}
	return newProblem(codeExceedsCaller, "the key has more than the key used for this call, which may therefore not get its secret: %s; use that key itself or one with the scope admin",
		strings.Join(excess, ", "))
}

func problemAdminOnly(field, detail string) *problem {
	p := newProblem(codeNotPermitted, "%s: leave %s out or use a key with the scope admin", detail, field)
	p.fields = append(p.fields, fieldError(pointer(field), detail))
	return p
}

func problemPlan() *problem {
	return problemAdminOnly("plan", "only an administrator may choose the plan")
}

func problemLimits() *problem {
	return problemAdminOnly("limits", "only an administrator may set limits")
}

func problemExceeds(fields []string) *problem {
	p := newProblem(codeExceedsCaller, "%s: more than the key used for this call has; ask for less or use a key with the scope admin", strings.Join(fields, ", "))
	for _, field := range fields {
		p.fields = append(p.fields, fieldError(pointer(field), "must not go beyond the key used for this call"))
	}
	return p
}

// leastRole returns the smallest role that allows the scopes.
func leastRole(scopes identity.ScopeSet) identity.Role {
	for _, role := range []identity.Role{identity.Viewer, identity.Member} {
		if role.Scopes().HasAll(scopes) {
			return role
		}
	}
	return identity.AdminRole
}

// scopesWithin refuses scopes above the role that bounds them: they would be
// without effect, and take effect by surprise when the role is raised.
func scopesWithin(role identity.Role, k *store.Key) error {
	scopes := identity.NewScopeSet(k.Scopes...)
	if role.Scopes().HasAll(scopes) {
		return nil
	}
	whose, remedy := "its owner's role", "give the owner a higher role"
	if k.Type == identity.SystemKey {
		whose, remedy = "the key's role", "set role too"
	}
	p := newProblem(codeScopesExceedRole, "the scopes need the role %s, but %s is %s: ask for less or %s", leastRole(scopes), whose, role, remedy)
	p.fields = append(p.fields, fieldError("/scopes", "must be within the role "+string(role)))
	return p
}
