package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/limit"
)

// keyForm is the data of the pages on which keys are created and edited.
type keyForm struct {
	frame
	form
	Kind        kind
	Key         *keyView // nil of a new key
	Choices     []permission
	ScopeGroups []scopeGroup
	Owners      []client.User // that can be chosen; empty where none can
	Plans       []client.Plan // likewise
	Expirations []expiration
	Today       string
	Meanwhile   []changeView // what somebody else has changed since the form was opened
}

// EndsWith reports whether a new key ends with the visitor's, unless it ends before.
func (k keyForm) EndsWith() bool {
	return k.Key == nil && !k.Visitor.Admin && !k.Visitor.EndsAt.IsZero()
}

// ForeignPlan reports whether the form has a plan that is not among those to choose
// from: a key keeps the one that it is on until somebody chooses another.
func (k keyForm) ForeignPlan() bool {
	plan := k.Get("plan")
	return plan != "" && !slices.ContainsFunc(k.Plans, func(p client.Plan) bool { return p.Name == plan })
}

// kind is what tells the pages of user keys from those of system keys.
type kind struct {
	Type    client.KeyType
	Section string // of the navigation, and where the list is
	Noun    string
}

var (
	userKeys   = kind{client.KeyTypeUser, "/keys", "API key"}
	systemKeys = kind{client.KeyTypeSystem, "/system-keys", "system key"}
)

// System reports whether the pages are those of system keys.
func (k kind) System() bool { return k.Type == client.KeyTypeSystem }

func (k kind) choices() []permission {
	if k.System() {
		return roles
	}
	return permissions
}

func kindOf(k *client.Key) kind {
	if k.Type == client.KeyTypeSystem {
		return systemKeys
	}
	return userKeys
}

// keyForm makes the data of a form, with what there is to choose from.
func (p *pages) keyForm(r *http.Request, title string, k kind, f form) (keyForm, error) {
	page := keyForm{
		frame: p.frame(r, title, k.Section), form: p.shown(f), Kind: k, Choices: k.choices(), ScopeGroups: scopeGroups,
		Expirations: expirations, Today: p.now().UTC().Format(time.DateOnly),
	}
	if !page.Visitor.Admin {
		page.Choices, page.ScopeGroups = grantable(page.Choices, page.Visitor), grantableGroups(page.Visitor)
		page.Expirations = within(page.Visitor, p.now())
		return page, nil
	}
	var err error
	if page.Plans, err = p.plans(r); err != nil {
		return page, err
	}
	if !k.System() {
		page.Owners, err = p.owners(r)
	}
	return page, err
}

// within are the expirations that a visitor may pass on.
func within(v Visitor, now time.Time) []expiration {
	return slices.DeleteFunc(slices.Clone(expirations), func(e expiration) bool {
		return !v.EndsAt.IsZero() && now.Add(e.After).After(v.EndsAt)
	})
}

// maxOwners is how many users a form offers; any other can be typed in.
const maxOwners = 100

func (p *pages) owners(r *http.Request) ([]client.User, error) {
	active, most := true, maxOwners
	answer, err := p.api.ListUsersWithResponse(r.Context(), &client.ListUsersParams{Active: &active, Limit: &most})
	list, err := called(answer, err)
	if err != nil {
		return nil, err
	}
	return list.JSON200.Data, nil
}

func (p *pages) plans(r *http.Request) ([]client.Plan, error) {
	answer, err := p.api.ListPlansWithResponse(r.Context())
	list, err := called(answer, err)
	if err != nil {
		return nil, err
	}
	return list.JSON200.Data, nil
}

// fieldProblem is what is wrong with what was filled in.
type fieldProblem struct{ name, detail string }

func (p fieldProblem) field() client.FieldError {
	pointer := "/" + p.name
	return client.FieldError{Pointer: &pointer, Detail: p.detail}
}

// ownerID returns the user that was typed in: by id, or by email.
func (p *pages) ownerID(r *http.Request, f form) (*string, *fieldProblem) {
	text := f.Get("ownerId")
	if text == "" || !strings.Contains(text, "@") {
		return f.optional("ownerId"), nil
	}
	answer, err := p.api.ListUsersWithResponse(r.Context(), &client.ListUsersParams{Q: &text})
	list, err := called(answer, err)
	if err != nil {
		return nil, &fieldProblem{"ownerId", problemOf(err).Detail}
	}
	i := slices.IndexFunc(list.JSON200.Data, func(u client.User) bool { return strings.EqualFold(value(u.Email), text) })
	if i < 0 {
		return nil, &fieldProblem{"ownerId", "must be the email or id of a user: there is none with this email"}
	}
	return &list.JSON200.Data[i].ID, nil
}

// limitsOf reads limits, one in a line.
func limitsOf(f form) ([]client.Limit, *fieldProblem) {
	limits := []client.Limit{}
	for i, word := range f.list("limits") {
		l, err := limit.ParseLimit(word)
		if err != nil {
			return nil, &fieldProblem{"limits", "line " + strconv.Itoa(i+1) + ": " + err.Error() + "; write one in a line, such as ingest:requests:100/1m"}
		}
		limits = append(limits, client.Limit{
			On: client.Traffic(l.On.String()), Unit: client.Unit(l.Unit.String()), Max: l.Max, Window: l.Window.String(),
		})
	}
	return limits, nil
}

// valuesOf fills a form in with what a key has.
func valuesOf(k *client.Key) url.Values {
	values := url.Values{
		"name": {k.Name}, "description": {k.Description}, "projects": {strings.Join(k.Projects, "\n")},
		"allowedIps": {strings.Join(k.AllowedIps, "\n")}, "expectedCountries": {strings.Join(k.ExpectedCountries, ", ")},
		"plan": {k.Plan}, "permission": {custom}, "scopes": texts(k.Scopes), "expires": {"never"},
	}
	for _, p := range kindOf(k).choices() {
		if sameElements(p.Scopes, k.Scopes) {
			values.Set("permission", p.Value)
		}
	}
	var limits []string
	for _, l := range k.Limits {
		limits = append(limits, l.Word())
	}
	values.Set("limits", strings.Join(limits, "\n"))
	if k.ExpiresAt != nil {
		values.Set("expires", "keep")
	}
	return values
}
