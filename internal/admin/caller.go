package admin

import (
	"context"
	"slices"

	"github.com/otlpgate/otlpgate/internal/identity"
)

// judge says what a caller stands for now.
type judge func(context.Context) (*identity.Identity, *identity.Refusal)

// mayStill refuses a caller whose key is no longer what it was when the call was
// let in: a body may arrive slowly, and what was revoked or demoted meanwhile
// must change nothing any more. The store asks it at the turn of every write (see
// store.Guarded), so that none is made behind a revocation that was acknowledged.
func (s *service) mayStill(ctx context.Context, c caller) error {
	if c.judge == nil {
		return nil
	}
	now, refusal := c.judge(ctx)
	if refusal != nil {
		return refusal
	}
	if !sameRights(now, c.Identity) {
		return newProblem(codeCallerChanged, "the rights of the key used for this call have just been changed, and nothing was done: repeat the call")
	}
	return nil
}

// sameRights compares what a caller may do, and what it passes on.
func sameRights(a, b *identity.Identity) bool {
	return a == b || (a.KeyID == b.KeyID && a.OwnerID == b.OwnerID && a.Environment == b.Environment && a.Scopes == b.Scopes && a.Plan == b.Plan &&
		slices.Equal(a.Projects, b.Projects) && slices.Equal(a.AllowedIPs, b.AllowedIPs) &&
		slices.Equal(a.Limits.Limits(), b.Limits.Limits()) && a.SecretInfo.Ref == b.SecretInfo.Ref &&
		a.SecretInfo.EndsAt.Equal(b.SecretInfo.EndsAt))
}
