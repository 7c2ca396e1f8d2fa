package apikeyauthextension

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otlpgate/otlpgate/internal/provision"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/badgerstore"
)

func openBackup(t *testing.T, address, directory string) io.Reader {
	t.Helper()
	secret, err := os.ReadFile(filepath.Join(directory, provision.AdminKeyFile))
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/api/v1/backup", http.NoBody)
	require.NoError(t, err)
	r.Header.Set("x-api-key", strings.TrimSpace(string(secret)))
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	require.Equal(t, http.StatusOK, resp.StatusCode)
	return resp.Body
}

// A write timeout that is over before anything can be written shows that
// backups have their own, through all that the collector puts around handlers.
func TestABackupIsNotBoundByTheWriteTimeout(t *testing.T) {
	directory := t.TempDir()
	e, logs := createIn(t, directory, func(c *Config) { c.Admin.WriteTimeout = time.Nanosecond })
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	defer func() { require.NoError(t, e.Shutdown(context.Background())) }()

	content, err := io.ReadAll(openBackup(t, adminAddress(t, logs), directory))
	require.NoError(t, err)
	restored := filepath.Join(t.TempDir(), "restored")
	require.NoError(t, badgerstore.Restore(t.Context(), restored, bytes.NewReader(content), nil))
	backend, err := badgerstore.Open(t.Context(), badgerstore.Options{Directory: restored})
	require.NoError(t, err)
	defer func() { assert.NoError(t, backend.Close()) }()
	_, err = backend.User(t.Context(), store.BuiltinUserID)
	assert.NoError(t, err)
}

func TestShutdownDoesNotWaitForABackup(t *testing.T) {
	f := &fixture{telemetry: componenttest.NewTelemetry()}
	f.startExtension(t, fixtureOptions{})
	e := f.extension
	endless := func(_ context.Context, w io.Writer) error {
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return err
			}
		}
	}
	core, logs := observer.New(zap.InfoLevel)
	e.settings.Logger = zap.New(core)
	server, err := e.startAdmin(t.Context(), componenttest.NewNopHost(), records{keys: f.keys, backup: endless})
	require.NoError(t, err)
	body := openBackup(t, adminAddress(t, logs), e.config.Storage.Directory)

	started := time.Now()
	require.NoError(t, server.shutdown(context.Background()))
	assert.Less(t, time.Since(started), 10*time.Second)
	_, err = io.Copy(io.Discard, body)
	assert.Error(t, err, "what is cut off must not look whole")
}
