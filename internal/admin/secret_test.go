package admin

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/credential"
)

// planted returns a key that the harness watches for: in no answer and no log
// line may it show up.
func planted(h *harness) string {
	secret := credential.Format{}.Mint(credential.Live).Reveal()
	h.remember(secret)
	return secret
}

func TestAKeyInAWrongPlaceIsRefusedAndNeverEchoed(t *testing.T) {
	h := newHarness(t)
	id := h.created(h.admin, `{"name":"k","scopes":["traces:read"]}`).ID
	for _, kind := range []credential.Kind{credential.Live, credential.Test, credential.Sys} {
		secret := credential.Format{}.Mint(kind).Reveal()
		h.remember(secret)
		escaped := fmt.Sprintf(`\u%04x%s`, secret[0], secret[1:])
		bodies := []string{
			`{"name":%q,"preset":"admin"}`, `{"name":"my key is %s!","preset":"admin"}`, `{"name":"k","description":%q}`,
			`{"name":"k","projects":["a",%q]}`, `{"name":"k","scopes":[%q]}`, `{"name":"k","preset":%q}`, `{"name":"k","type":%q}`,
			`{"name":"k","ownerId":%q}`, `{"name":"k","plan":%q}`, `{"name":"k","allowedIps":[%q]}`, `{"name":"k","expiresAt":%q}`,
			`{"name":"k","expectedCountries":[%q]}`, `{"name":"k","key":%q}`, `{"name":"k",%q:1}`, `{"name":"k","x":{"y":[{%q:[]}]}}`, `%q`,
		}
		for _, body := range bodies {
			for _, form := range []string{secret, escaped} {
				filled := strings.ReplaceAll(strings.ReplaceAll(body, "%q", `"%s"`), "%s", form)
				assert.Equal(t, "Bad Request secret_in_request", h.create(h.admin, filled).code(t), body)
				assert.Equal(t, "Bad Request secret_in_request", h.patch(h.admin, id, filled).code(t), body)
			}
		}
		for _, path := range []string{
			"/api-keys/" + secret, "/api-keys?q=" + secret, "/api-keys?ownerId=" + secret, "/api-keys?cursor=" + secret,
			"/api-keys?" + secret + "=1", "/api-keys?status=" + secret, "/whoami?key=" + secret, "/api-keys?q=a&q=" + secret,
			"/api-keys?q=" + url.QueryEscape("%") + secret, "/api-keys/" + strings.Replace(secret, "_", "%5F", 1),
		} {
			assert.Equal(t, "Bad Request secret_in_request", h.get(h.admin, path).code(t), path)
		}
		assert.Equal(t, "Not Found not_found", h.get(h.admin, "/"+secret).code(t))
		assert.Equal(t, "Bad Request invalid_request", h.get(h.admin, "/api-keys?%zz="+secret).code(t))
		assert.Equal(t, "Not Found key_not_found", h.get(h.admin, "/api-keys/"+strings.Replace(secret, "_", "%255F", 1)).code(t), "escaped twice")
		assert.Equal(t, "Bad Request malformed_json", h.create(h.admin, `{"name":"`+secret).code(t))
		assert.Equal(t, "Unsupported Media Type unsupported_media_type", h.do(h.admin, http.MethodPost, "/api/v1/api-keys", "{}", func(r *http.Request) {
			r.Header.Set("Content-Type", secret)
		}).code(t))
		assert.Equal(t, "Method Not Allowed method_not_allowed", h.do(h.admin, secret, "/api/v1/api-keys", "{}").code(t))
	}
	assert.Len(t, h.audits(), 1, "nothing was changed")
}

func TestAKeyThatWasCutOffIsAKeyStill(t *testing.T) {
	h := newHarness(t)
	secret := planted(h)
	assert.Equal(t, "Bad Request secret_in_request", h.create(h.admin, `{"name":"`+secret[:len(secret)-6]+`","preset":"admin"}`).code(t))
	made := h.created(h.admin, `{"name":"px_live_abcd…wxyz and px_live_","preset":"admin"}`)
	assert.Equal(t, "px_live_abcd…wxyz and px_live_", made.Name, "hints are no keys")
}

func TestCausesAreLoggedWithoutKeys(t *testing.T) {
	h := newHarness(t)
	secret := planted(h)
	h.store.fail.Store("ListKeys", errors.New("cannot read "+secret))
	h.get(h.admin, "/api-keys")
	logged := h.logs.FilterMessage("admin API: request failed").All()
	require.Len(t, logged, 1)
	assert.Equal(t, "list keys: cannot read "+credential.Redacted, logged[0].ContextMap()["cause"])
}

func TestProblemsAreRedactedWhateverTheySay(t *testing.T) {
	s := &service{secrets: credential.Format{Prefix: "gate"}.Redactor()}
	secret := credential.Format{Prefix: "gate"}.Mint(credential.Sys).Reveal()
	p := newProblem(codeInvalidRequest, "no %s", secret)
	p.fields = []api.FieldError{fieldError("/"+secret, "not "+secret), parameterError(secret, "no")}
	recorder := httptest.NewRecorder()
	s.answer(recorder, p)
	assert.NotContains(t, recorder.Body.String(), secret)
	assert.Equal(t, 4, strings.Count(recorder.Body.String(), credential.Redacted))
}

// The harness looks for every secret in every answer and log line; here every
// way to see a key again is walked.
func TestASecretIsShownOnce(t *testing.T) {
	h := newHarness(t)
	made := h.created(h.admin, `{"name":"k","preset":"admin"}`)
	secret := value(made.Key)
	require.NotEmpty(t, secret)
	path := "/api-keys/" + made.ID
	for _, a := range []answer{
		h.get(h.admin, path), h.get(h.admin, "/api-keys"), h.get(secret, "/whoami"), h.get(secret, path),
		h.patch(secret, made.ID, `{"name":"l"}`), h.patch(h.admin, made.ID, `{}`), h.create(h.admin, `{"name":"other","preset":"admin"}`),
		h.revoke(secret, made.ID), h.get(h.admin, path), h.get(secret, path), h.patch(h.admin, made.ID, `{}`),
	} {
		assert.NotContains(t, a.body, secret)
		if a.status != http.StatusCreated && a.status != http.StatusNoContent {
			assert.NotContains(t, a.body, `"key":`)
		}
	}
}
