package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Error is an answer other than success. Its text is fit for people.
type Error struct {
	// Problem is what the server said. Where the answer was no problem
	// document (a proxy's, say) only Status and Title are set.
	Problem
	// RetryAfter is how long the server asks to wait; zero where it does not.
	RetryAfter time.Duration
}

// Error returns the detail and, a line each, the broken rules with their
// places.
func (e *Error) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("%d %s", e.Status, e.Title)
	}
	var text strings.Builder
	text.WriteString(e.Detail)
	for _, f := range e.Errors {
		text.WriteString("\n  " + f.Place() + ": " + f.Detail)
	}
	return text.String()
}

// Place returns the JSON pointer or the parameter's name; a rule about the
// whole body has the place "body".
func (f FieldError) Place() string {
	switch {
	case f.Parameter != nil:
		return *f.Parameter
	case f.Pointer != nil && *f.Pointer != "":
		return *f.Pointer
	}
	return "body"
}

// Check returns nil where the answer, whose body is given, is a success and
// an *Error otherwise.
func Check(answer *http.Response, body []byte) error {
	if answer.StatusCode >= 200 && answer.StatusCode < 300 {
		return nil
	}
	e := &Error{}
	if !strings.HasPrefix(answer.Header.Get("Content-Type"), "application/problem+json") || json.Unmarshal(body, &e.Problem) != nil {
		e.Problem = Problem{}
	}
	e.Status, e.Title = answer.StatusCode, http.StatusText(answer.StatusCode)
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	return e
}
