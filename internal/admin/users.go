package admin

import (
	"context"
	"errors"
	"time"

	"github.com/oapi-codegen/nullable"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/audit"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// CreateUser implements api.StrictServerInterface.
func (s *service) CreateUser(ctx context.Context, request api.CreateUserRequestObject) (api.CreateUserResponseObject, error) {
	c := callerIn(ctx)
	if err := mayAdminister(c, "create users"); err != nil {
		return nil, err
	}
	user, err := s.readNewUser(request.Body)
	if err != nil {
		return nil, err
	}
	stored, err := s.store.CreateUser(ctx, user, c.auditUser(audit.UserCreate, user.CreatedAt, nil, &user))
	if err != nil {
		return nil, fromUserStore("create user", err)
	}
	return api.CreateUser201JSONResponse{
		Body:    userView(&stored),
		Headers: api.CreateUser201ResponseHeaders{Location: api.BasePath + "/users/" + stored.ID, ETag: etag(stored.Revision)},
	}, nil
}

func (s *service) readNewUser(body *api.UserCreate) (store.User, error) {
	f := s.newFieldReader()
	user := store.User{
		ID: store.NewUserID(), Role: valueOr(body.Role, identity.Member), Active: valueOr(body.Active, true),
		CreatedAt: f.now, UpdatedAt: f.now,
	}
	if body.Email != nil {
		user.Email = f.email(*body.Email)
		user.Name = user.Email
	}
	if body.Name != nil {
		user.Name = f.name(*body.Name)
	}
	if body.Email == nil && body.Name == nil {
		f.refuse("is required, or else name", "email")
	}
	return user, f.err()
}

// ListUsers implements api.StrictServerInterface.
func (s *service) ListUsers(ctx context.Context, request api.ListUsersRequestObject) (api.ListUsersResponseObject, error) {
	c := callerIn(ctx)
	if err := mayManageKeys(c); err != nil {
		return nil, err
	}
	p := request.Params
	filter := store.UserFilter{Role: value(p.Role), Active: p.Active, Query: value(p.Q)}
	if !c.admin() {
		return s.listSelf(ctx, c, filter)
	}
	page, err := s.store.ListUsers(ctx, filter, store.Page{Limit: value(p.Limit), Cursor: value(p.Cursor), Scan: value(p.Scan)})
	if err != nil {
		return nil, fromUserStore("list users", err)
	}
	list := api.ListUsers200JSONResponse{Data: make([]api.User, 0, len(page.Users)), NextCursor: orNull(page.Next)}
	for i := range page.Users {
		list.Data = append(list.Data, userView(&page.Users[i]))
	}
	return list, nil
}

// listSelf is the list of the one user whom a caller sees.
func (s *service) listSelf(ctx context.Context, c caller, filter store.UserFilter) (api.ListUsersResponseObject, error) {
	list := api.ListUsers200JSONResponse{Data: []api.User{}}
	user, err := s.visibleUser(ctx, c.OwnerID)
	if err != nil {
		return nil, err
	}
	if filter.Matches(&user) {
		list.Data = append(list.Data, userView(&user))
	}
	return list, nil
}

// GetUser implements api.StrictServerInterface.
func (s *service) GetUser(ctx context.Context, request api.GetUserRequestObject) (api.GetUserResponseObject, error) {
	if err := mayManageKeys(callerIn(ctx)); err != nil {
		return nil, err
	}
	user, err := s.visibleUser(ctx, request.ID)
	if err != nil {
		return nil, err
	}
	return api.GetUser200JSONResponse{Body: userView(&user), Headers: api.GetUser200ResponseHeaders{ETag: etag(user.Revision)}}, nil
}

// visibleUser returns a user that the caller may know of.
func (s *service) visibleUser(ctx context.Context, id string) (store.User, error) {
	user, err := s.store.User(ctx, id)
	switch {
	case err != nil:
		return store.User{}, fromUserStore("read user", err)
	case !user.DeletedAt.IsZero():
		return store.User{}, problemUserNotFound()
	case !seesUser(callerIn(ctx), id):
		return store.User{}, hide(problemUserNotFound())
	}
	return user, nil
}

// UpdateUser implements api.StrictServerInterface. A patch that changes nothing
// writes nothing.
func (s *service) UpdateUser(ctx context.Context, request api.UpdateUserRequestObject) (api.UpdateUserResponseObject, error) {
	c := callerIn(ctx)
	if err := mayAdminister(c, "change users"); err != nil {
		return nil, err
	}
	change, err := s.readUserPatch(request.Body)
	if err != nil {
		return nil, err
	}
	var found store.User
	stored, err := s.store.UpdateUser(ctx, request.ID, func(u *store.User) (store.Audit, error) {
		found = *u
		if err := checkMatch(request.Params.IfMatch, u.Revision); err != nil {
			return store.Audit{}, err
		}
		return change.edit(c, u)
	})
	switch {
	case errors.Is(err, errUnchanged):
		stored = found
	case err != nil:
		return nil, fromUserStore("update user", err)
	}
	return api.UpdateUser200JSONResponse{Body: userView(&stored), Headers: api.UpdateUser200ResponseHeaders{ETag: etag(stored.Revision)}}, nil
}

// userPatch is to users what patch is to keys.
type userPatch struct {
	at          time.Time
	assignments []func(*store.User)
}

func (s *service) readUserPatch(body *api.UserPatch) (userPatch, error) {
	f := s.newFieldReader()
	p := userPatch{at: f.now}
	if email, given := patched(body.Email, f.email); given {
		p.assign(func(u *store.User) { u.Email = email })
	}
	if body.Name != nil {
		name := f.name(*body.Name)
		p.assign(func(u *store.User) { u.Name = name })
	}
	if body.Role != nil {
		p.assign(func(u *store.User) { u.Role = *body.Role })
	}
	if body.Active != nil {
		p.assign(func(u *store.User) { u.Active = *body.Active })
	}
	return p, f.err()
}

func (p *userPatch) assign(assignment func(*store.User)) {
	p.assignments = append(p.assignments, assignment)
}

// patched returns what a field of a merge patch is to become, and whether it is
// given at all. Null is the zero value.
func patched[In, Out any](field nullable.Nullable[In], read func(In) Out) (v Out, given bool) {
	if !field.IsSpecified() {
		return v, false
	}
	if !field.IsNull() {
		v = read(field.MustGet())
	}
	return v, true
}

// edit applies the patch to a record where it may be changed, and returns the
// audit record, or errUnchanged. It may run more than once.
func (p userPatch) edit(c caller, u *store.User) (store.Audit, error) {
	before := *u
	for _, assign := range p.assignments {
		assign(u)
	}
	if err := userFits(&before, "changed"); err != nil {
		return store.Audit{}, err
	}
	if u.ID == store.BuiltinUserID && (u.Role != before.Role || u.Active != before.Active) {
		return store.Audit{}, problemBuiltin("given another role or deactivated")
	}
	record := c.auditUser(audit.UserUpdate, p.at, &before, u)
	if len(record.Changes) == 0 {
		return store.Audit{}, errUnchanged
	}
	u.UpdatedAt = p.at
	return record, nil
}

// userFits refuses changes that nobody may make through the API.
func userFits(u *store.User, done string) error {
	switch {
	case !u.DeletedAt.IsZero():
		return problemUserNotFound()
	case u.Declared:
		return newProblem(codeUserDeclared, "the user is declared in the collector's configuration, or an applied document, and can only be %s there: change its entry in users, then restart or apply", done)
	}
	return nil
}

func problemBuiltin(done string) *problem {
	return newProblem(codeUserBuiltin, "the built-in user %s cannot be %s: keys that name no owner are its; revoke those that must not be used", store.BuiltinUserID, done)
}

// DeleteUser implements api.StrictServerInterface. The record stays, for the
// audit log and for the keys that name it.
func (s *service) DeleteUser(ctx context.Context, request api.DeleteUserRequestObject) (api.DeleteUserResponseObject, error) {
	c, now := callerIn(ctx), s.now()
	if err := mayAdminister(c, "delete users"); err != nil {
		return nil, err
	}
	_, err := s.store.UpdateUser(ctx, request.ID, func(u *store.User) (store.Audit, error) {
		if err := userFits(u, "deleted"); err != nil {
			return store.Audit{}, err
		}
		if err := checkMatch(request.Params.IfMatch, u.Revision); err != nil {
			return store.Audit{}, err
		}
		if u.ID == store.BuiltinUserID {
			return store.Audit{}, problemBuiltin("deleted")
		}
		before := *u
		u.DeletedAt, u.UpdatedAt = now, now
		return c.auditUser(audit.UserDelete, now, &before, u), nil
	})
	if err != nil {
		return nil, fromUserStore("delete user", err)
	}
	return api.DeleteUser204Response{}, nil
}

// userView shows a record as the API does.
func userView(u *store.User) api.User {
	return api.User{
		ID: u.ID, Email: orNull(u.Email), Name: u.Name, Role: u.Role, Active: u.Enabled(),
		Builtin: u.ID == store.BuiltinUserID, Declared: u.Declared, CreatedAt: u.CreatedAt.UTC(), UpdatedAt: u.UpdatedAt.UTC(),
	}
}
