package apikeyauthextension

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/collector/client"

	"github.com/otlpgate/otlpgate/internal/admin"
	"github.com/otlpgate/otlpgate/internal/admin/web"
	"github.com/otlpgate/otlpgate/internal/gate"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/session"
	"github.com/otlpgate/otlpgate/internal/store"
)

// visitors are the people who use the pages: by their keys, which the gate judges,
// or as users whom the collector's own authenticator vouches for.
type visitors struct {
	gate      *gate.Gate
	users     store.Users
	plans     *limit.Plans
	counter   limit.Counter
	clock     func() time.Time
	attribute string // of the authenticator that names a user; empty: none does
}

var _ admin.Visitors = (*visitors)(nil)

// SignIn implements admin.Visitors.
func (v *visitors) SignIn(r *http.Request, key string) (*identity.Admission, error) {
	return admitted(v.gate.AuthenticateKey(r.Context(), gateRequest(r), key))
}

// Resume implements admin.Visitors.
func (v *visitors) Resume(r *http.Request, whose session.Subject) (*identity.Admission, error) {
	if whose.UserID == "" {
		return admitted(v.gate.Resume(r.Context(), gateRequest(r), whose.Key))
	}
	id, refusal := v.userIdentity(r.Context(), whose.UserID)
	if refusal != nil {
		return nil, refusal
	}
	a := identity.NewAdmission(id, v.gate)
	a.Tab = limit.NewTab(v.counter, v.clock, whose.UserID, id.Limits)
	return a, nil
}

// Rejudge implements admin.Visitors.
func (v *visitors) Rejudge(ctx context.Context, whose session.Subject) (*identity.Identity, *identity.Refusal) {
	if whose.UserID == "" {
		return v.gate.JudgeDigest(ctx, whose.Key)
	}
	return v.userIdentity(ctx, whose.UserID)
}

var refuseUserUnknown = identity.NewRetryableRefusal(identity.KeyUnresolvable, "users cannot be looked up right now: retry", time.Second)

// userIdentity is what a user stands for who has no key at hand: all that the role
// allows, on the default plan.
func (v *visitors) userIdentity(ctx context.Context, id string) (*identity.Identity, *identity.Refusal) {
	user, err := v.users.User(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && !user.Enabled():
		return nil, identity.NewRefusal(identity.DisabledKey, "this user is deactivated or deleted: ask the administrator")
	case err != nil:
		return nil, refuseUserUnknown
	}
	return &identity.Identity{
		KeyName: user.Name, KeyType: identity.UserKey, Environment: identity.Live, OwnerID: user.ID,
		Plan: v.plans.Default(), Role: user.Role, Scopes: user.Role.Scopes(), Limits: v.plans.Policy("", nil),
	}, nil
}

// Vouched implements admin.Visitors.
func (v *visitors) Vouched(r *http.Request) (web.Vouched, error) {
	name := v.vouchedName(r.Context())
	if name == "" {
		return web.Vouched{}, nil
	}
	user, err := v.users.UserByEmail(r.Context(), name)
	if errors.Is(err, store.ErrNotFound) && name != store.BuiltinUserID { // which whoever chooses a name could choose
		user, err = v.users.User(r.Context(), name)
	}
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrInvalid), err == nil && !user.Enabled():
		return web.Vouched{Name: name}, nil
	case err != nil:
		return web.Vouched{}, refuseUserUnknown
	}
	return web.Vouched{UserID: user.ID, Name: name}, nil
}

// vouchedName is what the authenticator calls a person, empty where it says nothing
// that can be relied on.
func (v *visitors) vouchedName(ctx context.Context) string {
	auth := client.FromContext(ctx).Auth
	if v.attribute == "" || auth == nil {
		return ""
	}
	name, _ := auth.GetAttribute(v.attribute).(string)
	if strings.Contains(name, "@") && deniesEmail(auth) {
		return ""
	}
	return name
}

// deniesEmail reports whether an authenticator says that the provider has not
// verified the email: then it is anybody's (OpenID Connect Core 1.0, section 5.1).
// The claim is true or false, and from some providers a text.
func deniesEmail(auth client.AuthData) bool {
	for _, attribute := range []string{"claims.email_verified", "email_verified"} {
		if fmt.Sprint(auth.GetAttribute(attribute)) == "false" {
			return true
		}
	}
	return false
}
