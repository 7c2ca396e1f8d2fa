package admin

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// applied applies a document that must be fine, and returns the changes in
// short: "+key edge", "~user Ada role", "-key edge".
func (h *harness) applied(query, document string) []string {
	h.t.Helper()
	a := h.do(h.admin, http.MethodPost, "/api/v1/apply"+query, document)
	require.Equal(h.t, http.StatusOK, a.status, a.body)
	var result api.ApplyResult
	require.NoError(h.t, json.Unmarshal([]byte(a.body), &result))
	assert.Equal(h.t, query != "", result.DryRun)
	signs := map[api.AppliedChangeAction]string{"create": "+", "update": "~", "restore": "^", "withdraw": "-"}
	changes := []string{}
	for _, c := range result.Changes {
		changes = append(changes, signs[c.Action]+string(c.Kind)+" "+c.Name)
	}
	return changes
}

func declared(name string, secret credential.Secret, more string) string {
	return fmt.Sprintf(`{"name":%q,"digest":%q,"scopes":["traces:read"]%s}`, name, secret.Digest(), more)
}

func TestApplyingADocumentMakesTheRecordsThoseThatItDeclares(t *testing.T) {
	h := newHarness(t)
	edge, batch := h.format.Mint(credential.Sys), h.format.Mint(credential.Live)
	first := `{"users":[{"id":"ada","name":"Ada"}],"keys":[` + declared("edge", edge, "") + `,` + declared("batch", batch, `,"type":"user","ownerId":"ada"`) + `]}`
	second := `{"users":[{"id":"ada","name":"Ada","role":"viewer"}],"keys":[` + declared("edge", edge, `,"projects":["a"]`) + `]}`
	for _, step := range []struct {
		document    string
		want        []string
		edge, batch string
	}{
		{first, []string{"+user Ada", "+key edge", "+key batch"}, opened, opened},
		{first, []string{}, opened, opened},
		{second, []string{"~user Ada", "~key edge", "-key batch"}, opened, "Unauthorized disabled_key"},
		{first, []string{"~user Ada", "~key edge", "^key batch"}, opened, opened},
		{`{}`, []string{"-key edge", "-key batch", "-user Ada"}, "Unauthorized disabled_key", "Unauthorized disabled_key"},
	} {
		before := h.newestAudit().Seq
		assert.ElementsMatch(t, step.want, h.applied("?dryRun=true", step.document))
		assert.Equal(t, before, h.newestAudit().Seq, "a dry run changes nothing")
		assert.ElementsMatch(t, step.want, h.applied("", step.document), "and says what would be done")
		assert.Equal(t, before+uint64(len(step.want)), h.newestAudit().Seq)
		assert.Equal(t, []string{step.edge, step.batch}, []string{h.opens(edge.Reveal()), h.opens(batch.Reveal())})
	}
	record := h.newestAudit()
	assert.Equal(t, "192.0.2.7", record.Actor.Address)
	assert.NotEmpty(t, record.Actor.KeyID, "whoever applied it")
}

func TestADocumentThatCannotBeAppliedChangesNothing(t *testing.T) {
	h := newHarness(t)
	made := h.created(h.admin, `{"name":"mine","scopes":["traces:read"]}`)
	stored, err := h.store.Key(t.Context(), made.ID)
	require.NoError(t, err)
	digest, err := stored.Secrets[0].Digest.MarshalText()
	require.NoError(t, err)
	good := declared("edge", h.format.Mint(credential.Sys), "")
	before := h.newestAudit().Seq
	for document, want := range map[string]string{
		`{"keys":[` + good + `,{"name":"k","digest":"` + string(digest) + `","scopes":["traces:read"]}]}`:       "Conflict declaration_conflict",
		`{"keys":[` + good + `,{"name":"k","digest":"sha256:x","scopes":["traces:read"]}]}`:                     "Bad Request invalid_request",
		`{"keys":[` + good + `,` + good + `]}`:                                                                  "Bad Request invalid_request",
		`{"keys":[` + good + `],"users":[{"id":"admin"}]}`:                                                      "Bad Request invalid_request",
		`{"keys":[` + declared("k", h.format.Mint(credential.Live), `,"type":"user","ownerId":"nobody"`) + `]}`: "Bad Request invalid_request",
		`{"keys":[{"name":"` + h.admin + `"}]}`:                                                                 "Bad Request secret_in_request",
		`{"key":[]}`:                                                                                            "Bad Request invalid_request",
	} {
		a := h.apply(h.admin, document)
		assert.Equal(t, want, a.code(t), document)
		assert.Equal(t, before, h.newestAudit().Seq, document)
	}
	a := h.apply(h.admin, `{"keys":[`+good+`,{"name":"k","digest":"sha256:x","scopes":["traces:read"],"allowedIps":["10.0.0.0/99"]}]}`)
	assert.Contains(t, rulesOf(t, a), "/keys/1/digest: ")
	assert.Contains(t, rulesOf(t, a), "/keys/1/allowedIps")
}

func TestOnlyAnAdministratorMaySendALargeDocument(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Member)
	ada, _ := h.userKey("ada", identity.TracesRead)
	var keys []string
	for i := range 2000 {
		keys = append(keys, fmt.Sprintf(`{"name":"k%d","digest":"sha256:%x","scopes":["traces:read"],"description":%q}`, i, sha256.Sum256([]byte{byte(i), byte(i >> 8)}), strings.Repeat("x", 500)))
	}
	document := `{"keys":[` + strings.Join(keys, ",") + `]}`
	require.Greater(t, int64(len(document)), usualBounds.size)
	assert.Equal(t, "Request Entity Too Large body_too_large", h.apply(ada, document).code(t))
	assert.Len(t, h.applied("?dryRun=true", document), 2000)
}

func TestAnAppliedRecordIsReadOnlyElsewhere(t *testing.T) {
	h := newHarness(t)
	h.applied("", `{"users":[{"id":"ada"}],"keys":[`+declared("edge", h.format.Mint(credential.Sys), "")+`]}`)
	page, err := h.store.ListKeys(t.Context(), store.KeyFilter{Declared: true}, store.Page{})
	require.NoError(t, err)
	require.Len(t, page.Keys, 1)
	assert.True(t, keyOf(t, h.get(h.admin, "/api-keys/"+page.Keys[0].ID)).Declared)
	assert.Equal(t, "Conflict key_declared", h.rotate(h.admin, page.Keys[0].ID, `{}`).code(t))
	assert.Equal(t, "Conflict user_declared", h.deleteUser(h.admin, "ada").code(t))
}
