package apikeyauthextension

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/oidcauthextension"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/extension/extensiontest"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// issuer is an OpenID Connect provider.
type issuer struct {
	server *httptest.Server
	key    *rsa.PrivateKey
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	i := &issuer{key: key}
	answer := func(w http.ResponseWriter, v any) { assert.NoError(t, json.NewEncoder(w).Encode(v)) }
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"issuer": i.server.URL, "jwks_uri": i.server.URL + "/keys", "authorization_endpoint": i.server.URL + "/auth",
			"token_endpoint": i.server.URL + "/token", "id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	})
	i.server = httptest.NewServer(mux)
	t.Cleanup(i.server.Close)
	return i
}

// token is an ID token with these claims.
func (i *issuer) token(t *testing.T, claims map[string]any) string {
	t.Helper()
	claims["iss"], claims["aud"], claims["exp"] = i.server.URL, "otlpgate", time.Now().Add(time.Hour).Unix()
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: i.key, KeyID: "k"}}, nil)
	require.NoError(t, err)
	signed, err := signer.Sign(payload)
	require.NoError(t, err)
	token, err := signed.CompactSerialize()
	require.NoError(t, err)
	return token
}

// startOIDC starts the collector's own authenticator.
func (i *issuer) startOIDC(t *testing.T) component.Component {
	t.Helper()
	factory := oidcauthextension.NewFactory()
	cfg := factory.CreateDefaultConfig().(*oidcauthextension.Config)
	cfg.Providers = []oidcauthextension.ProviderCfg{{IssuerURL: i.server.URL, Audience: "otlpgate"}}
	oidc, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), cfg)
	require.NoError(t, err)
	require.NoError(t, oidc.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, oidc.Shutdown(context.Background())) })
	return oidc
}

func TestAUserOfTheCollectorsAuthenticatorNeedsNoKeyForThePages(t *testing.T) {
	provider := newIssuer(t)
	oidcID := component.MustNewID("oidc")
	var site string
	f := &fixture{telemetry: componenttest.NewTelemetry()}
	f.startExtension(t, fixtureOptions{
		extension: func(c *Config) {
			c.Admin.NetAddr.Endpoint = freeAddress(t)
			site = "http://" + c.Admin.NetAddr.Endpoint
			c.Admin.Auth = configoptional.Some(authBy(oidcID))
			c.Admin.UI.UserAttribute = "claims.email"
		},
		host: host{oidcID: provider.startOIDC(t)},
	})
	_, err := f.keys.CreateUser(t.Context(), store.User{
		ID: "usr_ada", Name: "Ada", Email: "ada@example.com", Role: identity.Member, Active: true, CreatedAt: time.Now(), UpdatedAt: time.Now(),
	}, store.Audit{Action: "user.create", Time: time.Now()})
	require.NoError(t, err)

	get := func(path string, claims map[string]any) (status int, page, location string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, site+path, nil)
		require.NoError(t, err)
		if claims != nil {
			r.Header.Set("Authorization", "Bearer "+provider.token(t, claims))
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(text), resp.Header.Get("Location")
	}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)

	status, page, _ := get("/keys", map[string]any{"sub": "1", "email": "ADA@example.com", "email_verified": true})
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, page, "Your keys")
	assert.Contains(t, page, "<strong>Ada</strong>")

	status, _, _ = get("/keys", nil)
	assert.Equal(t, http.StatusUnauthorized, status, "the authenticator is in front of everything")
	for name, claims := range map[string]map[string]any{
		"somebody else":        {"sub": "2", "email": "eve@example.com"},
		"no email":             {"sub": "3"},
		"no text":              {"sub": "3", "email": []string{"ada@example.com"}},
		"not verified":         {"sub": "4", "email": "ada@example.com", "email_verified": false},
		"not verified, a text": {"sub": "4", "email": "ada@example.com", "email_verified": "false"},
		"the built-in user":    {"sub": "5", "email": "admin"},
		"another attribute":    {"sub": "usr_ada", "name": "ada@example.com"},
	} {
		status, _, location := get("/keys", claims)
		assert.Equal(t, http.StatusSeeOther, status, name)
		assert.True(t, strings.HasPrefix(location, "/sign-in"), name)
	}
	_, page, _ = get("/sign-in", map[string]any{"sub": "2", "email": "eve@example.com"})
	assert.Contains(t, page, "You are known as eve@example.com")
}

func authBy(id component.ID) (c confighttp.AuthConfig) {
	c.Config.AuthenticatorID = id
	return c
}

func TestSessionsAreOfKeysThatTheGateKnows(t *testing.T) {
	f := &fixture{telemetry: componenttest.NewTelemetry()}
	var site string
	f.startExtension(t, fixtureOptions{extension: func(c *Config) {
		c.Admin.NetAddr.Endpoint = freeAddress(t)
		site = "http://" + c.Admin.NetAddr.Endpoint
	}})
	_, err := f.keys.CreateUser(t.Context(), store.User{
		ID: "usr_ada", Name: "Ada", Role: identity.Member, Active: true, CreatedAt: time.Now(), UpdatedAt: time.Now(),
	}, store.Audit{Action: "user.create", Time: time.Now()})
	require.NoError(t, err)
	id, secret := f.keyRecord(t, func(k *store.Key) { k.Type, k.OwnerID, k.Role = identity.UserKey, "usr_ada", "" })
	someone := signIn(t, site, secret)
	someone.read(t, "/keys")

	resp, err := someone.client.PostForm(site+"/sign-in", url.Values{"key": {"px_live_nonsense"}})
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	_, err = f.keys.UpdateKey(t.Context(), id, func(k *store.Key) (store.Audit, error) {
		k.RevokedAt = time.Now()
		return store.Audit{Action: "key.revoke", Time: time.Now()}, nil
	})
	require.NoError(t, err)
	resp, err = someone.client.Get(site + "/keys")
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, http.StatusUnauthorized, resp.StatusCode)
}

func TestWithoutPagesThereIsTheAPIAlone(t *testing.T) {
	f := &fixture{telemetry: componenttest.NewTelemetry()}
	var site string
	f.startExtension(t, fixtureOptions{extension: func(c *Config) {
		c.Admin.NetAddr.Endpoint = freeAddress(t)
		site = "http://" + c.Admin.NetAddr.Endpoint
		c.Admin.UI.Enabled = false
	}})
	client := &http.Client{}
	t.Cleanup(client.CloseIdleConnections)
	for path, want := range map[string]int{"/": 404, "/sign-in": 404, "/healthz": 200, "/api/v1/whoami": 401} {
		resp, err := client.Get(site + path)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, want, resp.StatusCode, path)
	}
}
