package admin

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
)

const (
	verifyPath    = api.BasePath + "/verify"
	verifyPattern = "GET " + verifyPath
)

// The headers that ask for more than the query does. They can only make a
// verdict stricter, so it does no harm where a client sends them.
const (
	requiredScopeHeader   = "X-Required-Scope"
	requiredProjectHeader = "X-Required-Project"
)

// isVerify reports whether a path is one of forward auth. Proxies append the
// path of the request that they ask about, whatever it is.
func isVerify(path string) bool { return path == verifyPath || strings.HasPrefix(path, verifyPath+"/") }

// verify judges the key of a request that a proxy has asked about (forward
// auth). What costs nothing is checked first, so that a refusal does not.
func (s *service) verify(w http.ResponseWriter, r *http.Request) {
	admission, err := admissionOf(r, s.keyOf(r))
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	need, err := s.requirementsOf(r)
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	defer admission.Tab.Close()
	refusal := need.refuse(admission.Identity)
	if refusal == nil {
		refusal = admission.Enter(r.Context(), limit.API)
	}
	for _, f := range admission.Tab.Fields(limit.API) {
		w.Header().Set(f.Name, f.Value)
	}
	if refusal != nil {
		s.writeProblem(w, r, refusal)
		return
	}
	describe(w.Header(), admission.Identity)
	w.WriteHeader(passStatus(r.URL.Path))
}

// passStatus is the status that lets a request pass. Envoy, the proxy that
// appends paths, takes nothing but 200 for it: with 204 it would refuse.
func passStatus(path string) int {
	if path == verifyPath {
		return http.StatusNoContent
	}
	return http.StatusOK
}

// requirements are what a key must have for a request to pass.
type requirements struct {
	scopes   []identity.Scope
	projects []string
}

// requirementsOf reads what the proxy asks for: from the query, where the path
// is this one and the query so the proxy's, and from headers.
func (s *service) requirementsOf(r *http.Request) (requirements, error) {
	scopes, projects := r.Header.Values(requiredScopeHeader), r.Header.Values(requiredProjectHeader)
	query, err := s.verifyQuery(r, len(scopes)+len(projects) > 0)
	if err != nil {
		return requirements{}, err
	}
	return parseRequirements(append(scopes, query["scope"]...), append(projects, query["project"]...))
}

// parseRequirements refuses to ask for nothing where something is asked for
// blank: a variable that is empty by mistake must not open a service to every
// key. Beside others a blank header asks for nothing: it may be the client's.
func parseRequirements(scopes, projects []string) (requirements, error) {
	need := requirements{projects: slices.DeleteFunc(slices.Clone(projects), isBlank)}
	for name := range strings.FieldsSeq(strings.Join(scopes, " ")) {
		scope, err := identity.ParseScope(name)
		if err != nil {
			return requirements{}, problemFields([]api.FieldError{parameterError("scope", err.Error())})
		}
		need.scopes = append(need.scopes, scope)
	}
	if asked := len(scopes) + len(projects); asked > 0 && len(need.scopes)+len(need.projects) == 0 {
		return requirements{}, problemFields([]api.FieldError{parameterError("scope", "must not be blank, nor must project: leave it out to ask for none")})
	}
	return need, nil
}

// verifyQuery returns what the proxy's own query asks for. It refuses one that
// asks for nothing by mistake: a misspelt parameter must not open a service to
// every key. Below the path the query is that of the request asked about; but
// with a slash alone, where headers ask for nothing, it may be the proxy's.
func (s *service) verifyQuery(r *http.Request, headersAsk bool) (url.Values, error) {
	own := r.URL.Path == verifyPath || (r.URL.Path == verifyPath+"/" && !headersAsk && asksByQuery(r))
	if !own {
		return nil, nil
	}
	query, err := s.checkQuery(r, s.spec.route(verifyPattern).Operation)
	if err != nil {
		return nil, err
	}
	for name, values := range query {
		if isBlank(values[0]) {
			return nil, problemFields([]api.FieldError{parameterError(name, "must not be blank: leave it out to ask for none")})
		}
	}
	return query, nil
}

func asksByQuery(r *http.Request) bool {
	query := r.URL.Query()
	return query.Has("scope") || query.Has("project")
}

func isBlank(text string) bool { return strings.TrimSpace(text) == "" }

// refuse returns why a key does not have what is asked for, nil where it has.
func (n requirements) refuse(id *identity.Identity) *identity.Refusal {
	for _, scope := range n.scopes {
		if !id.Scopes.Has(scope) {
			return identity.NewRefusal(identity.MissingScope,
				"this API key lacks the scope "+string(scope)+": ask its owner to add it")
		}
	}
	for _, project := range n.projects {
		if !id.AllowsProject(project) {
			return identity.NewRefusal(identity.ProjectNotAllowed,
				"this API key has no access to the project asked for: ask its owner to add it")
		}
	}
	return nil
}

// describe says whose request it is, for the service behind the proxy. Headers
// are Latin-1 at best, so texts of people are percent-encoded.
func describe(h http.Header, id *identity.Identity) {
	h.Set("X-Api-Key-Id", id.KeyID)
	h.Set("X-Api-Key-Owner", id.OwnerID)
	h.Set("X-Api-Key-Name", url.PathEscape(id.KeyName))
	h.Set("X-Api-Key-Type", string(id.KeyType))
	h.Set("X-Api-Key-Scopes", joined(id.Scopes.List()))
	projects := make([]string, len(id.Projects))
	for i, p := range id.Projects {
		projects[i] = url.QueryEscape(p)
	}
	h.Set("X-Api-Key-Projects", strings.Join(projects, ","))
}

func joined(scopes []identity.Scope) string {
	names := make([]string, len(scopes))
	for i, scope := range scopes {
		names[i] = string(scope)
	}
	return strings.Join(names, " ")
}
