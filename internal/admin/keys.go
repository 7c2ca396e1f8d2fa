package admin

import (
	"context"
	"errors"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/audit"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// GetKey implements api.StrictServerInterface.
func (s *service) GetKey(ctx context.Context, request api.GetKeyRequestObject) (api.GetKeyResponseObject, error) {
	key, owner, err := s.visibleKey(ctx, request.ID)
	if err != nil {
		return nil, err
	}
	view := s.viewWithUses(ctx, &key, owner, s.now())
	s.showQuotas(ctx, &view, &key)
	return api.GetKey200JSONResponse{Body: view, Headers: api.GetKey200ResponseHeaders{ETag: etag(key.Revision)}}, nil
}

// visibleKey returns a key that the caller may know of, with its owner.
func (s *service) visibleKey(ctx context.Context, id string) (store.Key, *store.User, error) {
	c := callerIn(ctx)
	if err := mayManageKeys(c); err != nil {
		return store.Key{}, nil, err
	}
	key, err := s.store.Key(ctx, id)
	if err != nil {
		return store.Key{}, nil, fromStore("read key", err)
	}
	if !seesKey(c, &key) {
		return store.Key{}, nil, hide(problemKeyNotFound())
	}
	owner, err := s.owner(ctx, &key)
	return key, owner, err
}

// owner returns the record of a user key's owner, nil where there is none.
func (s *service) owner(ctx context.Context, k *store.Key) (*store.User, error) {
	if k.Type != identity.UserKey {
		return nil, nil
	}
	user, err := s.store.User(ctx, k.OwnerID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fromStore("read owner", err)
	}
	return &user, nil
}

// errUnchanged ends an edit that has nothing to write.
var errUnchanged = errors.New("unchanged")

// RevokeKey implements api.StrictServerInterface. The first revocation stands.
func (s *service) RevokeKey(ctx context.Context, request api.RevokeKeyRequestObject) (api.RevokeKeyResponseObject, error) {
	c, now := callerIn(ctx), s.now()
	if err := mayManageKeys(c); err != nil {
		return nil, err
	}
	_, err := s.store.UpdateKey(ctx, request.ID, func(k *store.Key) (store.Audit, error) {
		if err := mayTouch(c, k, "revoked"); err != nil {
			return store.Audit{}, err
		}
		if err := checkMatch(request.Params.IfMatch, k.Revision); err != nil {
			return store.Audit{}, err
		}
		if !k.RevokedAt.IsZero() {
			return store.Audit{}, errUnchanged
		}
		before := *k
		k.RevokedAt, k.UpdatedAt = now, now
		return c.audit(audit.KeyRevoke, now, &before, k), nil
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return nil, fromStore("revoke key", err)
	}
	return api.RevokeKey204Response{}, nil
}

// mayTouch refuses changes to keys that are others' or not the API's to change.
func mayTouch(c caller, k *store.Key, done string) error {
	switch {
	case !seesKey(c, k):
		return hide(problemKeyNotFound())
	case k.Declared:
		return newProblem(codeKeyDeclared, "the key is declared in the collector's configuration, or an applied document, and can only be %s there: change its entry in keys, then restart or apply", done)
	}
	return nil
}
