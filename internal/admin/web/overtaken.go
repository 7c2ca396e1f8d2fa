package web

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A form that edits a record holds what the record was when the form was opened, in
// the input named was, and of which version that is. So it sends what somebody has
// changed and nothing else, also where somebody else has changed the record
// meanwhile: what the form merely showed is not put back.

// editOf makes the form of a record that has these values now.
func editOf(now url.Values, version string) form {
	values := url.Values{"was": {now.Encode()}, "version": {version}}
	maps.Copy(values, now)
	return newForm(values)
}

// changes reports whether somebody has changed an input. One that the form does not
// have has not.
func (f form) changes(name string) bool {
	return f.Values.Has(name) && f.Get(name) != strings.TrimSpace(f.opened.Get(name))
}

// changesChoice is changes for one of several choices, all of which can be left out.
func (f form) changesChoice(name string) bool {
	return !slices.Equal(slices.Sorted(slices.Values(f.Values[name])), slices.Sorted(slices.Values(f.opened[name])))
}

// overtaken returns the form as of what the record is now, with what somebody has
// changed on it.
func (f form) overtaken(now url.Values, version string, problem *Problem) form {
	next := editOf(now, version)
	next.Problem = problem
	names := map[string]bool{}
	for _, values := range []url.Values{now, f.Values, f.opened} {
		for name := range values {
			names[name] = true
		}
	}
	for name := range names {
		if name != "was" && name != "version" && f.changesChoice(name) {
			next.Values[name] = f.Values[name]
		}
	}
	return next
}

// wasOvertaken reports whether a record was changed since a form was opened.
func (p *Problem) wasOvertaken() bool { return p.Status == http.StatusPreconditionFailed }
