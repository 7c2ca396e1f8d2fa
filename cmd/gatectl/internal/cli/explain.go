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
		return c.strangerFailure(operation, fmt.Sprintf("%d %s", e.Status, e.Title))
	}
	return refuse(c.apiHint(e), "%s: %s", operation, problemText(e))
}

// problemText is the server's explanation, in the words of the command line.
func problemText(e *client.Error) string {
	switch {
	case e.Code == "key_not_found":
		return "there is no such key, or it is not yours"
	case len(e.Errors) == 0:
		return e.Detail
	case len(e.Errors) == 1:
		return flagOf(e.Errors[0].Place()) + ": " + e.Errors[0].Detail
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%d rules are broken", len(e.Errors))
	for _, rule := range e.Errors {
		text.WriteString("\n  " + flagOf(rule.Place()) + ": " + rule.Detail)
	}
	return text.String()
}

// flagOf returns the flag that sets the field at a JSON pointer or the query
// parameter.
func flagOf(place string) string {
	field, _, _ := strings.Cut(strings.TrimPrefix(place, "/"), "/")
	switch field {
	case "name", "description", "type", "role", "preset", "plan", "status", "limit":
		return "--" + field
	case "environment":
		return "--env"
	case "ownerId":
		return "--owner"
	case "scopes":
		return "--scope"
	case "limits":
		return "--limit"
	case "projects":
		return "--project"
	case "allowedIps":
		return "--allow-ip"
	case "expectedCountries":
		return "--expect-country"
	case "expiresAt":
		return "--expires"
	case "q":
		return "--query"
	}
	return place
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
	switch e.Code {
	case "key_not_found":
		return "find the id with `gatectl keys list --query TEXT`"
	case "not_found":
		return "set --admin-url to the admin endpoint of otlpgate, of the same version as gatectl"
	case "key_revoked":
		return "create another key with `gatectl keys create`"
	case "key_declared":
		return "change the key under `keys:` in the configuration of the collector and restart it"
	case "invalid_owner":
		return "name an active user with --owner, or leave it out to own the key yourself"
	case "scopes_exceed_role":
		return "ask for fewer scopes, or have the role raised"
	case "backup_unsupported":
		return "back up the database in which otlpgate keeps its keys"
	case "internal_error":
		return "the log of otlpgate says more"
	}
	return "correct the command and run it again; --help explains each flag"
}
