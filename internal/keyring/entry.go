package keyring

import (
	"cmp"
	"fmt"
	"time"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// entry is what the store said of a digest. It is immutable once shared.
type entry struct {
	digest           credential.Digest
	digestGeneration uint64
	ownerID          string // empty where the answer depends on no owner
	ownerGeneration  uint64

	identity *identity.Identity // nil: no such key
	refusal  *identity.Refusal  // why the key may not be used at all
	replaced bool               // what ends first is the secret, by rotation
	forgetAt time.Time          // of an unknown key
}

func (e *entry) unknown() bool { return e.identity == nil }

// answer judges the entry at now: expiry is exact, however long ago the entry
// was cached. Of a key that exists it returns the identity beside the refusal.
func (e *entry) answer(now time.Time) (*identity.Identity, *identity.Refusal) {
	switch {
	case e.unknown():
		return nil, refuseUnknown
	case e.refusal != nil:
		return e.identity, e.refusal
	case e.ended(now) && e.replaced:
		return e.identity, refuseReplaced
	case e.ended(now):
		return e.identity, refuseExpired
	}
	return e.identity, nil
}

func (e *entry) ended(now time.Time) bool {
	end := e.identity.SecretInfo.EndsAt
	return !end.IsZero() && !now.Before(end)
}

// The refusals name no key: whoever holds one knows which it is, and whoever
// does not learns nothing.
var (
	refuseUnknown = identity.NewRefusal(identity.UnknownKey,
		"unknown API key: check that it was copied from this gate's own keys, or ask its administrator for one")
	refuseRevoked = identity.NewRefusal(identity.RevokedKey,
		"this API key was revoked and cannot be restored: ask the administrator for a new one")
	refuseExpired = identity.NewRefusal(identity.ExpiredKey,
		"this API key has expired: ask its owner to extend or rotate it")
	refuseReplaced = identity.NewRefusal(identity.ExpiredKey,
		"this API key was given a new secret and the grace period of this one is over: ask its owner for the new one")
	refuseOwner = identity.NewRefusal(identity.DisabledKey,
		"the owner of this API key is deactivated or deleted: ask the administrator to reactivate the owner or issue a key to another")
	refuseWithdrawn = identity.NewRefusal(identity.DisabledKey,
		"this API key is no longer declared in the collector's configuration: ask the administrator to declare it again")
)

// fill sets the answer for a key that exists.
func (e *entry) fill(key *store.Key, owner *store.User, plans *limit.Plans) error {
	secret, ok := key.Secret(store.Digest(e.digest))
	if !ok {
		return fmt.Errorf("look up key by digest: store returned key %s, which has no such secret", key.ID)
	}
	e.identity = identityOf(key, owner, plans)
	e.identity.SecretInfo = identity.SecretInfo{
		Ref: secret.Digest.Ref(), CreatedAt: secret.CreatedAt, EndsAt: earliest(key.ExpiresAt, secret.ExpiresAt),
	}
	e.replaced = !secret.ExpiresAt.IsZero() && !key.ExpiresAt.Equal(e.identity.SecretInfo.EndsAt)
	switch {
	case !key.RevokedAt.IsZero():
		e.refusal = refuseRevoked
	case key.Withdrawn:
		e.refusal = refuseWithdrawn
	case key.Type == identity.UserKey && (owner == nil || !owner.Enabled()):
		e.refusal = refuseOwner
	}
	return nil
}

// identityOf cuts the key's scopes down to what its role, and for a user key
// its owner's role of this moment, allows.
func identityOf(key *store.Key, owner *store.User, plans *limit.Plans) *identity.Identity {
	role := key.Role
	if key.Type == identity.UserKey {
		role = ""
		if owner != nil {
			role = owner.Role
		}
	}
	return &identity.Identity{
		KeyID: key.ID, KeyName: key.Name, KeyType: key.Type, Environment: key.Environment,
		OwnerID: key.OwnerID, Plan: cmp.Or(key.Plan, plans.Default()), Role: role,
		Scopes:   identity.NewScopeSet(key.Scopes...).Intersect(role.Scopes()),
		Projects: key.Projects, AllowedIPs: key.AllowedIPs,
		Limits: plans.Policy(key.Plan, key.Limits),
	}
}

// earliest returns the earlier of two times of which zero means never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
