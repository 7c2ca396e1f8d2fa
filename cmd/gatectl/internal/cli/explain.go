package cli

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// transportFailure explains why there is no answer.
func (c *connection) transportFailure(operation string, err error) *failure {
	return c.explainTransport(operation, err).because(err)
}

func (c *connection) explainTransport(operation string, err error) *failure {
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		err = urlErr.Err
	}
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &dns):
		return refuse("check --admin-url or "+urlVariable, "%s: look up %s: %s", operation, dns.Name, dns.Err)
	case unanswered(err):
		return c.silenceFailure(operation)
	case errors.Is(err, syscall.ECONNREFUSED):
		return refuse("is otlpgate running? start it with `make run`, or set --admin-url", "%s: nothing listens at %s: connection refused", operation, c.url)
	case errors.As(err, &certificate):
		return refuse("name the authority's certificate with --ca-file, and the server as its certificate does", "%s: verify the certificate of %s: %s", operation, c.url, certificate.Err)
	case errors.Is(err, http.ErrSchemeMismatch):
		return refuse("set --admin-url to the http:// address", "%s: %s does not speak TLS", operation, c.url)
	}
	return refuse("check --admin-url, which is the admin endpoint of otlpgate (port 4319 by default)", "%s: %s: %s", operation, c.url, err)
}

// unanswered reports whether the time to wait for an answer ran out. The
// server may have got the call.
func unanswered(err error) bool {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return false
	}
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// silenceFailure is for answers that did not come in time.
func (c *connection) silenceFailure(operation string) *failure {
	return refuse("check --admin-url, or wait longer with --timeout", "%s: no answer from %s within %s", operation, c.url, c.timeout)
}

// strangerFailure is for answers that otlpgate does not give.
func (c *connection) strangerFailure(operation, status string) *failure {
	return refuse("set --admin-url to the admin endpoint of otlpgate itself (port 4319 by default), with https:// where it has a certificate",
		"%s: %s answered %q, which is not how the admin API of otlpgate answers", operation, c.url, status)
}

// apiFailure explains what the admin API refused.
func (c *connection) apiFailure(operation string, err error) *failure {
	e, ok := errors.AsType[*client.Error](err)
	if !ok {
		return refuse("", "%s: %s", operation, err)
	}
	if e.Code == "" {
		return c.strangerFailure(operation, fmt.Sprintf("%d %s", e.Status, e.Title)).because(e)
	}
	return refuse(c.apiHint(e), "%s: %s", operation, problemText(e, c.placeText)).because(e)
}

// problemText is the server's explanation; named says what a place in the
// request, a JSON pointer or a parameter, is called where the user wrote it.
func problemText(e *client.Error, named func(place string) string) string {
	switch {
	case e.Code == "key_not_found":
		return "there is no such key, or it is not yours"
	case e.Code == "user_not_found":
		return "there is no such user, or it is not you"
	case len(e.Errors) == 0:
		return e.Detail
	case len(e.Errors) == 1:
		return ruleText(named, e.Errors[0])
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%d rules are broken", len(e.Errors))
	for _, rule := range e.Errors {
		text.WriteString("\n  " + ruleText(named, rule))
	}
	return text.String()
}

// ruleText is a broken rule with its place. What stands there is told once.
func ruleText(named func(place string) string, rule client.FieldError) string {
	name := named(rule.Place())
	if flag, value, ok := strings.Cut(name, " "); ok && strings.HasPrefix(value, `"`) && strings.Contains(rule.Detail, value) {
		name = flag
	}
	return name + ": " + rule.Detail
}

// codeHints say what to do about a problem of the admin API, by its code.
var codeHints = map[string]string{
	"key_not_found":      "find the id with `gatectl keys list --query TEXT`",
	"not_found":          "set --admin-url to the admin endpoint of otlpgate, of the same version as gatectl",
	"user_not_found":     "find the id with `gatectl users list --query TEXT`",
	"user_declared":      "change the user under `users:` where it was declared: in the configuration of the collector, or the applied document",
	"user_builtin":       "leave the built-in administrator as it is, and make users of your own with `gatectl users create`",
	"already_exists":     "find the one that is there with `gatectl keys list` or `gatectl users list`",
	"key_expired":        "extend it first with `gatectl keys update ID --expires 90d`",
	"idempotency_spent":  "nobody holds the secret that was made: find its key with `gatectl keys list`, and rotate or revoke it",
	"key_revoked":        "create another key with `gatectl keys create`",
	"key_declared":       "change the key under `keys:` where it was declared: in the configuration of the collector, which then has to be restarted, or the applied document",
	"invalid_owner":      "name an active user with --owner, or leave it out to own the key yourself",
	"scopes_exceed_role": "ask for fewer scopes, or have the role raised",
	"backup_unsupported": "back up the database in which otlpgate keeps its keys",
	"internal_error":     "the log of otlpgate says more",
}

// apiHint says what to do about a problem of the admin API.
func (c *connection) apiHint(e *client.Error) string {
	switch {
	case e.RetryAfter > 0:
		return "try again in " + e.RetryAfter.Round(time.Second).String()
	case e.Status == http.StatusUnauthorized:
		return "gatectl used the key in " + c.key.source + "; " + otherKeyHint
	case e.Status == http.StatusForbidden:
		return "gatectl used the key in " + c.key.source + "; see what it may do with `gatectl whoami`, or " + otherKeyHint
	}
	if hint, ok := codeHints[e.Code]; ok {
		return hint
	}
	return "correct the command and run it again; --help explains each flag"
}
