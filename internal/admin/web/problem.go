package web

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// Problem is why a page cannot be shown, or a form not be carried out.
type Problem struct {
	Status     int
	Detail     string // what is wrong and what to do about it
	Fields     []client.FieldError
	RetryAfter time.Duration // zero: not known
}

var defect = &Problem{Status: http.StatusInternalServerError, Detail: "The gate has a defect. Its log says more."}

// details are what pages say in place of what the API tells programs.
var details = map[string]string{
	"invalid_request": "Nothing was done yet: see what is wrong below.",
	"key_not_found":   "There is no such key, or it is not yours to see.",
	"user_not_found":  "There is no such user, or it is not yours to see.",
}

// problemOf makes a problem of the error of a call.
func problemOf(err error) *Problem {
	if e, ok := errors.AsType[*client.Error](err); ok {
		if detail, ok := details[e.Code]; ok {
			e.Detail = detail
		}
		return &Problem{Status: e.Status, Detail: e.Detail, Fields: e.Errors, RetryAfter: e.RetryAfter}
	}
	return defect
}

// failed shows why a call that a page needs failed.
func (p *pages) failed(w http.ResponseWriter, r *http.Request, err error) {
	p.refusePage(w, r, problemOf(err))
}

// problemPage is the data of a page that tells of a problem.
type problemPage struct {
	frame
	Problem *Problem
	Seconds int64
}

// refusePage shows a problem. Whose key lets in no more is asked to sign in.
func (p *pages) refusePage(w http.ResponseWriter, r *http.Request, problem *Problem) {
	if problem.Status == http.StatusUnauthorized {
		p.signInAgain(w, r, problem)
		return
	}
	problem.setRetryAfter(w)
	title := problemTitle(problem.Status)
	p.render(w, r, problem.Status, "problem", problemPage{
		frame: p.frame(r, title, ""), Problem: problem, Seconds: seconds(problem.RetryAfter),
	})
}

// setRetryAfter says how long to wait, where that is known.
func (p *Problem) setRetryAfter(w http.ResponseWriter) {
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(seconds(p.RetryAfter), 10))
	}
}

// seconds rounds up, lest somebody comes back too early.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

func problemTitle(status int) string {
	switch status {
	case http.StatusNotFound:
		return "Not found"
	case http.StatusForbidden:
		return "Not permitted"
	case http.StatusTooManyRequests:
		return "Too many requests"
	case http.StatusServiceUnavailable:
		return "Not available right now"
	case http.StatusConflict, http.StatusPreconditionFailed:
		return "Changed meanwhile"
	case http.StatusInternalServerError:
		return "Something broke"
	}
	return http.StatusText(status)
}
