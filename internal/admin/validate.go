package admin

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/go-openapi/jsonpointer"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/limit"
)

// validateRequest checks a routed request against the document.
func (s *service) validateRequest(w http.ResponseWriter, r *http.Request) error {
	route := s.spec.route(r.Pattern)
	if route == nil {
		return fmt.Errorf("route %q is missing in the OpenAPI document", r.Pattern)
	}
	query, err := s.checkQuery(r, route.Operation)
	if err != nil {
		return err
	}
	if body := route.Operation.RequestBody; body != nil {
		if body.Value.Content.Get(jsonType) == nil {
			return nil // read by its handler
		}
		if err := s.checkBody(w, r); err != nil {
			return err
		}
	}
	return problemOfSchema(openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{
		Request: r, Route: route, PathParams: pathParams(r, route), QueryParams: query, Options: validation,
	}))
}

var validation = &openapi3filter.Options{
	MultiError:          true,
	SkipSettingDefaults: true, // the handlers know them, and need to know what was left out
	AuthenticationFunc:  openapi3filter.NoopAuthenticationFunc,
	SchemaValidationOptions: []openapi3.SchemaValidationOption{
		openapi3.WithStringFormatValidator("date-time", openapi3.NewCallbackValidator(checkTime)),
		openapi3.WithStringFormatValidator("window", openapi3.NewCallbackValidator(checkWindow)),
		openapi3.WithStringFormatValidator("grace", openapi3.NewCallbackValidator(checkGrace)),
	},
}

// checkTime is as strict as the decoder behind it. Years beyond RFC 3339 in
// UTC could be read, but never written again.
func checkTime(text string) error {
	var t time.Time
	if err := t.UnmarshalText([]byte(text)); err != nil {
		return err
	}
	if year := t.UTC().Year(); year < 0 || year > 9999 {
		return errors.New("year out of range")
	}
	return nil
}

func checkWindow(text string) error {
	window, err := limit.ParseWindow(text)
	if err == nil && (window < limit.MinWindow || window > limit.MaxWindow) {
		err = errors.New("window out of range")
	}
	return err
}

func checkGrace(text string) error {
	grace, err := parseGrace(text)
	if err == nil && (grace < 0 || grace > maxGrace) {
		err = errors.New("grace period out of range")
	}
	return err
}

func pathParams(r *http.Request, route *routers.Route) map[string]string {
	params := map[string]string{}
	for _, p := range route.PathItem.Parameters {
		if p.Value.In == openapi3.ParameterInPath {
			params[p.Value.Name] = r.PathValue(p.Value.Name)
		}
	}
	return params
}

// checkQuery refuses unknown and repeated parameters, which the schema does
// not, and API keys in the address, where servers and proxies log them.
func (s *service) checkQuery(r *http.Request, operation *openapi3.Operation) (url.Values, error) {
	if err := s.checkNoSecret(r.URL.Path); err != nil {
		return nil, err
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, newProblem(codeInvalidRequest, "the query is not well-formed: percent-encode it")
	}
	var fields []api.FieldError
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if err := s.checkNoSecret(append(slices.Clone(query[name]), name)...); err != nil {
			return nil, err
		}
		if rule := checkParameter(operation, name, query[name]); rule != "" {
			fields = append(fields, parameterError(name, rule))
		}
	}
	if len(fields) > 0 {
		return nil, problemFields(fields)
	}
	return query, nil
}

func checkParameter(operation *openapi3.Operation, name string, values []string) string {
	switch {
	case operation.Parameters.GetByInAndName(openapi3.ParameterInQuery, name) == nil:
		return "no such parameter" + knownNames(parameterNames(operation))
	case len(values) > 1:
		return "must be given once"
	case !utf8.ValidString(values[0]):
		return "must be UTF-8"
	}
	return ""
}

func parameterNames(operation *openapi3.Operation) []string {
	var names []string
	for _, p := range operation.Parameters {
		if p.Value.In == openapi3.ParameterInQuery {
			names = append(names, p.Value.Name)
		}
	}
	return names
}

func knownNames(names []string) string {
	if len(names) == 0 {
		return ": there is none"
	}
	slices.Sort(names)
	return ": known are " + strings.Join(names, ", ")
}

// checkNoSecret refuses texts that hold an API key. It would be stored or
// logged where people can see it.
func (s *service) checkNoSecret(texts ...string) error {
	if slices.ContainsFunc(texts, s.secrets.Finds) {
		return newProblem(codeSecretInRequest, "the request holds an API key where none belongs, and nothing was changed: "+
			"leave it out, and send the caller's own key in a header; if others could see the request, revoke that key")
	}
	return nil
}

// problemOfSchema makes one list of rules out of the validator's nested
// errors, whose own texts are long and quote the request.
func problemOfSchema(err error) error {
	if err == nil {
		return nil
	}
	var fields []api.FieldError
	collect(err, nil, &fields)
	return problemFields(fields)
}

func collect(err error, parameter *openapi3.Parameter, fields *[]api.FieldError) {
	switch e := err.(type) { //nolint:errorlint // the tree is walked by hand
	case openapi3.MultiError:
		for _, inner := range e {
			collect(inner, parameter, fields)
		}
	case *openapi3filter.RequestError:
		if e.Err == nil {
			e.Err = errors.New(e.Reason)
		}
		collect(e.Err, e.Parameter, fields)
	case *openapi3.SchemaError:
		*fields = append(*fields, at(parameter, e.JSONPointer(), ruleOf(e)))
	default:
		*fields = append(*fields, at(parameter, nil, ruleOfParse(parameter)))
	}
}

func at(parameter *openapi3.Parameter, path []string, rule rule) api.FieldError {
	if parameter != nil {
		return parameterError(parameter.Name, rule.text)
	}
	return fieldError(pointer(append(path, rule.below...)...), rule.text)
}

// rule is the text of a broken rule and the steps from the place where the
// validator noticed it to where it was broken.
type rule struct {
	text  string
	below []string
}

func ruleOf(e *openapi3.SchemaError) rule {
	schema := e.Schema
	switch e.SchemaField {
	case "properties":
		return unknownField(e)
	case "required":
		return rule{text: "is required"}
	case "nullable":
		return rule{text: "must not be null"}
	case "type":
		return rule{text: "must be of type " + strings.Join(schema.Type.Slice(), " or ")}
	case "enum":
		return rule{text: "must be one of " + enumOf(schema)}
	case "minLength", "maxLength":
		return rule{text: "must be " + span(schema.MinLength, schema.MaxLength) + " characters long"}
	case "minItems", "maxItems":
		return rule{text: "must hold " + span(schema.MinItems, schema.MaxItems) + " items"}
	case "minimum", "maximum":
		return rule{text: "must be " + number(*schema.Min) + " to " + number(*schema.Max)}
	case "format":
		return rule{text: formatRules[schema.Format]}
	case "pattern":
		return rule{text: "must match " + schema.Pattern}
	}
	return rule{text: "breaks the rule " + e.SchemaField}
}

var formatRules = map[string]string{
	"date-time": "must be a time such as 2027-01-01T00:00:00Z (RFC 3339)",
	"grace":     "must be a length of 0 to 90d such as 0, 30m, 24h or 7d",
	"window":    fmt.Sprintf("must be a length of %s to %s such as 30s, 1m, 6h or 31d", limit.MinWindow, limit.MaxWindow),
}

func number(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// unknownField takes the field's name out of the validator's text, the only
// place that has it.
func unknownField(e *openapi3.SchemaError) rule {
	text := "no such field" + knownNames(slices.Collect(maps.Keys(e.Schema.Properties)))
	quoted := strings.TrimSuffix(strings.TrimPrefix(e.Reason, "property "), " is unsupported")
	name, err := strconv.Unquote(quoted)
	if err != nil {
		return rule{text: text}
	}
	return rule{text: text, below: []string{clip(name)}}
}

func ruleOfParse(parameter *openapi3.Parameter) rule {
	if parameter == nil || parameter.Schema == nil {
		return rule{text: "is missing or cannot be read"}
	}
	return rule{text: "must be of type " + strings.Join(parameter.Schema.Value.Type.Slice(), " or ")}
}

func enumOf(schema *openapi3.Schema) string {
	names := make([]string, len(schema.Enum))
	for i, v := range schema.Enum {
		names[i] = fmt.Sprint(v)
		if v == nil {
			names[i] = "null"
		}
	}
	return strings.Join(names, ", ")
}

func span(low uint64, high *uint64) string {
	if high == nil {
		return fmt.Sprintf("at least %d", low)
	}
	return fmt.Sprintf("%d to %d", low, *high)
}

func parameterError(name, rule string) api.FieldError {
	name = clip(name)
	return api.FieldError{Parameter: &name, Detail: rule}
}

func fieldError(pointer, rule string) api.FieldError {
	return api.FieldError{Pointer: &pointer, Detail: rule}
}

// pointer returns the JSON pointer (RFC 6901) of a path; the empty path is the
// whole body.
func pointer(path ...string) string {
	var text strings.Builder
	for _, step := range path {
		text.WriteString("/" + jsonpointer.Escape(step))
	}
	return text.String()
}
