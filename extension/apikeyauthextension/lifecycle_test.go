package apikeyauthextension

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensionauth"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/declaration"
	"github.com/otlpgate/otlpgate/internal/provision"
)

// createIn creates an extension that keeps its keys in directory.
func createIn(t *testing.T, directory string, edit ...func(*Config)) (extension.Extension, *observer.ObservedLogs) {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.Storage.Directory = directory
	cfg.Admin.NetAddr.Endpoint = "127.0.0.1:0"
	for _, e := range edit {
		e(cfg)
	}
	core, logs := observer.New(zap.DebugLevel)
	set := extensiontest.NewNopSettings(NewFactory().Type())
	set.Logger = zap.New(core)
	e, err := NewFactory().Create(t.Context(), set, cfg)
	require.NoError(t, err)
	return e, logs
}

func adminAddress(t *testing.T, logs *observer.ObservedLogs) string {
	t.Helper()
	return loggedAddress(t, logs, "serving the admin API")
}

func get(t *testing.T, url string, headers map[string]string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func TestShutdownIsIdempotentAndSafeWithoutStart(t *testing.T) {
	e, _ := createIn(t, t.TempDir())
	require.NoError(t, e.Shutdown(t.Context()))
	require.NoError(t, e.Shutdown(t.Context()))
}

func TestTheFirstKeyOpensTheAdminAPIAndSurvivesARestart(t *testing.T) {
	directory := t.TempDir()
	var secret string
	for range 2 {
		e, logs := createIn(t, directory)
		require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
		if secret == "" {
			text, err := os.ReadFile(filepath.Join(directory, provision.AdminKeyFile))
			require.NoError(t, err)
			secret = strings.TrimSpace(string(text))
		}
		base := "http://" + adminAddress(t, logs)
		status, _ := get(t, base+"/readyz", nil)
		assert.Equal(t, http.StatusOK, status)
		status, body := get(t, base+"/api/v1/whoami", bearer(secret))
		require.Equal(t, http.StatusOK, status, body)
		var who map[string]any
		require.NoError(t, json.Unmarshal([]byte(body), &who))
		assert.Equal(t, "bootstrap", who["name"])
		status, _ = get(t, base+"/api/v1/whoami", nil)
		assert.Equal(t, http.StatusUnauthorized, status)
		require.NoError(t, e.Shutdown(context.Background()))
		for _, entry := range logs.All() {
			assert.NotContains(t, entry.Message, secret)
			assert.NotContains(t, entry.ContextMap(), secret)
		}
	}
}

// beginCall sends a call of the admin API but for the rest of its body, and
// returns when the call is running.
func beginCall(t *testing.T, e *gateExtension, address, secret, body, rest string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "POST /api/v1/api-keys HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", secret, len(body)+len(rest), body)
	require.NoError(t, err)
	(&fixture{extension: e}).awaitCached(t, secret)
	return conn
}

func TestAnAdminCallThatIsRunningEndsBeforeTheStoreCloses(t *testing.T) {
	minted := credential.Format{}.Mint(credential.Sys).Reveal()
	created, logs := createIn(t, t.TempDir(), func(c *Config) { c.Bootstrap.AdminKey = configopaque.String(minted) })
	require.NoError(t, created.Start(t.Context(), componenttest.NewNopHost()))
	address, rest := adminAddress(t, logs), `"a","scopes":["traces:write"]}`
	conn := beginCall(t, created.(*gateExtension), address, minted, `{"name":`, rest)
	done := make(chan error)
	go func() { done <- created.Shutdown(context.Background()) }()
	require.Eventually(t, func() bool { // the shutdown has begun
		probe, err := net.Dial("tcp", address)
		if err == nil {
			_ = probe.Close()
		}
		return err != nil
	}, 5*time.Second, time.Millisecond)
	_, err := conn.Write([]byte(rest))
	require.NoError(t, err)
	answer := make([]byte, len("HTTP/1.1 201"))
	_, err = io.ReadFull(conn, answer)
	require.NoError(t, err)
	assert.Equal(t, "HTTP/1.1 201", string(answer))
	require.NoError(t, <-done)
}

func TestAClientThatNeverFinishesDoesNotHoldUpShutdown(t *testing.T) {
	minted := credential.Format{}.Mint(credential.Sys).Reveal()
	created, logs := createIn(t, t.TempDir(), func(c *Config) { c.Bootstrap.AdminKey = configopaque.String(minted) })
	require.NoError(t, created.Start(t.Context(), componenttest.NewNopHost()))
	e := created.(*gateExtension)
	beginCall(t, e, adminAddress(t, logs), minted, "{", "never sent")
	e.admin.grace = 10 * time.Millisecond
	done := make(chan error)
	go func() { done <- e.Shutdown(context.Background()) }()
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(5 * time.Second):
		t.Fatal("it waits for the body")
	}
}

func TestAFailedStartLeavesNothingBehind(t *testing.T) {
	directory := t.TempDir()
	taken, logs := createIn(t, t.TempDir())
	require.NoError(t, taken.Start(t.Context(), componenttest.NewNopHost()))
	defer func() { require.NoError(t, taken.Shutdown(context.Background())) }()

	e, _ := createIn(t, directory, func(c *Config) { c.Admin.NetAddr.Endpoint = adminAddress(t, logs) })
	require.ErrorContains(t, e.Start(t.Context(), componenttest.NewNopHost()), "admin::endpoint")

	again, _ := createIn(t, directory)
	require.NoError(t, again.Start(t.Context(), componenttest.NewNopHost()), "the directory is free again")
	require.NoError(t, again.Shutdown(context.Background()))
}

func TestADirectoryInUseIsAClearError(t *testing.T) {
	directory := t.TempDir()
	first, _ := createIn(t, directory)
	require.NoError(t, first.Start(t.Context(), componenttest.NewNopHost()))
	defer func() { require.NoError(t, first.Shutdown(context.Background())) }()
	second, _ := createIn(t, directory)
	err := second.Start(t.Context(), componenttest.NewNopHost())
	require.ErrorContains(t, err, directory)
	require.ErrorContains(t, err, "storage::directory")
}

// doorkeeper is a collector authenticator that knows one password.
type doorkeeper struct{ component.Component }

func (doorkeeper) Authenticate(ctx context.Context, sources map[string][]string) (context.Context, error) {
	if got := sources["Authorization"]; len(got) == 1 && got[0] == "Bearer sesame" {
		return ctx, nil
	}
	return ctx, errClosed
}

var (
	errClosed                      = assert.AnError
	_         extensionauth.Server = doorkeeper{}
)

func TestTheAdminEndpointHonoursAnAuthenticatorOfTheCollector(t *testing.T) {
	keeper := component.MustNewID("doorkeeper")
	minted := credential.Format{}.Mint(credential.Sys).Reveal()
	withAuth := func(c *Config) {
		c.Admin.Auth = configoptional.Some(confighttp.AuthConfig{Config: configauth.Config{AuthenticatorID: keeper}})
	}
	e, logs := createIn(t, t.TempDir(), withAuth, func(c *Config) { c.Bootstrap.AdminKey = configopaque.String(minted) })
	require.NoError(t, e.Start(t.Context(), host{keeper: doorkeeper{}}))
	defer func() { require.NoError(t, e.Shutdown(context.Background())) }()
	url := "http://" + adminAddress(t, logs) + "/api/v1/whoami"
	for name, tt := range map[string]struct {
		headers map[string]string
		want    int
	}{
		"neither":      {nil, http.StatusUnauthorized},
		"key alone":    {map[string]string{"x-api-key": minted}, http.StatusUnauthorized},
		"keeper alone": {map[string]string{"Authorization": "Bearer sesame"}, http.StatusUnauthorized},
		"both":         {map[string]string{"Authorization": "Bearer sesame", "x-api-key": minted}, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := get(t, url, tt.headers)
			assert.Equal(t, tt.want, status, body)
		})
	}
}

func TestAnAddressThatIsNotAllowedDoesNotOpenTheAdminAPI(t *testing.T) {
	minted := credential.Format{}.Mint(credential.Sys)
	e, logs := createIn(t, t.TempDir(), func(c *Config) {
		c.Keys = []declaration.Key{{Name: "far", Digest: minted.Digest().String(), Preset: "admin", AllowedIPs: []string{"203.0.113.0/24"}}}
	})
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	defer func() { require.NoError(t, e.Shutdown(context.Background())) }()
	got, body := get(t, "http://"+adminAddress(t, logs)+"/api/v1/whoami", bearer(minted.Reveal()))
	assert.Equal(t, http.StatusForbidden, got, body)
}

func TestAKeyRevokedThroughTheAdminAPIIsRefusedAtTheDoorAtOnce(t *testing.T) {
	minted := credential.Format{}.Mint(credential.Sys).Reveal()
	e, logs := createIn(t, t.TempDir(), func(c *Config) { c.Bootstrap.AdminKey = configopaque.String(minted) })
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	defer func() { require.NoError(t, e.Shutdown(context.Background())) }()
	f := &fixture{extension: e.(*gateExtension), keys: e.(*gateExtension).store}
	id, secret := f.keyRecord(t)
	_, err := f.extension.Authenticate(t.Context(), map[string][]string{"x-api-key": {secret}})
	require.NoError(t, err)
	f.awaitCached(t, secret)

	r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, "http://"+adminAddress(t, logs)+"/api/v1/api-keys/"+id, nil)
	require.NoError(t, err)
	r.Header.Set("X-Api-Key", minted)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusNoContent, resp.StatusCode)
	_, err = f.extension.Authenticate(t.Context(), map[string][]string{"x-api-key": {secret}})
	assert.Equal(t, codes.Unauthenticated, status.Code(err))
}
