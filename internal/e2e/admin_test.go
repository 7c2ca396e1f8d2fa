package e2e

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// admin is the administrator, with the key of the first start.
type admin struct {
	vault   *vault
	address string
	secret  string
	scheme  string
	http    *http.Client
	api     *client.ClientWithResponses
}

func newAdmin(v *vault, transport *http.Transport) *admin {
	a := &admin{vault: v, scheme: "https"}
	if transport == nil {
		a.scheme, transport = "http", &http.Transport{MaxIdleConnsPerHost: 64}
	}
	a.http = &http.Client{Transport: recorder{v, transport}, Timeout: patience}
	return a
}

// connect logs in with the key that the first start left in the storage.
func (a *admin) connect(t testing.TB, storage string) {
	t.Helper()
	if text, err := os.ReadFile(filepath.Join(storage, "admin.key")); err == nil {
		a.secret = a.vault.keep(strings.TrimSpace(string(text)))
	}
	t.Cleanup(a.http.CloseIdleConnections)
	var err error
	a.api, err = client.NewClientWithResponses(a.scheme+"://"+a.address+"/api/v1", client.WithHTTPClient(a.http), client.WithRequestEditorFn(a.authorize))
	require.NoError(t, err)
}

// whoami tells whose key the administrator uses.
func (a *admin) whoami(t *testing.T) client.Whoami {
	t.Helper()
	answer, err := a.api.WhoamiWithResponse(t.Context())
	require.NoError(t, err)
	require.NoError(t, client.Check(answer.HTTPResponse, answer.Body))
	return *answer.JSON200
}

func (a *admin) authorize(_ context.Context, r *http.Request) error {
	r.Header.Set("Authorization", "Bearer "+a.secret)
	return nil
}

// reply is what the admin API answers.
type reply struct {
	status int
	header http.Header
	body   string
}

func (a *admin) get(t testing.TB, path string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.scheme+"://"+a.address+path, http.NoBody)
	require.NoError(t, err)
	return doHTTP(t, a.http, r)
}

// key is a key that was created, with its secret.
type key struct{ id, secret string }

func (k key) bearer() headers { return headers{"authorization": "Bearer " + k.secret} }

type edit func(*client.KeyCreate)

// create creates a key, by default a live user key on an unlimited plan that
// may send everything.
func (a *admin) create(t testing.TB, edits ...edit) key {
	t.Helper()
	k, err := a.tryCreate(t.Context(), edits...)
	require.NoError(t, err)
	return k
}

func (a *admin) tryCreate(ctx context.Context, edits ...edit) (key, error) {
	plan := "enterprise"
	body := client.KeyCreate{
		Name: "test key", Plan: &plan,
		Scopes: []client.Scope{"traces:write", "metrics:write", "logs:write", "profiles:write"},
	}
	for _, e := range edits {
		e(&body)
	}
	answer, err := a.api.CreateKeyWithResponse(ctx, nil, body)
	if err != nil {
		return key{}, err
	}
	if err := client.Check(answer.HTTPResponse, answer.Body); err != nil {
		return key{}, err
	}
	return key{answer.JSON201.ID, a.vault.keep(*answer.JSON201.Key)}, nil
}

func (a *admin) revoke(t *testing.T, id string) {
	t.Helper()
	require.NoError(t, a.tryRevoke(t.Context(), id))
}

func (a *admin) tryRevoke(ctx context.Context, id string) error {
	answer, err := a.api.RevokeKeyWithResponse(ctx, id, nil)
	if err != nil {
		return err
	}
	return client.Check(answer.HTTPResponse, answer.Body)
}

// statuses lists every key.
func (a *admin) statuses(t *testing.T) map[string]client.KeyStatus {
	t.Helper()
	return a.statusesUntil(t, func(map[string]client.KeyStatus) bool { return false })
}

// statusesUntil lists keys, the newest first, until what it has is enough.
func (a *admin) statusesUntil(t *testing.T, enough func(map[string]client.KeyStatus) bool) map[string]client.KeyStatus {
	t.Helper()
	statuses := map[string]client.KeyStatus{}
	most := 500
	params := &client.ListKeysParams{Limit: &most}
	for {
		answer, err := a.api.ListKeysWithResponse(t.Context(), params)
		require.NoError(t, err)
		require.NoError(t, client.Check(answer.HTTPResponse, answer.Body))
		for _, k := range answer.JSON200.Data {
			statuses[k.ID] = k.Status
		}
		if answer.JSON200.NextCursor == nil || enough(statuses) {
			return statuses
		}
		params.Cursor = answer.JSON200.NextCursor
	}
}

func scopes(names ...client.Scope) edit {
	return func(k *client.KeyCreate) { k.Scopes = names }
}

func projects(names ...string) edit {
	return func(k *client.KeyCreate) { k.Projects = names }
}

func named(name string) edit {
	return func(k *client.KeyCreate) { k.Name = name }
}

func ofType(kind client.KeyType) edit {
	return func(k *client.KeyCreate) { k.Type = &kind }
}

func inEnvironment(e client.Environment) edit {
	return func(k *client.KeyCreate) { k.Environment = &e }
}

func fromAddresses(cidrs ...string) edit {
	return func(k *client.KeyCreate) { k.AllowedIps = cidrs }
}

func expiring(at time.Time) edit {
	return func(k *client.KeyCreate) { k.ExpiresAt = &at }
}
