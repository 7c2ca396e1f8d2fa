package admin

import (
	"cmp"
	"context"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/identity"
)

// Whoami implements api.StrictServerInterface.
func (s *service) Whoami(ctx context.Context, _ api.WhoamiRequestObject) (api.WhoamiResponseObject, error) {
	c := callerIn(ctx)
	return api.Whoami200JSONResponse{
		ID: c.KeyID, Name: c.KeyName, Type: c.KeyType, Environment: c.Environment,
		OwnerID: orNull(c.OwnerID), Role: c.Role, Scopes: c.Scopes.List(), Projects: orEmpty(c.Projects),
		Plan: cmp.Or(c.Plan, s.plans.Default()),
	}, nil
}

// ListScopes implements api.StrictServerInterface.
func (s *service) ListScopes(context.Context, api.ListScopesRequestObject) (api.ListScopesResponseObject, error) {
	var catalogue api.ListScopes200JSONResponse
	for _, info := range identity.Scopes() {
		catalogue.Scopes = append(catalogue.Scopes, api.ScopeInfo{Scope: info.Scope, Description: info.Description})
	}
	for _, name := range identity.Presets() {
		scopes, err := identity.Preset(name)
		if err != nil {
			return nil, err
		}
		catalogue.Presets = append(catalogue.Presets, api.NamedScopes{Name: name, Scopes: scopes})
	}
	for _, role := range []identity.Role{identity.Viewer, identity.Member, identity.AdminRole} {
		catalogue.Roles = append(catalogue.Roles, api.NamedScopes{Name: string(role), Scopes: role.Scopes().List()})
	}
	return catalogue, nil
}
