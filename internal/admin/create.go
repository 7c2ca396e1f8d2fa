package admin

import (
	"context"
	"errors"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// CreateKey implements api.StrictServerInterface. Its answer is the only one
// that holds the secret.
func (s *service) CreateKey(ctx context.Context, request api.CreateKeyRequestObject) (api.CreateKeyResponseObject, error) {
	c := callerIn(ctx)
	if err := mayManageKeys(c); err != nil {
		return nil, err
	}
	key, err := s.readNewKey(request.Body)
	if err != nil {
		return nil, err
	}
	owner, err := s.entitle(ctx, c, &key)
	if err != nil {
		return nil, err
	}
	return s.issue(ctx, c, key, owner)
}

// readNewKey makes a record of the request. What depends on the caller or
// owner is left to entitle: the zero environment, role and owner.
func (s *service) readNewKey(body *api.KeyCreate) (store.Key, error) {
	f := s.newFieldReader()
	key := store.Key{
		ID: store.NewKeyID(), CreatedAt: f.now, UpdatedAt: f.now,
		Name: f.name(body.Name), Description: f.description(value(body.Description)),
		Type: valueOr(body.Type, identity.UserKey), Environment: value(body.Environment),
		OwnerID: value(body.OwnerID), Role: value(body.Role), Scopes: f.scopes(body.Scopes, body.Preset),
		Projects: f.projects(body.Projects), Plan: f.plan(value(body.Plan)), Limits: f.limits(body.Limits),
		AllowedIPs: f.allowedIPs(body.AllowedIps), ExpectedCountries: f.countries(body.ExpectedCountries),
	}
	if body.ExpiresAt != nil {
		key.ExpiresAt = f.expiry(*body.ExpiresAt)
	}
	if key.Scopes == nil {
		f.refuse("is required, or else preset", "scopes")
	}
	f.checkType(&key)
	return key, f.err()
}

func (f *fieldReader) checkType(k *store.Key) {
	if k.Type == identity.UserKey && k.Role != "" {
		f.refuse(ruleRoleOfUserKey, "role")
	}
	if k.Type == identity.SystemKey && k.OwnerID != "" {
		f.refuse("must be left out for a system key, which belongs to no user", "ownerId")
	}
}

const ruleRoleOfUserKey = "must be left out for a user key, whose role is its owner's"

// entitle completes the key with what follows from its maker and owner, checks
// that it may be, and returns the owner (nil for system keys).
func (s *service) entitle(ctx context.Context, c caller, k *store.Key) (*store.User, error) {
	if k.Type == identity.UserKey && k.OwnerID == "" {
		k.OwnerID = ownerFor(c)
	}
	has, err := s.bounds(ctx, c)
	if err != nil {
		return nil, err
	}
	has.inherit(k)
	if k.Environment == "" {
		k.Environment = identity.Live
	}
	if err := mayCreate(c, has, k); err != nil {
		return nil, err
	}
	if !c.admin() {
		has.inheritLimits(k)
	}
	owner, err := s.owner(ctx, k)
	if err != nil {
		return nil, err
	}
	if k.Type == identity.UserKey && (owner == nil || !owner.Enabled()) {
		return nil, problemOwner()
	}
	return owner, checkScopes(k, owner)
}

func ownerFor(c caller) string {
	if c.KeyType == identity.UserKey {
		return c.OwnerID
	}
	return store.BuiltinUserID
}

// bounds returns what the caller can pass on; none for administrators.
func (s *service) bounds(ctx context.Context, c caller) (rights, error) {
	if c.admin() {
		return rights{}, nil
	}
	own, err := s.store.Key(ctx, c.KeyID)
	if errors.Is(err, store.ErrNotFound) {
		return rights{}, identity.NewRefusal(identity.UnknownKey, "the key used for this call is gone: use another")
	}
	if err != nil {
		return rights{}, fromStore("read the caller's key "+c.KeyID, err)
	}
	has := rightsOfCaller(c, own.ExpiresAt)
	has.plan, has.limits = own.Plan, own.Limits
	return has, nil
}

func problemOwner() *problem {
	p := newProblem(codeInvalidOwner, "the owner does not exist or is not active: name an active user")
	p.fields = append(p.fields, fieldError("/ownerId", "must be an active user"))
	return p
}

// checkScopes refuses scopes above the role that bounds the key: its owner's,
// or a system key's own, which becomes the least that covers the scopes where
// it has none.
func checkScopes(k *store.Key, owner *store.User) error {
	switch {
	case k.Type == identity.SystemKey && k.Role == "":
		k.Role = leastRole(identity.NewScopeSet(k.Scopes...))
		return nil
	case k.Type == identity.SystemKey:
		return scopesWithin(k.Role, k)
	case owner == nil:
		return problemOwner()
	}
	return scopesWithin(owner.Role, k)
}

// issue gives the key its secret, stores it and answers with both.
func (s *service) issue(ctx context.Context, c caller, k store.Key, owner *store.User) (api.CreateKeyResponseObject, error) {
	secret := s.format.Mint(kindOf(&k))
	k.Secrets = []store.Secret{{Digest: store.Digest(secret.Digest()), Hint: secret.Hint(), CreatedAt: k.CreatedAt}}
	k.CreatedBy = c.creator()
	stored, err := s.store.CreateKey(ctx, k, c.audit(actionCreate, k.CreatedAt, nil, &k))
	if err != nil {
		return nil, fromStore("create key", err)
	}
	shown := s.view(&stored, owner, k.CreatedAt)
	revealed := secret.Reveal()
	shown.Key = &revealed
	return api.CreateKey201JSONResponse{
		Body:    shown,
		Headers: api.CreateKey201ResponseHeaders{Location: api.BasePath + "/api-keys/" + stored.ID},
	}, nil
}

func kindOf(k *store.Key) credential.Kind {
	switch {
	case k.Type == identity.SystemKey:
		return credential.Sys
	case k.Environment == identity.Test:
		return credential.Test
	}
	return credential.Live
}

// value returns what p points to, the zero value where it is nil.
func value[T any](p *T) T {
	var zero T
	return valueOr(p, zero)
}

func valueOr[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
