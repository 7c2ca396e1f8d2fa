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

// ofKey is a page of the key in its path.
func (p *pages) ofKey(page func(http.ResponseWriter, *http.Request, *client.GetKeyResponse)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		found, err := p.visibleKey(r)
		if err != nil {
			p.failed(w, r, err)
			return
		}
		page(w, r, found)
	}
}

func keyPath(id string) string { return "/keys/" + url.PathEscape(id) }

func (p *pages) editKey(w http.ResponseWriter, r *http.Request, found *client.GetKeyResponse) {
	p.showEditKey(w, r, http.StatusOK, found.JSON200, editOf(valuesOf(found.JSON200), found.Headers200.ETag))
}

func (p *pages) showEditKey(w http.ResponseWriter, r *http.Request, status int, k *client.Key, f form) {
	page, err := p.keyForm(r, "Edit "+k.Name, kindOf(k), f)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	view := p.keyView(r.Context(), p.people(), k)
	page.Key = &view
	if f.Problem != nil && f.Problem.wasOvertaken() {
		page.Meanwhile = differences(f, k)
	}
	p.render(w, r, status, "key-edit", page)
}

// updateKey sends what has changed, of the version that the form was filled in
// with.
func (p *pages) updateKey(w http.ResponseWriter, r *http.Request, found *client.GetKeyResponse) {
	f := formOf(r)
	k := found.JSON200
	patch, problems := p.keyPatch(f, k)
	if len(problems) > 0 {
		p.showEditKey(w, r, http.StatusBadRequest, k, f.refused(problems...))
		return
	}
	answer, err := p.api.UpdateKeyWithResponse(r.Context(), k.ID, &client.UpdateKeyParams{IfMatch: f.optional("version")}, patch)
	if _, err = called(answer, err); err != nil {
		f.Problem = problemOf(err)
		if f.Problem.wasOvertaken() {
			f.Problem.Detail = "Somebody else has changed this key since you opened it, and nothing was saved. Below is the key as it is now, with your changes. Save again to make them."
			f = f.overtaken(valuesOf(k), found.Headers200.ETag, f.Problem)
		}
		p.showEditKey(w, r, f.Problem.Status, k, f)
		return
	}
	lead(w, r, keyPath(k.ID)+"?done=updated")
}

// differences are what a key has now where the form says otherwise.
func differences(f form, k *client.Key) (list []changeView) {
	now := form{Values: valuesOf(k)}
	for _, name := range []string{"name", "description", "projects", "allowedIps", "expectedCountries", "plan", "limits"} {
		if f.Values.Has(name) && f.Get(name) != now.Get(name) {
			list = append(list, changeView{Field: labels[name], To: cmp.Or(now.Get(name), "none")})
		}
	}
	if f.Values.Has("permission") && !sameElements(f.scopesOf(kindOf(k).choices()), k.Scopes) {
		list = append(list, changeView{Field: labels["scopes"], To: strings.Join(texts(k.Scopes), ", ")})
	}
	if f.Get("expires") != now.Get("expires") {
		end := "never"
		if k.ExpiresAt != nil {
			end = k.ExpiresAt.UTC().Format("2 Jan 2006, 15:04 UTC")
		}
		list = append(list, changeView{Field: labels["expiresAt"], To: end})
	}
	return list
}

// keyPatch holds what the form changes about the key, and nothing else: a visitor
// may not be allowed to send even what stays as it is.
func (p *pages) keyPatch(f form, k *client.Key) (client.KeyPatch, []fieldProblem) {
	var problems []fieldProblem
	patch := client.KeyPatch{}
	if f.changes("name") {
		name := f.Get("name")
		patch.Name = &name
	}
	setText(&patch.Description, f, "description", f.changes("description"))
	setText(&patch.Plan, f, "plan", f.changes("plan"))
	if f.changes("projects") {
		patch.Projects = nullable.NewNullableWithValue(orEmpty(f.lines("projects")))
	}
	if f.changes("allowedIps") {
		patch.AllowedIps = nullable.NewNullableWithValue(orEmpty(f.list("allowedIps")))
	}
	if f.changes("expectedCountries") {
		countries, problem := f.countries()
		if problem != nil {
			problems = append(problems, *problem)
		}
		patch.ExpectedCountries = nullable.NewNullableWithValue(orEmpty(countries))
	}
	if f.changes("limits") {
		limits, problem := limitsOf(f)
		if problem != nil {
			problems = append(problems, *problem)
		}
		patch.Limits = nullable.NewNullableWithValue(limits)
	}
	if f.changes("expires") {
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
	if !f.changes("permission") && !f.changesChoice("scopes") {
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
