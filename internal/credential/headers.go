package credential

import (
	"fmt"
	"slices"
	"strings"
)

const (
	authorization = "authorization"
	bearer        = "bearer"
	space         = " \t\r\n"

	// No client has a reason to send more; the bounds keep a hostile request
	// from buying work that grows with it.
	maxHeaders = 1000
	maxValues  = 32
)

// DefaultHeaders returns the headers that carry keys where none are configured.
func DefaultHeaders() []string { return []string{authorization, "api_key", "x-api-key"} }

// Headers finds the credential in a request's headers. The zero value looks
// nowhere. Immutable, and safe for concurrent use.
type Headers struct {
	names   []string // lower case
	missing error    // made once, since it lists the names
}

// NewHeaders looks in the headers of those names, in any case; none means
// DefaultHeaders. A name must be an HTTP token (RFC 9110, section 5.6.2) and
// be given once.
func NewHeaders(names []string) (Headers, error) {
	if len(names) == 0 {
		names = DefaultHeaders()
	}
	var h Headers
	for _, name := range names {
		if !isToken(name) {
			return Headers{}, fmt.Errorf("invalid credential header %q: must be an HTTP header name of letters, digits, - or _, such as x-api-key", name)
		}
		lower := strings.ToLower(name)
		if slices.Contains(h.names, lower) {
			return Headers{}, fmt.Errorf("duplicate credential header %q: names are compared without case; remove one", name)
		}
		h.names = append(h.names, lower)
	}
	h.missing = fmt.Errorf("%w: send %s", ErrMissing, h.remedy())
	return h, nil
}

func isToken(s string) bool {
	return s != "" && strings.Trim(s, alphabet+"!#$%&'*+-.^_`|~") == ""
}

// remedy says how to send a key: "`authorization: Bearer <key>` or `x-api-key: <key>`".
func (h Headers) remedy() string {
	forms := make([]string, len(h.names))
	for i, name := range h.names {
		forms[i] = "`" + name + ": <key>`"
		if name == authorization {
			forms[i] = "`" + name + ": Bearer <key>`"
		}
	}
	return strings.Join(forms, " or ")
}

// Names returns the names in lower case, for callers that strip credentials
// from what they pass on.
func (h Headers) Names() []string { return slices.Clone(h.names) }

// Find returns the one credential of a request, still to be parsed. Sources
// are HTTP headers or gRPC metadata, with names in any case.
//
// An authorization header must read "Bearer <key>"; any other holds the bare
// key or the same. White space around the parts does not matter, nor does the
// case of the scheme. Repeating a credential is fine. An authorization header
// of another scheme, or of none, counts only where there is nothing else.
//
// The error is an ErrMissing, ErrConflict, ErrScheme or, for an absurd number
// of headers, ErrMalformed.
func (h Headers) Find(sources map[string][]string) (string, error) {
	if len(sources) > maxHeaders {
		return "", errTooManyHeaders
	}
	// Looking up each name as HTTP and as gRPC spell it would overlook a
	// second credential under a third spelling, and is no faster than looking
	// at all of the dozen headers of a usual request.
	var s search
	for name, values := range sources {
		if len(values) > 0 && h.has(name) {
			s.header(len(name) == len(authorization) && strings.EqualFold(name, authorization), values)
		}
	}
	return s.result(h.missing)
}

// has relies on names being ASCII: what folds to them and has their length is
// ASCII too.
func (h Headers) has(name string) bool {
	for _, n := range h.names {
		if len(n) == len(name) && strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// search gathers what the headers of a request hold. Its result does not
// depend on their order, which in a map is random.
type search struct {
	found                         string
	conflict, otherScheme, excess bool
}

func (s *search) header(isAuthorization bool, values []string) {
	if len(values) > maxValues {
		s.excess = true
		return
	}
	for _, value := range values {
		value = strings.Trim(value, space)
		key, isBearer := cutBearer(value)
		switch {
		case value == "":
		case isBearer:
			s.candidate(key)
		case isAuthorization:
			s.otherScheme = true
		default:
			s.candidate(value)
		}
	}
}

func (s *search) candidate(key string) {
	s.conflict = s.conflict || s.found != "" && s.found != key
	s.found = key
}

func (s *search) result(missing error) (string, error) {
	switch {
	case s.excess:
		return "", errTooManyHeaders
	case s.conflict:
		return "", ErrConflict
	case s.found != "":
		return s.found, nil
	case s.otherScheme:
		return "", ErrScheme
	case missing == nil:
		return "", ErrMissing
	}
	return "", missing
}

// cutBearer returns what follows the scheme (RFC 6750, section 2.1) in a
// trimmed value.
func cutBearer(value string) (key string, ok bool) {
	if len(value) <= len(bearer) || !strings.EqualFold(value[:len(bearer)], bearer) {
		return "", false
	}
	key = strings.TrimLeft(value[len(bearer):], space)
	return key, len(key) < len(value)-len(bearer)
}
