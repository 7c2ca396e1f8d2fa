package admin

import (
	"context"
	"errors"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/audit"
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
	switch {
	case err != nil:
		return nil, err
	case value(request.Params.DryRun):
		return s.previewKey(ctx, &key, owner)
	}
	repeat := newRepeatable(c, request.Params.IdempotencyKey, audit.KeyCreate, "", request.Body)
	if recorded(&key) {
		return s.record(ctx, c, key, owner, repeat)
	}
	return s.issue(ctx, c, key, owner, repeat)
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
		Secrets: f.recordedSecret(body.Digest, body.Hint),
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
	if c.KeyID == "" { // somebody without a key, who has what the role gives
		return rightsOfCaller(c), nil
	}
	own, err := s.store.Key(ctx, c.KeyID)
	if errors.Is(err, store.ErrNotFound) {
		return rights{}, identity.NewRefusal(identity.UnknownKey, "the key used for this call is gone: use another")
	}
	if err != nil {
		return rights{}, fromStore("read the caller's key "+c.KeyID, err)
	}
	has := rightsOfCaller(c)
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

// recorded reports whether a new key exists already, elsewhere, so that no
// secret is to be made for it.
func recorded(k *store.Key) bool { return len(k.Secrets) > 0 }

// record stores a key by its digest. A repetition finds it there.
func (s *service) record(ctx context.Context, c caller, k store.Key, owner *store.User, repeat *repeatable) (api.CreateKeyResponseObject, error) {
	digest := k.Secrets[0].Digest
	k.Secrets[0].Request = repeat.request(0)
	stored, err := s.createKey(ctx, c, k)
	if errors.Is(err, store.ErrExists) && repeat != nil {
		known, readErr := s.store.KeyByDigest(ctx, digest)
		if _, before, madeErr := repeat.made(&known, 0, k.CreatedAt); readErr == nil && before && madeErr == nil {
			return s.createdAnswer(&known, owner, "", "true"), nil
		}
	}
	if err != nil {
		return nil, fromStore("record key", err)
	}
	return s.createdAnswer(&stored, owner, "", ""), nil
}

// previewKey answers with the key as it would be created.
func (s *service) previewKey(ctx context.Context, k *store.Key, owner *store.User) (api.CreateKeyResponseObject, error) {
	for _, secret := range k.Secrets {
		switch _, err := s.store.KeyByDigest(ctx, secret.Digest); {
		case err == nil:
			return nil, fromStore("look up key by digest", store.ErrExists)
		case !errors.Is(err, store.ErrNotFound):
			return nil, fromStore("look up key by digest", err)
		}
	}
	return api.CreateKey200JSONResponse(s.view(k, owner, k.CreatedAt)), nil
}

// maxRepeats bounds how often an idempotency key may be used anew once it has
// been forgotten.
const maxRepeats = 1000

// issue makes a secret for the key, stores it and answers with both. A call that
// was carried out before gets the key that it made then: its id follows from
// the call, so that the store cannot hold two.
func (s *service) issue(ctx context.Context, c caller, k store.Key, owner *store.User, repeat *repeatable) (api.CreateKeyResponseObject, error) {
	for number := range uint32(maxRepeats) {
		if repeat != nil {
			k.ID = store.KeyIDFor(repeat.id(number))
		}
		switch known, err := s.store.Key(ctx, k.ID); {
		case err == nil && repeat != nil && k.CreatedAt.Sub(known.CreatedAt) < repeatWindow:
			return s.replayed(ctx, &known, repeat, number)
		case err == nil:
			continue
		case !errors.Is(err, store.ErrNotFound):
			return nil, fromStore("look up key", err)
		}
		answer, err := s.issueOnce(ctx, c, k, owner, repeat, number)
		if errors.Is(err, store.ErrExists) { // by the same call, a moment before
			if known, err := s.store.Key(ctx, k.ID); err == nil && repeat != nil {
				return s.replayed(ctx, &known, repeat, number)
			}
		}
		return answer, fromStore("create key", err)
	}
	return nil, newProblem(codeRequestSpent, "this Idempotency-Key was used too often: use a new one")
}

func (s *service) issueOnce(ctx context.Context, c caller, k store.Key, owner *store.User, repeat *repeatable, number uint32) (api.CreateKeyResponseObject, error) {
	minted := s.format.Mint(kindOf(&k))
	request := repeat.request(number)
	if err := s.keepReply(ctx, repeat, request, minted); err != nil {
		return nil, err
	}
	k.Secrets = []store.Secret{{Digest: store.Digest(minted.Digest()), Hint: minted.Hint(), CreatedAt: k.CreatedAt, Request: request}}
	stored, err := s.createKey(ctx, c, k)
	if err != nil {
		return nil, err
	}
	return s.createdAnswer(&stored, owner, minted.Reveal(), ""), nil
}

// replayed answers a call that has made a key before.
func (s *service) replayed(ctx context.Context, known *store.Key, repeat *repeatable, number uint32) (api.CreateKeyResponseObject, error) {
	made, before, err := repeat.made(known, number, s.now())
	if err != nil {
		return nil, err
	}
	if !before {
		return nil, problemSpent(known.ID)
	}
	text, err := s.reply(ctx, repeat, known.ID, made)
	if err != nil {
		return nil, err
	}
	owner, err := s.owner(ctx, known)
	if err != nil {
		return nil, err
	}
	return s.createdAnswer(known, owner, text, "true"), nil
}

func (s *service) createKey(ctx context.Context, c caller, k store.Key) (store.Key, error) {
	k.CreatedBy = c.creator()
	return s.store.CreateKey(ctx, k, c.audit(audit.KeyCreate, k.CreatedAt, nil, &k))
}

// createdAnswer shows a new key with its secret, where there is one to show.
func (s *service) createdAnswer(k *store.Key, owner *store.User, secret, replayed string) api.CreateKeyResponseObject {
	shown := s.view(k, owner, s.now())
	shown.Key = orNull(secret)
	return api.CreateKey201JSONResponse{
		Body: shown,
		Headers: api.CreateKey201ResponseHeaders{
			Location: api.BasePath + "/api-keys/" + k.ID, ETag: etag(k.Revision), IdempotencyReplayed: orNull(replayed),
		},
	}
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
