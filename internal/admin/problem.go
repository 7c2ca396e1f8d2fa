package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// code is the stable, machine-readable kind of a problem. The reasons of
// identity.Refusal are codes as well.
type code string

// Keep in step with the table at the head of the OpenAPI document; a test
// compares them.
const (
	codeMalformedJSON    code = "malformed_json"
	codeInvalidRequest   code = "invalid_request"
	codeSecretInRequest  code = "secret_in_request"
	codeInvalidCursor    code = "invalid_cursor"
	codeNotPermitted     code = "not_permitted"
	codeExceedsCaller    code = "exceeds_caller"
	codeNotFound         code = "not_found"
	codeKeyNotFound      code = "key_not_found"
	codeUserNotFound     code = "user_not_found"
	codeMethodNotAllowed code = "method_not_allowed"
	codeKeyRevoked       code = "key_revoked"
	codeKeyExpired       code = "key_expired"
	codeKeyDeclared      code = "key_declared"
	codeUserDeclared     code = "user_declared"
	codeUserBuiltin      code = "user_builtin"
	codeRequestSpent     code = "idempotency_spent"
	codeCallerChanged    code = "caller_changed"
	codeDeclaration      code = "declaration_conflict"
	codePrecondition     code = "precondition_failed"
	codeRequestMismatch  code = "idempotency_mismatch"
	codeAlreadyExists    code = "already_exists"
	codeBodyTooLarge     code = "body_too_large"
	codeUnsupportedMedia code = "unsupported_media_type"
	codeScopesExceedRole code = "scopes_exceed_role"
	codeInvalidOwner     code = "invalid_owner"
	codeInternalError    code = "internal_error"
	codeNoBackup         code = "backup_unsupported"
	codeStoreUnavailable code = "store_unavailable"
	codeNotReady         code = "not_ready"
	codeNoInsight        code = "insight_unavailable"
)

const (
	problemTypePrefix  = "urn:otlpgate:problem:"
	problemContentType = "application/problem+json"
	// retryAfterUnavailable is a guess: what is down says not for how long.
	retryAfterUnavailable = 5 * time.Second
)

// statusOf is the one table from codes to HTTP statuses.
var statusOf = map[code]int{
	codeMalformedJSON:    http.StatusBadRequest,
	codeInvalidRequest:   http.StatusBadRequest,
	codeSecretInRequest:  http.StatusBadRequest,
	codeInvalidCursor:    http.StatusBadRequest,
	codeNotPermitted:     http.StatusForbidden,
	codeExceedsCaller:    http.StatusForbidden,
	codeNotFound:         http.StatusNotFound,
	codeKeyNotFound:      http.StatusNotFound,
	codeUserNotFound:     http.StatusNotFound,
	codeMethodNotAllowed: http.StatusMethodNotAllowed,
	codeKeyRevoked:       http.StatusConflict,
	codeKeyExpired:       http.StatusConflict,
	codeKeyDeclared:      http.StatusConflict,
	codeUserDeclared:     http.StatusConflict,
	codeUserBuiltin:      http.StatusConflict,
	codeRequestSpent:     http.StatusConflict,
	codeCallerChanged:    http.StatusConflict,
	codeDeclaration:      http.StatusConflict,
	codePrecondition:     http.StatusPreconditionFailed,
	codeRequestMismatch:  http.StatusUnprocessableEntity,
	codeAlreadyExists:    http.StatusConflict,
	codeBodyTooLarge:     http.StatusRequestEntityTooLarge,
	codeUnsupportedMedia: http.StatusUnsupportedMediaType,
	codeScopesExceedRole: http.StatusUnprocessableEntity,
	codeInvalidOwner:     http.StatusUnprocessableEntity,
	codeInternalError:    http.StatusInternalServerError,
	codeNoBackup:         http.StatusNotImplemented,
	codeStoreUnavailable: http.StatusServiceUnavailable,
	codeNotReady:         http.StatusServiceUnavailable,
	codeNoInsight:        http.StatusServiceUnavailable,
}

// problem is an error that knows its answer. The detail is for the caller and
// says what to do; the cause, if any, is for the log alone.
type problem struct {
	code       code
	status     int
	detail     string
	fields     []api.FieldError
	retryAfter time.Duration
	allow      string // of a 405
	hidden     bool   // the record is there, and not the caller's to know of
	cause      error
}

// Error implements error with the text for the caller.
func (p *problem) Error() string { return p.detail }

// Unwrap returns the cause.
func (p *problem) Unwrap() error { return p.cause }

func newProblem(c code, format string, args ...any) *problem {
	return &problem{code: c, status: statusOf[c], detail: fmt.Sprintf(format, args...)}
}

func problemInternal() *problem {
	return newProblem(codeInternalError, "the gate has a defect: its log says more")
}

func problemNoRoute() *problem {
	return newProblem(codeNotFound, "no such path: see %s/openapi.json", api.BasePath)
}

func problemMethod(method, allow string) *problem {
	p := newProblem(codeMethodNotAllowed, "this path does not know the method %s: use %s", clip(method), allow)
	p.allow = allow
	return p
}

func problemUserNotFound() *problem {
	return newProblem(codeUserNotFound, "no such user, or not yours to see: list users with GET %s/users", api.BasePath)
}

// hide turns the problem of a record that is not there into that of one that
// the caller must not know of. To the caller they are the same.
func hide(p *problem) *problem {
	p.hidden = true
	return p
}

func problemKeyNotFound() *problem {
	return newProblem(codeKeyNotFound, "no such API key, or it is not yours: list your keys with GET %s/api-keys", api.BasePath)
}

// problemFields refuses a request for the rules it breaks.
func problemFields(fields []api.FieldError) *problem {
	rules := "rules"
	if len(fields) == 1 {
		rules = "rule"
	}
	p := newProblem(codeInvalidRequest, "the request breaks %d %s: see errors", len(fields), rules)
	p.fields = fields[:min(len(fields), maxFieldErrors)]
	return p
}

// maxFieldErrors bounds an answer: nobody reads more.
const maxFieldErrors = 20

// problemOf gives every error its answer.
func problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if refusal, ok := errors.AsType[*identity.Refusal](err); ok {
		return &problem{
			code: code(refusal.Reason), status: refusal.HTTPStatus(),
			detail: refusal.Message, retryAfter: refusal.RetryAfter,
		}
	}
	p := problemInternal()
	p.cause = err
	return p
}

// fromStore gives the errors of the store their answers. Operation is for the
// log: "create key".
func fromStore(operation string, err error) error {
	if err == nil || answered(err) {
		return err
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return problemKeyNotFound()
	case errors.Is(err, store.ErrExists):
		return newProblem(codeAlreadyExists, "the id or secret of the key is taken: repeat the call")
	case errors.Is(err, store.ErrInvalid): // an id that no record can have, or too much of everything
		return newProblem(codeInvalidRequest, "the request cannot be kept: ids are at most 255 bytes, without NUL, and a record has at most 256 KiB: shorten its texts and lists")
	case errors.Is(err, store.ErrBadCursor):
		return newProblem(codeInvalidCursor, "the cursor was not made by this listing: start again without one")
	}
	p := newProblem(codeStoreUnavailable, "the store of the keys does not answer: retry later")
	p.retryAfter, p.cause = retryAfterUnavailable, fmt.Errorf("%s: %w", operation, err)
	return p
}

// answered reports whether an error is not the store's, but has an answer of its
// own: that of an edit.
func answered(err error) bool {
	_, isProblem := errors.AsType[*problem](err)
	_, isRefusal := errors.AsType[*identity.Refusal](err)
	return isProblem || isRefusal
}

// fromUserStore is fromStore for operations on users.
func fromUserStore(operation string, err error) error {
	if err == nil || answered(err) {
		return err
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return problemUserNotFound()
	case errors.Is(err, store.ErrExists):
		p := newProblem(codeAlreadyExists, "another user has this email: look with GET %s/users?q=…, or leave it out", api.BasePath)
		p.fields = append(p.fields, fieldError("/email", "must be no other user's"))
		return p
	}
	return fromStore(operation, err)
}

// writeProblem answers an error.
func (s *service) writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	s.answer(w, s.noteProblem(r, err))
}

// noteProblem gives an error its answer, logs what is no fault of the caller's,
// and records in the audit log what the caller may not.
func (s *service) noteProblem(r *http.Request, err error) *problem {
	p := problemOf(err)
	accountIn(r.Context()).answered(p, err)
	s.auditRefusal(r, p)
	if p.cause != nil && !errors.Is(p.cause, context.Canceled) {
		s.log.Error("admin API: request failed",
			zap.String("route", r.Pattern), zap.Int("status", p.status),
			zap.String("code", string(p.code)), zap.String("cause", s.redact(p.cause.Error())))
	}
	return p
}

// answer writes the problem, redacted.
func (s *service) answer(w http.ResponseWriter, p *problem) {
	body := api.Problem{
		Type: problemTypePrefix + string(p.code), Title: http.StatusText(p.status), Status: p.status,
		Detail: s.redact(p.detail), Code: string(p.code),
	}
	for _, f := range p.fields {
		body.Errors = append(body.Errors, s.redactField(f))
	}
	text, err := json.Marshal(body)
	if err != nil { // strings and numbers alone: cannot happen
		text = []byte(`{}`)
	}
	h := w.Header()
	h.Set("Content-Type", problemContentType)
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((p.retryAfter+time.Second-1)/time.Second)))
	}
	if p.allow != "" {
		h.Set("Allow", p.allow)
	}
	if p.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(p.status)
	_, _ = w.Write(text) // the caller is gone otherwise
}

// refuseUndecodable answers what passed the schema and still does not fit the
// types. The cause may quote the request, so it is not shown.
func (s *service) refuseUndecodable(w http.ResponseWriter, r *http.Request, _ error) {
	s.writeProblem(w, r, newProblem(codeInvalidRequest, "the request does not fit its description: see %s/openapi.json", api.BasePath))
}
