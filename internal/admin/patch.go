package admin

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/oapi-codegen/nullable"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/audit"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// UpdateKey implements api.StrictServerInterface. A patch that changes nothing
// writes nothing.
func (s *service) UpdateKey(ctx context.Context, request api.UpdateKeyRequestObject) (api.UpdateKeyResponseObject, error) {
	c := callerIn(ctx)
	key, owner, err := s.visibleKey(ctx, request.ID)
	if err != nil {
		return nil, err
	}
	has, err := s.bounds(ctx, c)
	if err != nil {
		return nil, err
	}
	change, err := s.readPatch(request.Body)
	if err != nil {
		return nil, err
	}
	change.ifMatch = request.Params.IfMatch
	stored, err := s.store.UpdateKey(ctx, key.ID, func(k *store.Key) (store.Audit, error) {
		key = *k
		return change.edit(c, has, owner, k)
	})
	switch {
	case errors.Is(err, errUnchanged):
		stored = key
	case err != nil:
		return nil, fromStore("update key", err)
	}
	return api.UpdateKey200JSONResponse{
		Body:    s.viewWithUses(ctx, &stored, owner, change.at),
		Headers: api.UpdateKey200ResponseHeaders{ETag: etag(stored.Revision)},
	}, nil
}

// patch is a merge patch (RFC 7396) whose values have been checked. Each of its
// assignments sets one field; it replaces lists and never writes into them, so
// that a shallow copy of a record keeps what was.
type patch struct {
	at          time.Time
	assignments []func(*store.Key)
	ifMatch     *string // version to change; nil: any
	setsRole    bool
	setsScopes  bool
}

func (s *service) readPatch(body *api.KeyPatch) (patch, error) {
	f := s.newFieldReader()
	p := patch{at: f.now, setsRole: body.Role.IsSpecified()}
	if body.Name != nil {
		name := f.name(*body.Name)
		p.assign(func(k *store.Key) { k.Name = name })
	}
	if scopes := f.scopes(body.Scopes, body.Preset); scopes != nil {
		p.setsScopes = true
		p.assign(func(k *store.Key) { k.Scopes = scopes })
	}
	assignNullable(&p, body.Description, f.description, func(k *store.Key, v string) { k.Description = v })
	assignNullable(&p, body.Role, same, func(k *store.Key, v identity.Role) { k.Role = v })
	assignNullable(&p, body.Projects, f.projects, func(k *store.Key, v []string) { k.Projects = v })
	assignNullable(&p, body.Plan, f.plan, func(k *store.Key, v string) { k.Plan = v })
	assignNullable(&p, body.Limits, f.limits, func(k *store.Key, v []limit.Limit) { k.Limits = v })
	assignNullable(&p, body.AllowedIps, f.allowedIPs, func(k *store.Key, v []netip.Prefix) { k.AllowedIPs = v })
	assignNullable(&p, body.ExpectedCountries, f.countries, func(k *store.Key, v []string) { k.ExpectedCountries = v })
	assignNullable(&p, body.ExpiresAt, f.expiry, func(k *store.Key, v time.Time) { k.ExpiresAt = v })
	return p, f.err()
}

func same(r identity.Role) identity.Role { return r }

func (p *patch) assign(assignment func(*store.Key)) {
	p.assignments = append(p.assignments, assignment)
}

// assignNullable assigns a field that null clears.
func assignNullable[In, Out any](p *patch, field nullable.Nullable[In], read func(In) Out, set func(*store.Key, Out)) {
	if v, given := patched(field, read); given {
		p.assign(func(k *store.Key) { set(k, v) })
	}
}

// edit applies the patch to a record where the caller may, and returns the
// audit record, or errUnchanged. It may run more than once.
func (p patch) edit(c caller, has rights, owner *store.User, k *store.Key) (store.Audit, error) {
	if err := p.fits(c, k); err != nil {
		return store.Audit{}, err
	}
	before := *k
	for _, assign := range p.assignments {
		assign(k)
	}
	if err := mayUpdate(c, has, &before, k); err != nil {
		return store.Audit{}, err
	}
	if p.setsRole || p.setsScopes {
		if err := checkScopes(k, owner); err != nil {
			return store.Audit{}, err
		}
	}
	record := c.audit(audit.KeyUpdate, p.at, &before, k)
	if len(record.Changes) == 0 {
		return store.Audit{}, errUnchanged
	}
	k.UpdatedAt = p.at
	return record, nil
}

// fits refuses patches that no caller may make.
func (p patch) fits(c caller, k *store.Key) error {
	switch err := mayTouch(c, k, "changed"); {
	case err != nil:
		return err
	case !k.RevokedAt.IsZero():
		return newProblem(codeKeyRevoked, "the key is revoked, which cannot be undone: create another")
	case p.setsRole && k.Type == identity.UserKey:
		return problemFields([]api.FieldError{fieldError("/role", ruleRoleOfUserKey)})
	}
	return checkMatch(p.ifMatch, k.Revision)
}
