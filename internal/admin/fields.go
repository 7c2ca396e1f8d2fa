package admin

import (
	"fmt"
	"net/mail"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/clientip"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/declaration"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// fieldReader turns fields of a request into values of a record and gathers
// the rules that they break beyond those of the document.
type fieldReader struct {
	now    time.Time
	plans  *limit.Plans
	errors []api.FieldError
}

func (s *service) newFieldReader() *fieldReader { return &fieldReader{now: s.now(), plans: s.plans} }

// err returns the problem of all broken rules, nil where there are none.
func (f *fieldReader) err() error {
	if len(f.errors) == 0 {
		return nil
	}
	return problemFields(f.errors)
}

func (f *fieldReader) refuse(rule string, path ...string) {
	f.errors = append(f.errors, fieldError(pointer(path...), rule))
}

func (f *fieldReader) name(text string) string {
	f.line(text, "name")
	if strings.TrimSpace(text) == "" {
		f.refuse("must not be blank", "name")
	}
	return text
}

// line refuses characters that would break a line or hide in it.
func (f *fieldReader) line(text string, path ...string) {
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) }) {
		f.refuse("must not contain control characters or line breaks", path...)
	}
}

func (f *fieldReader) description(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\n\r", r) }) {
		f.refuse("must not contain control characters other than tabs and line breaks", "description")
	}
	return text
}

// scopes returns the listed scopes or those of the preset, without those that
// others imply. Nil means that neither was given.
func (f *fieldReader) scopes(listed []identity.Scope, preset *api.Preset) []identity.Scope {
	switch {
	case len(listed) > 0 && preset != nil:
		f.refuse("must be left out where scopes are given", "preset")
	case preset != nil:
		listed, _ = identity.Preset(string(*preset)) // known by the document
	case len(listed) == 0:
		return nil
	}
	return identity.NewScopeSet(listed...).List()
}

func (f *fieldReader) projects(names []string) []string {
	for i, name := range names {
		f.line(name, "projects", strconv.Itoa(i))
	}
	return unique(names)
}

func (f *fieldReader) plan(name string) string {
	if name != "" && !f.plans.Has(name) {
		f.refuse(f.plans.Unknown(name).Error(), "plan")
	}
	return name
}

// limits refuses what the document cannot: rules between the fields of a limit,
// and between limits.
func (f *fieldReader) limits(list []limit.Limit) []limit.Limit {
	for i, l := range list {
		if err := l.Validate(); err != nil {
			field, rule, _ := strings.Cut(err.Error(), ": ")
			f.refuse(rule, "limits", strconv.Itoa(i), field)
		}
		if j := slices.IndexFunc(list[:i], l.SameWindow); j >= 0 {
			f.refuse(fmt.Sprintf("is on the same %s %s in %s as /limits/%d: keep one of them", l.On, l.Unit, l.Window, j), "limits", strconv.Itoa(i))
		}
	}
	return unique(list)
}

func (f *fieldReader) allowedIPs(texts []string) []netip.Prefix {
	var prefixes []netip.Prefix
	for i, text := range texts {
		prefix, err := clientip.ParsePrefix(text)
		if err != nil {
			f.refuse(err.Error(), "allowedIps", strconv.Itoa(i))
			continue
		}
		prefixes = append(prefixes, prefix)
	}
	return unique(prefixes)
}

func (f *fieldReader) countries(codes []string) []string {
	for i, code := range codes {
		if !declaration.IsCountry(code) {
			f.refuse("must be the code of a country (ISO 3166-1 alpha-2, upper-case) such as DE", "expectedCountries", strconv.Itoa(i))
		}
	}
	return unique(codes)
}

func (f *fieldReader) expiry(t time.Time) time.Time {
	if !t.After(f.now) {
		f.refuse("must be in the future", "expiresAt")
	}
	return t.UTC().Truncate(time.Microsecond) // as the store keeps it
}

// unique drops repetitions and keeps the order; an empty list becomes nil, as
// records hold it.
func unique[T comparable](list []T) []T {
	var kept []T
	for _, element := range list {
		if !slices.Contains(kept, element) {
			kept = append(kept, element)
		}
	}
	return kept
}

// recordedSecret returns the secret of a key that exists already, none where no
// digest is given.
func (f *fieldReader) recordedSecret(digest, hint *string) []store.Secret {
	if digest == nil {
		if hint != nil {
			f.refuse("must be left out where there is no digest", "hint")
		}
		return nil
	}
	parsed, err := credential.ParseDigest(*digest)
	if err != nil {
		f.refuse(err.Error(), "digest")
	}
	f.line(value(hint), "hint")
	return []store.Secret{{Digest: store.Digest(parsed), Hint: value(hint), CreatedAt: f.now}}
}

// email refuses what is no address, or has more than the address.
func (f *fieldReader) email(text string) string {
	address, err := mail.ParseAddress(text)
	if err != nil || address.Address != text {
		f.refuse("must be an email address such as ada@example.com, without a name", "email")
	}
	return text
}
