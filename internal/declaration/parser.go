package declaration

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/otlpgate/otlpgate/internal/clientip"
	"github.com/otlpgate/otlpgate/internal/identity"
)

// parser collects the rules that a record breaks, so that all show at once.
type parser struct{ errs []error }

func (p *parser) refuse(path []string, format string, args ...any) {
	p.errs = append(p.errs, &Error{Path: path, Rule: fmt.Sprintf(format, args...)})
}

func (p *parser) check(ok bool, field, format string, args ...any) {
	if !ok {
		p.refuse([]string{field}, format, args...)
	}
}

// add takes over errors whose text begins with their path, as those of package
// limit do.
func (p *parser) add(err error, path ...string) {
	if err == nil {
		return
	}
	for line := range strings.Lines(err.Error()) {
		where, rule, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		p.errs = append(p.errs, &Error{Path: append(append([]string{}, path...), strings.Split(where, "::")...), Rule: rule})
	}
}

// under takes over the errors of a part of the document.
func (p *parser) under(err error, path ...string) {
	for _, e := range Errors(err) {
		moved := *e
		moved.Path = append(append([]string{}, path...), e.Path...)
		p.errs = append(p.errs, &moved)
	}
}

func (p *parser) err() error { return errors.Join(p.errs...) }

func parse[In, Out any](p *parser, value In, f func(In) (Out, error), path ...string) Out {
	out, err := f(value)
	if err != nil {
		p.refuse(path, "%s", err)
	}
	return out
}

// The longest texts and lists, as in the admin API. A record within them fits
// into every store.
const (
	maxName        = 100 // of plans, hints and ids of owners too
	maxDescription = 1000
	maxScopes      = 100
	maxProjects    = 100
	maxProject     = 256
	maxAddresses   = 100
	maxCountries   = 300
)

// line checks a text that is shown on one line.
func (p *parser) line(text string, longest int, path ...string) {
	if n := utf8.RuneCountInString(text); n > longest {
		p.refuse(path, "%d characters are too many: must be at most %d", n, longest)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) }) {
		p.refuse(path, "must not contain control characters or line breaks")
	}
}

func (p *parser) description(text string) {
	n := utf8.RuneCountInString(text)
	p.check(n <= maxDescription, "description", "%d characters are too many: must be at most %d", n, maxDescription)
	p.check(!strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\n\r", r) }),
		"description", "must not contain control characters other than tabs and line breaks")
}

// parseList returns what element makes of each text, in order and without
// repetitions; nil where there is none. One that is too long is not looked into.
func parseList[T comparable](p *parser, texts []string, longest int, field string, element func(text string, index int) T) []T {
	if len(texts) > longest {
		p.refuse([]string{field}, "%d are too many: must be at most %d", len(texts), longest)
		return nil
	}
	var list []T
	for i, text := range texts {
		if e := element(text, i); !slices.Contains(list, e) {
			list = append(list, e)
		}
	}
	return list
}

func (p *parser) projects(names []string) []string {
	return parseList(p, names, maxProjects, "projects", func(name string, i int) string {
		path := []string{"projects", strconv.Itoa(i)}
		if name == "" {
			p.refuse(path, "must not be empty: name a project, or leave the list out for every project")
		}
		p.line(name, maxProject, path...)
		return name
	})
}

func (p *parser) countries(codes []string) []string {
	const field = "expected_countries"
	return parseList(p, codes, maxCountries, field, func(code string, i int) string {
		if !IsCountry(code) {
			p.refuse([]string{field, strconv.Itoa(i)},
				"%.20q is not the code of a country: must be of ISO 3166-1 alpha-2, upper-case, such as DE", code)
		}
		return code
	})
}

func (p *parser) addresses(texts []string) []netip.Prefix {
	const field = "allowed_ips"
	return parseList(p, texts, maxAddresses, field, func(text string, _ int) netip.Prefix {
		prefix, err := clientip.ParsePrefix(text)
		if err != nil {
			p.refuse([]string{field}, "%.80q is no address range: %s", text, err)
		}
		return prefix
	})
}

func (p *parser) scopes(names []string) []identity.Scope {
	const field = "scopes"
	return parseList(p, names, maxScopes, field, func(name string, i int) identity.Scope {
		return parse(p, name, identity.ParseScope, field, strconv.Itoa(i))
	})
}
