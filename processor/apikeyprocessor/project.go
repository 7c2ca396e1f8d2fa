package apikeyprocessor

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otlpgate/otlpgate/internal/identity"
)

// The project names repeated to the sender are bounded: they are its own, and
// can be many and long.
const (
	maxNamesShown  = 3
	maxNameLetters = 64
)

// refusedProjects are the projects that a request named and its key has no
// access to: as many as are shown, and one to tell that there are more.
type refusedProjects []string

func (r *refusedProjects) add(project string) {
	if !slices.Contains(*r, project) && len(*r) <= maxNamesShown {
		*r = append(*r, project)
	}
}

func (r refusedProjects) message() string {
	shown := make([]string, len(r))
	for i, name := range r {
		shown[i] = fmt.Sprintf("%q", shorten(name))
	}
	if len(r) > maxNamesShown {
		shown[maxNamesShown] = "…"
	}
	return "this API key has no access to project " + strings.Join(shown, ", ") +
		": send to a project of the key, or ask its owner to add this one"
}

func shorten(name string) string {
	letters := 0
	for i := range name {
		if letters == maxNameLetters {
			return name[:i] + "…"
		}
		letters++
	}
	return name
}

// refuses reports whether a resource belongs to a project that the key has no
// access to, and records which.
func (g *passage) refuses(resource pcommon.Resource) bool {
	if len(g.admission.Projects) == 0 {
		return false
	}
	project, refused := g.forbiddenProject(resource.Attributes())
	if refused {
		g.refused.add(project)
	}
	return refused
}

// forbiddenProject looks at every occurrence of the project attribute: OTLP can
// carry a name twice, or in nested maps, and nobody knows which one a backend
// believes. It may take the default project where no attribute of that very name
// is a string with something in it.
func (g *passage) forbiddenProject(attributes pcommon.Map) (string, bool) {
	named := false
	for name, value := range occurrences(attributes, g.config.ProjectAttribute) {
		project := cmp.Or(value.AsString(), identity.DefaultProject)
		if !g.admission.AllowsProject(project) {
			return project, true
		}
		named = named || (name == g.config.ProjectAttribute && value.Str() != "")
	}
	if !named && !g.admission.AllowsProject(identity.DefaultProject) {
		return identity.DefaultProject, true
	}
	return "", false
}

// occurrences visits every value that is called name, or that nested maps put
// there, with the name that it has in its own map.
func occurrences(attributes pcommon.Map, name string) iter.Seq2[string, pcommon.Value] {
	return func(yield func(string, pcommon.Value) bool) {
		for key, value := range attributes.All() {
			if key == name && !yield(key, value) {
				return
			}
			if value.Type() != pcommon.ValueTypeMap || !liesBelow(name, key) {
				continue
			}
			for nested, value := range occurrences(value.Map(), name[len(key)+1:]) {
				if !yield(nested, value) {
					return
				}
			}
		}
	}
}
