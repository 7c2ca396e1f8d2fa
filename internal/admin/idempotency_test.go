package admin

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

const body = `{"name":"k","scopes":["traces:read"]}`

func (h *harness) createOnce(secret, idempotencyKey, body string) answer {
	h.t.Helper()
	return h.do(secret, http.MethodPost, "/api/v1/api-keys", body, with("Idempotency-Key", idempotencyKey))
}

func TestARepeatedCreationGetsTheSameKeyAndSecret(t *testing.T) {
	h := newHarness(t)
	first := h.createOnce(h.admin, "a", body)
	require.Equal(t, http.StatusCreated, first.status)
	assert.Empty(t, first.header.Get("Idempotency-Replayed"))
	h.setClock(epoch.Add(repeatWindow - time.Second))
	again := h.createOnce(h.admin, "a", body)
	require.Equal(t, http.StatusCreated, again.status)
	assert.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
	assert.Equal(t, keyOf(t, first), keyOf(t, again))
	assert.Equal(t, first.header.Get("Location"), again.header.Get("Location"))
	assert.Len(t, h.audits(), 1, "one creation, one record")
}

func TestARepeatedRotationGetsTheSameSecret(t *testing.T) {
	h := newHarness(t)
	id := h.created(h.admin, body).ID
	first := h.rotated(id, "1h", with("Idempotency-Key", "a"))
	h.setClock(epoch.Add(time.Minute))
	again := h.rotated(id, "1h", with("Idempotency-Key", "a"))
	assert.Equal(t, first, again)
	assert.Len(t, h.audits(), 2)

	other := h.rotated(id, "1h", with("Idempotency-Key", "b"))
	assert.NotEqual(t, first.Key, other.Key)
	again = h.rotated(id, "1h", with("Idempotency-Key", "a"))
	assert.Equal(t, first.Key, again.Key, "as long as the secret is one of the key's two")
	assert.Len(t, h.audits(), 3)
}

func TestARepetitionIsThatOfTheSameCallerCallAndBody(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Member)
	ada, _ := h.userKey("ada", identity.TracesRead)
	ada2, _ := h.userKey("ada", identity.TracesRead)
	first := keyOf(t, h.createOnce(ada, "a", body))
	other := h.createOnce(ada2, "a", body)
	require.Equal(t, http.StatusCreated, other.status)
	assert.NotEqual(t, first.ID, keyOf(t, other).ID, "another caller's is another call")
	assert.NotEqual(t, first.ID, keyOf(t, h.createOnce(ada, "b", body)).ID)
	assert.Equal(t, "Unprocessable Entity idempotency_mismatch", h.createOnce(ada, "a", `{"name":"other","scopes":["traces:read"]}`).code(t))
	assert.Equal(t, first.ID, keyOf(t, h.createOnce(ada, "a", " "+strings.ReplaceAll(body, ",", " ,\n"))).ID, "spaces make no other body")
	assert.Equal(t, opened, h.rotate(ada, first.ID, `{}`, with("Idempotency-Key", "a")).code(t), "nor does another call collide")
}

func TestAnIdempotencyKeyIsForgottenAfterADay(t *testing.T) {
	h := newHarness(t)
	first := keyOf(t, h.createOnce(h.admin, "a", body))
	h.setClock(epoch.Add(repeatWindow))
	second := keyOf(t, h.createOnce(h.admin, "a", body))
	assert.NotEqual(t, first.ID, second.ID)
	assert.Equal(t, second, keyOf(t, h.createOnce(h.admin, "a", body)), "and can be used anew")

	rotated := h.rotated(second.ID, "0", with("Idempotency-Key", "a"))
	h.setClock(epoch.Add(2 * repeatWindow))
	assert.NotEqual(t, rotated.Key, h.rotated(second.ID, "0", with("Idempotency-Key", "a")).Key)
}

func TestConcurrentRepetitionsMakeOneKey(t *testing.T) {
	h := newHarness(t)
	made := make([]string, 20)
	var workers sync.WaitGroup
	for i := range made {
		workers.Go(func() {
			if a := h.createOnce(h.admin, "a", body); assert.Equal(t, http.StatusCreated, a.status, a.body) {
				made[i] = *keyOf(t, a).Key
			}
		})
	}
	workers.Wait()
	for _, secret := range made {
		assert.Equal(t, made[0], secret)
	}
	assert.Len(t, h.audits(), 1)
}

func TestWhatIsKeptForARepetitionDoesNotYieldTheSecret(t *testing.T) {
	h := newHarness(t)
	made := keyOf(t, h.createOnce(h.admin, "a", body))
	stored, err := h.store.Key(t.Context(), made.ID)
	require.NoError(t, err)
	secret := stored.Secrets[0]
	require.NotNil(t, secret.Request)
	text, err := json.Marshal(stored)
	require.NoError(t, err)
	assert.False(t, h.leaks(string(text)))
	sealed, err := h.store.Reply(t.Context(), secret.Digest)
	require.NoError(t, err)
	assert.False(t, h.leaks(string(sealed)))

	other := caller{Identity: &identity.Identity{KeyID: "key_other"}, key: h.format.Mint("sys")}
	_, err = newRepeatable(other, new("a"), "key.create", "", nil).open(secret.Request, sealed)
	assert.Error(t, err, "another caller's key does not open it")
}

func TestABackupHoldsNothingThatYieldsASecret(t *testing.T) {
	h := newHarness(t)
	made := keyOf(t, h.createOnce(h.admin, "a", body))
	stored, err := h.store.Key(t.Context(), made.ID)
	require.NoError(t, err)
	sealed, err := h.store.Reply(t.Context(), stored.Secrets[0].Digest)
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodGet, "/api/v1/backup", http.NoBody)
	r.Header.Set("Authorization", "Bearer "+h.admin)
	recorder := httptest.NewRecorder()
	h.unchecked.ServeHTTP(recorder, r)
	backup := recorder.Body.Bytes()
	require.True(t, bytes.Contains(backup, []byte(made.ID)))
	assert.False(t, bytes.Contains(backup, sealed))
	assert.False(t, bytes.Contains(backup, []byte(base64.StdEncoding.EncodeToString(sealed))))
}

func TestARotationIsMadeOnceADayHoweverOftenTheKeyIsRotatedSince(t *testing.T) {
	h := newHarness(t)
	id := h.created(h.admin, body).ID
	for _, once := range []string{"one", "two", "three"} {
		h.rotated(id, "1h", with("Idempotency-Key", once))
	}
	last := h.newestAudit().Seq
	assert.Equal(t, "Conflict idempotency_spent", h.rotate(h.admin, id, `{"gracePeriod":"1h"}`, with("Idempotency-Key", "one")).code(t))
	assert.Equal(t, last, h.newestAudit().Seq)
	h.setClock(epoch.Add(repeatWindow))
	assert.Equal(t, opened, h.rotate(h.admin, id, `{"gracePeriod":"1h"}`, with("Idempotency-Key", "one")).code(t))
	stored, err := h.store.Key(t.Context(), id)
	require.NoError(t, err)
	assert.Empty(t, stored.Spent, "what is too long ago is forgotten")
}

func TestARepetitionDoesNotTellASecretThatHasEnded(t *testing.T) {
	h := newHarness(t)
	const spent = "Conflict idempotency_spent"
	made := keyOf(t, h.createOnce(h.admin, "a", body))
	h.rotated(made.ID, "0")
	assert.Equal(t, spent, h.createOnce(h.admin, "a", body).code(t))

	made = keyOf(t, h.createOnce(h.admin, "b", body))
	h.rotated(made.ID, "1h", with("Idempotency-Key", "c"))
	h.revoke(h.admin, made.ID)
	assert.Equal(t, spent, h.createOnce(h.admin, "b", body).code(t))
	assert.Equal(t, spent, h.rotate(h.admin, made.ID, `{"gracePeriod":"1h"}`, with("Idempotency-Key", "c")).code(t))
}

func TestARecordedKeyIsRecordedOnceByARepetition(t *testing.T) {
	h := newHarness(t)
	digest := `{"name":"k","scopes":["traces:read"],"digest":"sha256:` + strings.Repeat("ab", 32) + `"}`
	first := h.createOnce(h.admin, "a", digest)
	require.Equal(t, http.StatusCreated, first.status)
	again := h.createOnce(h.admin, "a", digest)
	require.Equal(t, http.StatusCreated, again.status, again.body)
	assert.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
	assert.Equal(t, keyOf(t, first), keyOf(t, again))
	assert.Equal(t, "Conflict already_exists", h.createOnce(h.admin, "b", digest).code(t), "by another call")
}

func TestARepetitionWhoseSecretIsGoneSaysSo(t *testing.T) {
	h := newHarness(t)
	made := keyOf(t, h.createOnce(h.admin, "a", body))
	h.rotated(made.ID, "0")
	h.rotated(made.ID, "0")
	a := h.createOnce(h.admin, "a", body)
	assert.Equal(t, "Conflict idempotency_spent", a.code(t))
	assert.Contains(t, a.problem(t).Detail, made.ID)
}

func TestAChangeIsMadeToTheVersionThatItNamesAlone(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Viewer)
	key := h.created(h.admin, body)
	keyPath, userPath := "/api/v1/api-keys/"+key.ID, "/api/v1/users/ada"
	versionOf := func(path string) string { return h.do(h.admin, http.MethodGet, path, "").header.Get("ETag") }
	stale := []string{`"0"`, `W/` + versionOf(keyPath), "x", versionOf("/api/v1/users/admin")}
	calls := map[string]func(match string) answer{
		"patch key": func(m string) answer {
			return h.do(h.admin, "PATCH", keyPath, `{"description":"changed"}`, with("If-Match", m))
		},
		"no change":  func(m string) answer { return h.do(h.admin, "PATCH", keyPath, `{}`, with("If-Match", m)) },
		"rotate":     func(m string) answer { return h.rotate(h.admin, key.ID, `{}`, with("If-Match", m)) },
		"revoke":     func(m string) answer { return h.do(h.admin, "DELETE", keyPath, "", with("If-Match", m)) },
		"patch user": func(m string) answer { return h.do(h.admin, "PATCH", userPath, `{"name":"x"}`, with("If-Match", m)) },
		"delete":     func(m string) answer { return h.do(h.admin, "DELETE", userPath, "", with("If-Match", m)) },
	}
	for name, call := range calls {
		for _, match := range stale {
			if versionOf(userPath) != match && versionOf(keyPath) != match {
				assert.Equal(t, "Precondition Failed precondition_failed", call(match).code(t), name+" "+match)
			}
		}
	}
	for _, name := range []string{"patch key", "no change", "rotate", "revoke"} {
		require.Less(t, calls[name](`"0", `+versionOf(keyPath)).status, 300, name)
	}
	for _, name := range []string{"patch user", "delete"} {
		require.Less(t, calls[name](versionOf(userPath)).status, 300, name)
	}
	assert.Equal(t, "No Content", h.do(h.admin, "DELETE", keyPath, "", with("If-Match", "*")).code(t))
}

func TestAnAnswerToAChangeHasTheNewVersion(t *testing.T) {
	h := newHarness(t)
	a := h.create(h.admin, body)
	path := "/api/v1/api-keys/" + keyOf(t, a).ID
	versions := map[string]bool{a.header.Get("ETag"): true}
	for _, call := range []func() answer{
		func() answer { return h.do(h.admin, "PATCH", path, `{"name":"n"}`) },
		func() answer { return h.do(h.admin, "POST", path+"/rotate", `{}`) },
	} {
		version := call().header.Get("ETag")
		assert.False(t, versions[version])
		versions[version] = true
		assert.Equal(t, version, h.do(h.admin, "GET", path, "").header.Get("ETag"))
	}
}

func TestConcurrentChangesToOneVersionLoseNone(t *testing.T) {
	h := newHarness(t)
	id := h.created(h.admin, `{"name":"0","scopes":["traces:read"]}`).ID
	path := "/api/v1/api-keys/" + id
	const each = 10
	var workers sync.WaitGroup
	for range 5 {
		workers.Go(func() {
			for done := 0; done < each; {
				read := h.do(h.admin, "GET", path, "")
				next := `{"name":"` + keyOf(t, read).Name + `x"}`
				switch a := h.do(h.admin, "PATCH", path, next, with("If-Match", read.header.Get("ETag"))); a.status {
				case http.StatusOK:
					done++
				case http.StatusPreconditionFailed:
				default:
					t.Errorf("status %d", a.status)
					return
				}
			}
		})
	}
	workers.Wait()
	assert.Len(t, keyOf(t, h.get(h.admin, "/api-keys/"+id)).Name, 1+5*each)
}

func TestADryRunOfACreationChecksAllAndCreatesNothing(t *testing.T) {
	h := newHarness(t)
	dry := func(body string) answer { return h.do(h.admin, "POST", "/api/v1/api-keys?dryRun=true", body) }
	a := dry(body)
	require.Equal(t, http.StatusOK, a.status)
	assert.Nil(t, keyOf(t, a).Key)
	assert.Equal(t, "Bad Request invalid_request", dry(`{"name":"k"}`).code(t))
	assert.Equal(t, "Unprocessable Entity invalid_owner", dry(`{"name":"k","ownerId":"nobody","scopes":["traces:read"]}`).code(t))
	digest := `{"name":"k","scopes":["traces:read"],"hint":"px_live_abcd…","digest":"sha256:` + strings.Repeat("ab", 32) + `"}`
	require.Equal(t, http.StatusOK, dry(digest).status)
	assert.Empty(t, h.audits())

	made := h.create(h.admin, digest)
	require.Equal(t, http.StatusCreated, made.status)
	assert.Nil(t, keyOf(t, made).Key, "nothing was made that could be shown")
	assert.Equal(t, "px_live_abcd…", keyOf(t, made).Hint)
	assert.Equal(t, "Conflict already_exists", dry(digest).code(t))
	assert.Equal(t, "Conflict already_exists", h.create(h.admin, digest).code(t))
}

func TestAKeyThatIsRecordedByItsDigestOpens(t *testing.T) {
	h := newHarness(t)
	secret := h.format.Mint("live")
	digest, err := store.Digest(secret.Digest()).MarshalText()
	require.NoError(t, err)
	require.Equal(t, unknown, h.opens(secret.Reveal()))
	made := h.created(h.admin, `{"name":"k","scopes":["traces:read"],"digest":"`+string(digest)+`"}`)
	assert.Equal(t, opened, h.opens(secret.Reveal()))
	assert.Equal(t, made.ID, h.newestAudit().Target)
}
