package web

import (
	"net/http"
	"net/url"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// userList is the data of the page of users.
type userList struct {
	frame
	Users  []client.User
	Query  string
	Role   string
	Active string
	Next   string // the next page's path; empty on the last
}

// userScan is how many users a page looks at: what can be read in 50 ms.
const userScan = 2000

// Filtered reports whether not all are asked for.
func (l userList) Filtered() bool { return l.Query != "" || l.Role != "" || l.Active != "" }

func (p *pages) listUsers(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	page := userList{frame: p.frame(r, "Users", "/users"), Query: query.Get("q"), Role: query.Get("role"), Active: query.Get("active")}
	scan := userScan
	params := &client.ListUsersParams{Scan: &scan, Q: parameter[string](query, "q"), Role: parameter[client.Role](query, "role"), Cursor: parameter[string](query, "cursor")}
	if page.Active != "" {
		active := page.Active == "true"
		params.Active = &active
	}
	answer, err := p.api.ListUsersWithResponse(r.Context(), params)
	list, err := called(answer, err)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	page.Users, page.Next = list.JSON200.Data, nextPage(r, list.JSON200.NextCursor)
	p.render(w, r, http.StatusOK, "users", page)
}

// parameter returns a parameter of a page for a call, nil where it is empty.
func parameter[T ~string](query url.Values, name string) *T {
	return orNil(T(query.Get(name)))
}

// nextPage is the path of the same page with another cursor, empty without one.
func nextPage(r *http.Request, cursor *string) string {
	if value(cursor) == "" {
		return ""
	}
	query := r.URL.Query()
	query.Del("done")
	query.Set("cursor", *cursor)
	return r.URL.Path + "?" + query.Encode()
}

// userPage is the data of the pages of one user.
type userPage struct {
	frame
	form
	User  *client.User // nil of a new one
	Roles []permission
}

// Changeable reports whether the pages can change the user.
func (u userPage) Changeable() bool { return u.Visitor.Admin && !u.User.Declared }

// Deletable reports whether the pages can delete the user.
func (u userPage) Deletable() bool { return u.Changeable() && !u.User.Builtin }

func (p *pages) newUser(w http.ResponseWriter, r *http.Request) {
	if !visitorIn(r).Admin {
		p.refusePage(w, r, &Problem{Status: http.StatusForbidden, Detail: "Only an administrator may create users: ask one."})
		return
	}
	p.showUserForm(w, r, http.StatusOK, "user-new", "Create user", nil, newForm(url.Values{"role": {"member"}}))
}

func (p *pages) showUserForm(w http.ResponseWriter, r *http.Request, status int, view, title string, user *client.User, f form) {
	p.render(w, r, status, view, userPage{frame: p.frame(r, title, "/users"), form: p.shown(f), User: user, Roles: roles})
}

func (p *pages) createUser(w http.ResponseWriter, r *http.Request) {
	f := formOf(r)
	role := client.Role(f.Get("role"))
	answer, err := p.api.CreateUserWithResponse(r.Context(), client.UserCreate{Email: f.optional("email"), Name: f.optional("name"), Role: &role})
	made, err := called(answer, err)
	if err != nil {
		f.Problem = problemOf(err)
		p.showUserForm(w, r, f.Problem.Status, "user-new", "Create user", nil, f)
		return
	}
	lead(w, r, userPath(made.JSON201.ID)+"?done=user-created")
}

func userPath(id string) string { return "/users/" + url.PathEscape(id) }

// ofUser is a page of the user in its path.
func (p *pages) ofUser(page func(http.ResponseWriter, *http.Request, *client.GetUserResponse)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, err := p.api.GetUserWithResponse(r.Context(), r.PathValue("id"))
		found, err := called(answer, err)
		if err != nil {
			p.failed(w, r, err)
			return
		}
		page(w, r, found)
	}
}

func (p *pages) showUser(w http.ResponseWriter, r *http.Request, found *client.GetUserResponse) {
	u := found.JSON200
	p.showUserForm(w, r, http.StatusOK, "user", u.Name, u, editOf(userValues(u), found.Headers200.ETag))
}

// userValues fills a form in with what a user has. The built-in user's has neither
// role nor state.
func userValues(u *client.User) url.Values {
	values := url.Values{"name": {u.Name}, "email": {value(u.Email)}}
	if u.Builtin {
		return values
	}
	values.Set("role", string(u.Role))
	if u.Active {
		values.Set("active", "true")
	}
	return values
}

func (p *pages) updateUser(w http.ResponseWriter, r *http.Request, found *client.GetUserResponse) {
	f := formOf(r)
	u := found.JSON200
	answer, err := p.api.UpdateUserWithResponse(r.Context(), u.ID, &client.UpdateUserParams{IfMatch: f.optional("version")}, userPatch(f))
	if _, err = called(answer, err); err != nil {
		f.Problem = problemOf(err)
		if f.Problem.wasOvertaken() {
			f.Problem.Detail = "Somebody else has changed this user since you opened it, and nothing was saved. Below is the user as it is now, with your changes. Save again to make them."
			f = f.overtaken(userValues(u), found.Headers200.ETag, f.Problem)
		}
		p.showUserForm(w, r, f.Problem.Status, "user", u.Name, u, f)
		return
	}
	lead(w, r, userPath(u.ID)+"?done=user-updated")
}

// userPatch holds what the form changes.
func userPatch(f form) client.UserPatch {
	var patch client.UserPatch
	if f.changes("name") {
		name := f.Get("name")
		patch.Name = &name
	}
	setText(&patch.Email, f, "email", f.changes("email"))
	if f.changes("role") {
		role := client.Role(f.Get("role"))
		patch.Role = &role
	}
	if f.changesChoice("active") {
		active := f.Has("active", "true")
		patch.Active = &active
	}
	return patch
}

func (p *pages) confirmDeleteUser(w http.ResponseWriter, r *http.Request, found *client.GetUserResponse) {
	p.showUserForm(w, r, http.StatusOK, "user-delete", "Delete "+found.JSON200.Name, found.JSON200, newForm(url.Values{}))
}

// deleteUser deletes a user for whoever has typed the name.
func (p *pages) deleteUser(w http.ResponseWriter, r *http.Request, found *client.GetUserResponse) {
	f := formOf(r)
	u := found.JSON200
	if !confirmed(f, u.Name) {
		f = f.refused(fieldProblem{"confirm", "must be the name of the user, as it is written above"})
		p.showUserForm(w, r, http.StatusBadRequest, "user-delete", "Delete "+u.Name, u, f)
		return
	}
	answer, err := p.api.DeleteUserWithResponse(r.Context(), u.ID, nil)
	if _, err = called(answer, err); err != nil {
		f.Problem = problemOf(err)
		p.showUserForm(w, r, f.Problem.Status, "user-delete", "Delete "+u.Name, u, f)
		return
	}
	http.Redirect(w, r, "/users?done=user-deleted", http.StatusSeeOther)
}
