package web

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/oapi-codegen/nullable"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// visibleKey returns the key of a page's path, which may be the visitor's or not.
func (p *pages) visibleKey(r *http.Request) (*client.GetKeyResponse, error) {
	answer, err := p.api.GetKeyWithResponse(r.Context(), r.PathValue("id"))
	return called(answer, err)
}

func keyPath(id string) string { return "/keys/" + url.PathEscape(id) }

func (p *pages) editKey(w http.ResponseWriter, r *http.Request) {
	found, err := p.visibleKey(r)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	values := valuesOf(found.JSON200)
	values.Set("version", found.Headers200.ETag)
	p.showEditKey(w, r, http.StatusOK, found.JSON200, newForm(values))
}

func (p *pages) showEditKey(w http.ResponseWriter, r *http.Request, status int, k *client.Key, f form) {
	page, err := p.keyForm(r, "Edit "+k.Name, kindOf(k), f)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	view := p.keyView(r.Context(), p.people(), k)
	page.Key = &view
	if status == http.StatusPreconditionFailed {
		page.Meanwhile = differences(f, k)
	}
	p.render(w, r, status, "key-edit", page)
}

// updateKey sends what has changed, of the version that the form was filled in
// with.
func (p *pages) updateKey(w http.ResponseWriter, r *http.Request) {
	f, problem := readForm(r)
	if problem != nil {
		p.refusePage(w, r, problem)
		return
	}
	found, err := p.visibleKey(r)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	k := found.JSON200
	patch, problems := p.keyPatch(f, k)
	if len(problems) > 0 {
		p.showEditKey(w, r, http.StatusBadRequest, k, f.refused(problems...))
		return
	}
	answer, err := p.api.UpdateKeyWithResponse(r.Context(), k.ID, &client.UpdateKeyParams{IfMatch: f.optional("version")}, patch)
	if _, err = called(answer, err); err != nil {
		f.Problem = problemOf(err)
		if f.Problem.Status == http.StatusPreconditionFailed {
			f.Problem.Detail = "Somebody else has changed this key since you opened it, and nothing was saved. Look at what differs from what you filled in, and save again to overwrite it."
			f.Values.Set("version", found.Headers200.ETag)
		}
		p.showEditKey(w, r, f.Problem.Status, k, f)
		return
	}
	http.Redirect(w, r, keyPath(k.ID)+"?done=updated", http.StatusSeeOther)
}

// differences are what a key has now where the form says otherwise.
func differences(f form, k *client.Key) (list []changeView) {
	now := form{Values: valuesOf(k)}
	for _, field := range []struct{ name, title string }{
		{"name", "Name"},
		{"description", "Description"},
		{"projects", "Projects"},
		{"allowedIps", "Allowed addresses"},
		{"expectedCountries", "Expected countries"},
		{"plan", "Plan"},
		{"limits", "Own limits"},
	} {
		if f.Values.Has(field.name) && f.Get(field.name) != now.Get(field.name) {
			list = append(list, changeView{Field: field.title, To: cmp.Or(now.Get(field.name), "none")})
		}
	}
	if f.Values.Has("permission") && !sameElements(f.scopesOf(kindOf(k).choices()), k.Scopes) {
		list = append(list, changeView{Field: "Permissions", To: strings.Join(texts(k.Scopes), ", ")})
	}
	if f.Get("expires") != now.Get("expires") {
		end := "never"
		if k.ExpiresAt != nil {
			end = k.ExpiresAt.UTC().Format("2 Jan 2006, 15:04 UTC")
		}
		list = append(list, changeView{Field: "Expires", To: end})
	}
	return list
}

// keyPatch holds what the form changes about the key, and nothing else: a visitor
// may not be allowed to send even what stays as it is.
func (p *pages) keyPatch(f form, k *client.Key) (client.KeyPatch, []fieldProblem) {
	var problems []fieldProblem
	was := form{Values: valuesOf(k)}
	changed := func(name string) bool { return f.Values.Has(name) && f.Get(name) != was.Get(name) }
	patch := client.KeyPatch{}
	if changed("name") {
		name := f.Get("name")
		patch.Name = &name
	}
	setText(&patch.Description, f, "description", changed("description"))
	setText(&patch.Plan, f, "plan", changed("plan"))
	if changed("projects") {
		patch.Projects = nullable.NewNullableWithValue(orEmpty(f.list("projects")))
	}
	if changed("allowedIps") {
		patch.AllowedIps = nullable.NewNullableWithValue(orEmpty(f.list("allowedIps")))
	}
	if changed("expectedCountries") {
		patch.ExpectedCountries = nullable.NewNullableWithValue(orEmpty(f.countries()))
	}
	if changed("limits") {
		limits, problem := limitsOf(f)
		if problem != nil {
			problems = append(problems, *problem)
		}
		patch.Limits = nullable.NewNullableWithValue(limits)
	}
	if choice := f.Get("expires"); choice != "" && choice != was.Get("expires") {
		end, problem := f.expiry(p.now())
		switch {
		case problem != nil:
			problems = append(problems, *problem)
		case end == nil:
			patch.ExpiresAt = nullable.NewNullNullable[time.Time]()
		default:
			patch.ExpiresAt = nullable.NewNullableWithValue(*end)
		}
	}
	problems = append(problems, setScopes(&patch, f, k)...)
	return patch, problems
}

func setText(field *nullable.Nullable[string], f form, name string, changed bool) {
	switch text := f.Get(name); {
	case !changed:
	case text == "":
		field.SetNull()
	default:
		field.Set(text)
	}
}

// setScopes sets the scopes, and with them the role of a system key, where they
// change.
func setScopes(patch *client.KeyPatch, f form, k *client.Key) []fieldProblem {
	if !f.Values.Has("permission") {
		return nil
	}
	scopes := f.scopesOf(kindOf(k).choices())
	if len(scopes) == 0 {
		return []fieldProblem{{"scopes", "must be at least one: choose what the key may do, or revoke it"}}
	}
	if sameElements(scopes, k.Scopes) {
		return nil
	}
	patch.Scopes = scopes
	if k.Type == client.KeyTypeSystem {
		if role := client.Role(f.Get("permission")); role != custom {
			patch.Role.Set(role)
		} else {
			patch.Role.SetNull()
		}
	}
	return nil
}

// orEmpty makes nil an empty list, which clears a field.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
