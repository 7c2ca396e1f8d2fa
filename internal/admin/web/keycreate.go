package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

func (p *pages) newKey(w http.ResponseWriter, r *http.Request) { p.showNewKey(w, r, userKeys) }

func (p *pages) newSystemKey(w http.ResponseWriter, r *http.Request) { p.showNewKey(w, r, systemKeys) }
func (p *pages) createKey(w http.ResponseWriter, r *http.Request)    { p.create(w, r, userKeys) }
func (p *pages) createSystemKey(w http.ResponseWriter, r *http.Request) {
	p.create(w, r, systemKeys)
}

// usualExpiration is the choice that a form begins with, where it can.
const usualExpiration = "90d"

func (p *pages) showNewKey(w http.ResponseWriter, r *http.Request, k kind) {
	visitor := visitorIn(r)
	if k.System() && !visitor.Admin {
		p.refusePage(w, r, &Problem{Status: http.StatusForbidden, Detail: "Only an administrator may create system keys. Create an API key of your own instead."})
		return
	}
	values := url.Values{"permission": {custom}, "environment": {"live"}, "expires": {"never"}}
	if choices := grantable(k.choices(), visitor); len(choices) > 0 {
		values.Set("permission", choices[0].Value)
	}
	if slices.ContainsFunc(within(visitor, p.now()), func(e expiration) bool { return e.Value == usualExpiration }) {
		values.Set("expires", usualExpiration)
	}
	if owner := r.URL.Query().Get("ownerId"); owner != "" {
		values.Set("ownerId", owner)
	}
	p.showKeyForm(w, r, http.StatusOK, "Create "+k.Noun, k, newForm(values))
}

func (p *pages) showKeyForm(w http.ResponseWriter, r *http.Request, status int, title string, k kind, f form) {
	page, err := p.keyForm(r, title, k, f)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	p.render(w, r, status, "key-new", page)
}

// create makes a key, once, and shows its secret, in the answer to the form alone.
func (p *pages) create(w http.ResponseWriter, r *http.Request, k kind) {
	f := formOf(r)
	body, problems := p.keyToCreate(r, f, k)
	if len(problems) > 0 {
		p.showKeyForm(w, r, http.StatusBadRequest, "Create "+k.Noun, k, f.refused(problems...))
		return
	}
	var made *client.CreateKeyResponse
	first, err := p.once(r.Context(), f, func(ctx context.Context) error {
		answer, err := p.api.CreateKeyWithResponse(ctx, nil, body)
		made, err = called(answer, err)
		return err
	})
	switch {
	case !first:
		p.sentTwice(w, r, k)
	case err != nil:
		f.Problem = problemOf(err)
		p.showKeyForm(w, r, f.Problem.Status, "Create "+k.Noun, k, f)
	default:
		p.showSecret(w, r, made.JSON201, "created")
	}
}

// keyToCreate reads the form.
func (p *pages) keyToCreate(r *http.Request, f form, k kind) (client.KeyCreate, []fieldProblem) {
	var problems []fieldProblem
	note := func(problem *fieldProblem) {
		if problem != nil {
			problems = append(problems, *problem)
		}
	}
	body := client.KeyCreate{
		Name: f.Get("name"), Description: f.optional("description"), Type: &k.Type, Scopes: f.scopesOf(k.choices()),
		Projects: f.lines("projects"), AllowedIps: f.list("allowedIps"), Plan: f.optional("plan"),
	}
	if len(body.Scopes) == 0 {
		note(&fieldProblem{"scopes", "must be at least one: choose what the key may do"})
	}
	var problem *fieldProblem
	body.ExpectedCountries, problem = f.countries()
	note(problem)
	body.ExpiresAt, problem = f.expiry(p.now())
	note(problem)
	body.Limits, problem = limitsOf(f)
	note(problem)
	if k.System() {
		if role := client.Role(f.Get("permission")); role != custom {
			body.Role = &role
		}
		return body, problems
	}
	if environment := client.Environment(f.Get("environment")); environment != "" {
		body.Environment = &environment
	}
	body.OwnerID, problem = p.ownerID(r, f)
	note(problem)
	return body, problems
}

// sentTwice answers a form that has been carried out: its secret is not told again.
func (p *pages) sentTwice(w http.ResponseWriter, r *http.Request, k kind) {
	p.render(w, r, http.StatusConflict, "sent-twice", struct {
		frame
		Kind kind
	}{p.frame(r, "Sent already", k.Section), k})
}
