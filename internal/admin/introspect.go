package admin

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/clientip"
	"github.com/otlpgate/otlpgate/internal/identity"
)

const (
	formType = "application/x-www-form-urlencoded"
	// maxForm bounds the body of an introspection, which is a key and a hint.
	maxForm = 16 << 10
)

// introspect answers token introspection (RFC 7662). It reads the body itself:
// here is the one place where a key belongs into a body.
func (s *service) introspect(w http.ResponseWriter, r *http.Request) {
	if err := mayIntrospect(callerIn(r.Context())); err != nil {
		s.writeProblem(w, r, err)
		return
	}
	token, err := tokenOf(w, r)
	if err == nil {
		err = s.mayStill(r.Context(), callerIn(r.Context()))
	}
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	answer, err := s.introspection(r, token)
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	text, err := json.Marshal(answer)
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", jsonType)
	_, _ = w.Write(text) // the caller is gone otherwise
}

// tokenOf reads the form. The errors repeat nothing of it.
func tokenOf(w http.ResponseWriter, r *http.Request) (string, error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != formType {
		return "", newProblem(codeUnsupportedMedia, "the body must be a form (RFC 7662): send it as Content-Type: %s", formType)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return "", newProblem(codeBodyTooLarge, "the body is larger than %d bytes: send the token alone", maxForm)
	}
	form, formErr := url.ParseQuery(string(body))
	if err != nil || formErr != nil {
		return "", newProblem(codeInvalidRequest, "the body is not a well-formed form: send token=<the key>, percent-encoded")
	}
	if len(form["token"]) != 1 || form.Get("token") == "" {
		return "", problemFields([]api.FieldError{parameterError("token", "must be given once")})
	}
	return form.Get("token"), nil
}

// introspection says what a token stands for. Only where that cannot be told now
// is an error; all else that is wrong with it is "not active" (RFC 7662, section
// 2.2).
func (s *service) introspection(r *http.Request, token string) (api.Introspection, error) {
	id, refusal := s.door.Judge(r.Context(), token)
	switch {
	case refusal != nil && refusal.RetryAfter > 0:
		return api.Introspection{}, refusal
	case refusal != nil:
		return api.Introspection{Active: false}, nil //nolint:nilerr // a refusal is what was asked for
	}
	answer := api.Introspection{
		Active: true, Scope: new(joined(id.Scopes.List())), ClientID: &id.KeyID, TokenType: new(api.IntrospectionTokenTypeBearer),
		Sub: &id.KeyID, Iat: new(id.SecretInfo.CreatedAt.Unix()),
		KeyName: &id.KeyName, KeyType: &id.KeyType, Environment: &id.Environment, Plan: &id.Plan,
		Projects: new(orEmpty(id.Projects)), AllowedIps: new(clientip.Texts(id.AllowedIPs)),
	}
	if end := id.SecretInfo.EndsAt; !end.IsZero() {
		answer.Exp = new(end.Unix())
	}
	if id.KeyType != identity.UserKey {
		return answer, nil
	}
	answer.Sub = &id.OwnerID
	owner, err := s.store.User(r.Context(), id.OwnerID)
	if err != nil {
		return api.Introspection{}, fromUserStore("read owner", err)
	}
	answer.Username = &owner.Name
	return answer, nil
}
