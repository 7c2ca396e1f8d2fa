package web

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/session"
)

// form is what somebody has filled in, and what is wrong with it.
type form struct {
	// Values are by the names of inputs, which are those of the API's fields.
	Values url.Values
	// Problem is why it was not carried out; nil on the first showing.
	Problem *Problem
	// Once names this showing of the form, so that it is carried out once.
	Once string

	opened url.Values // what a form that edits a record was opened with
}

func newForm(values url.Values) form { return form{Values: values, Once: rand.Text()} }

// formOf returns what was sent. Browsers send CR LF for a line break.
func formOf(r *http.Request) form {
	values := url.Values{}
	for name, texts := range r.PostForm {
		for _, text := range texts {
			values.Add(name, strings.ReplaceAll(text, "\r\n", "\n"))
		}
	}
	f := newForm(values)
	f.opened, _ = url.ParseQuery(values.Get("was")) // as editOf wrote it, or else everything has changed
	return f
}

// Get returns the text of an input without space around it.
func (f form) Get(name string) string { return strings.TrimSpace(f.Values.Get(name)) }

// Has reports whether a choice of several was made.
func (f form) Has(name, choice string) bool {
	return slices.Contains(f.Values[name], choice)
}

// Error returns what is wrong with an input, empty where nothing is.
func (f form) Error(name string) string {
	if f.Problem == nil {
		return ""
	}
	for _, field := range f.Problem.Fields {
		if inputOf(field.Place()) == name {
			return field.Detail
		}
	}
	return ""
}

// inputOf returns the input that an API's field is filled in with.
func inputOf(place string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(place, "/"), "/")
	if name == "preset" {
		return "scopes"
	}
	return name
}

// labels are what people call inputs.
var labels = map[string]string{
	"name": "Name", "description": "Description", "ownerId": "Owner", "scopes": "Permissions", "role": "Role", "environment": "Environment",
	"expiresAt": "Expiration", "projects": "Projects", "allowedIps": "Allowed addresses", "expectedCountries": "Expected countries",
	"plan": "Plan", "limits": "Own limits", "email": "Email", "active": "Active", "confirm": "Confirmation", "gracePeriod": "Grace period",
}

// labelOf returns what people call the input that a rule is about, and the field's
// own name where no form has it.
func labelOf(f client.FieldError) string {
	if label, ok := labels[inputOf(f.Place())]; ok {
		return label
	}
	return f.Place()
}

// lines returns the lines of an input that are not empty.
func (f form) lines(name string) []string { return f.split(name, "\n") }

// list returns the lines of an input, or what is between commas.
func (f form) list(name string) []string { return f.split(name, "\n,") }

func (f form) split(name, separators string) []string {
	var list []string
	for _, part := range strings.FieldsFunc(f.Values.Get(name), func(r rune) bool { return strings.ContainsRune(separators, r) }) {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// countries returns country codes, which are written in capitals.
func (f form) countries() ([]string, *fieldProblem) {
	var list []string
	for _, code := range f.list("expectedCountries") {
		if len(code) != 2 {
			return nil, &fieldProblem{"expectedCountries", "must be codes of two letters, such as DE, FR"}
		}
		list = append(list, strings.ToUpper(code))
	}
	return list, nil
}

// optional returns the text of an input, nil where it is empty.
func (f form) optional(name string) *string {
	return orNil(f.Get(name))
}

// confirmed reports whether somebody has typed a name, give or take space.
func confirmed(f form, name string) bool {
	return strings.Join(strings.Fields(f.Get("confirm")), " ") == strings.Join(strings.Fields(name), " ")
}

// refused returns the form with what is wrong about a field.
func (f form) refused(problems ...fieldProblem) form {
	f.Problem = &Problem{Status: http.StatusBadRequest, Detail: "Nothing was done yet: see what is marked below."}
	for _, problem := range problems {
		f.Problem.Fields = append(f.Problem.Fields, problem.field())
	}
	return f
}

// shown returns a form to show again: without keys, which somebody may have put into
// the wrong field, and no page may have.
func (p *pages) shown(f form) form {
	values := url.Values{}
	for name, texts := range f.Values {
		for _, text := range texts {
			values.Add(name, p.secrets.Redact(text))
		}
	}
	f.Values = values
	return f
}

// once carries out what must not be done twice, however often the form is sent. It
// reports false where it has been.
func (p *pages) once(ctx context.Context, f form, do func(context.Context) error) (first bool, err error) {
	s, _ := session.FromContext(ctx)
	name := f.Get("once")
	if name == "" || !p.sessions.Spend(s, name) {
		return false, nil
	}
	if err = do(ctx); err != nil {
		p.sessions.Unspend(s, name)
	}
	return true, err
}

// expiration is a choice of when a key ends, from now.
type expiration struct {
	Value, Title string
	After        time.Duration
}

var expirations = []expiration{
	{"7d", "7 days", 7 * 24 * time.Hour},
	{"30d", "30 days", 30 * 24 * time.Hour},
	{"90d", "90 days", 90 * 24 * time.Hour},
	{"365d", "1 year", 365 * 24 * time.Hour},
}

// lastYear is the last in which a key can be said to end: RFC 3339 has four digits.
const lastYear = 9998

// expiry returns when a key is to end, nil for never.
func (f form) expiry(now time.Time) (*time.Time, *fieldProblem) {
	choice := f.Get("expires")
	for _, e := range expirations {
		if choice == e.Value {
			end := now.Add(e.After).UTC().Truncate(time.Second)
			return &end, nil
		}
	}
	switch choice {
	case "", "never":
		return nil, nil
	case "date":
	default:
		return nil, &fieldProblem{"expiresAt", "must be one of those to choose from"}
	}
	day, err := time.Parse(time.DateOnly, f.Get("expiresOn"))
	if err != nil || day.Year() > lastYear {
		return nil, &fieldProblem{"expiresAt", "must be a date, such as " + now.AddDate(1, 0, 0).Format(time.DateOnly)}
	}
	end := day.AddDate(0, 0, 1) // the day itself included
	return &end, nil
}
