package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/identity"
)

// account is what is known of a call when it has ended. It is filled in on the
// call's way and not safe for concurrent use, as a call is not.
type account struct {
	arrived   time.Time
	admission *identity.Admission
	denial    *identity.Denial
	code      code // of the problem that was answered
	refused   bool // and whether the gate turned the call away
	status    int
	body      *access.Body
}

type accountKey struct{}

// accountIn returns the account of a call, nil where it has none.
func accountIn(ctx context.Context) *account {
	a, _ := ctx.Value(accountKey{}).(*account)
	return a
}

// accounted records what becomes of each call that needs a key.
func (s *service) accounted(next http.HandlerFunc) http.HandlerFunc {
	if s.recordCall == nil {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) {
		a := &account{arrived: s.clock(), body: &access.Body{ReadCloser: r.Body}}
		returned := false
		pattern := r.Pattern
		r = r.WithContext(context.WithValue(r.Context(), accountKey{}, a))
		r.Pattern = pattern
		r.Body = a.body
		defer func() {
			if !returned { // recovering answers a panic, further out
				a.status, a.code = http.StatusInternalServerError, codeInternalError
			}
			if a.admission == nil || a.admission.KeyID != "" { // accounts are of keys, and not of people without
				s.recordCall(a.request(s, r))
			}
		}()
		next(&accountedWriter{w, a}, r)
		returned = true
	}
}

// request describes the call as it ended.
func (a *account) request(s *service, r *http.Request) *access.Request {
	call := &access.Request{
		Group: access.Group{
			Endpoint: r.Pattern, Transport: access.HTTP, Outcome: access.Accepted, Reason: string(a.code), Status: a.status,
			Address: s.door.ClientAddr(r),
		},
		Volume:  access.Volume{Bytes: a.body.Bytes},
		Arrived: a.arrived, UserAgent: s.redact(r.UserAgent()),
	}
	switch {
	case a.status == 0:
		call.Status = http.StatusOK
	case a.refused || a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		call.Outcome = access.Refused
	case a.status >= http.StatusBadRequest:
		call.Outcome = access.Failed
	}
	if call.Reason == "" { // a page's own answer
		call.Reason = string(reasonOfStatus[a.status])
	}
	if call.Outcome == access.Accepted {
		call.Reason = ""
	}
	switch {
	case a.admission != nil:
		call.SetKey(a.admission.Identity)
	case a.denial != nil:
		call.SetDenied(a.denial)
	}
	return call
}

// reasonOfStatus are why pages refuse and fail without asking the API.
var reasonOfStatus = map[int]code{
	http.StatusBadRequest: codeInvalidRequest, http.StatusForbidden: codeNotPermitted, http.StatusNotFound: codeNotFound, http.StatusConflict: codeRequestSpent,
}

// admitted notes whose call it is.
func (a *account) admitted(admission *identity.Admission, err error) {
	if a == nil {
		return
	}
	a.admission = admission
	a.denial, _ = errors.AsType[*identity.Denial](err)
}

// answered notes the problem that is answered.
func (a *account) answered(p *problem, err error) {
	if a == nil {
		return
	}
	_, a.refused = errors.AsType[*identity.Refusal](err)
	a.code = p.code
}

// accountedWriter notes the status of the answer.
type accountedWriter struct {
	http.ResponseWriter
	account *account
}

// Unwrap serves http.ResponseController.
func (w *accountedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *accountedWriter) WriteHeader(status int) {
	if w.account.status == 0 && status >= http.StatusOK {
		w.account.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}
