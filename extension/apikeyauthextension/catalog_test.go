package apikeyauthextension

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

// TestAKeyJustUsedIsTheFirstByLastUse uses one at the door, and lists before and
// after that is kept.
func TestAKeyJustUsedIsTheFirstByLastUse(t *testing.T) {
	minted := credential.Format{}.Mint(credential.Sys).Reveal()
	e, logs := createIn(t, t.TempDir(), func(c *Config) { c.Bootstrap.AdminKey = configopaque.String(minted) })
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	defer func() { require.NoError(t, e.Shutdown(context.Background())) }()
	f := &fixture{extension: e.(*gateExtension), keys: e.(*gateExtension).store}
	require.NotNil(t, f.extension.catalog.end, "the keys are read ahead")
	ids, secrets := map[int]string{}, map[int]string{}
	for n := range 3 {
		ids[n], secrets[n] = f.keyRecord(t)
	}
	first := func() string {
		status, body := get(t, "http://"+adminAddress(t, logs)+"/api/v1/api-keys?type=system&q=test+key&sort=-lastUsedAt", map[string]string{"X-Api-Key": minted})
		require.Equal(t, http.StatusOK, status, body)
		var list struct{ Data []struct{ ID string } }
		require.NoError(t, json.Unmarshal([]byte(body), &list))
		require.Len(t, list.Data, 3)
		return list.Data[0].ID
	}
	for _, n := range []int{1, 0, 2, 1} {
		_, err := f.extension.Authenticate(t.Context(), map[string][]string{"x-api-key": {secrets[n]}})
		require.NoError(t, err)
		assert.Equal(t, ids[n], first())
		require.NoError(t, f.extension.uses.latest.Flush(t.Context(), time.Now().Add(time.Hour))) // and forgotten
		assert.Equal(t, ids[n], first())
	}
}

// broken is a store whose keys cannot be listed, which it says once it is released.
type broken struct {
	store.Store
	release chan struct{}
}

func (b broken) ListKeys(ctx context.Context, _ store.KeyFilter, _ store.Page) (store.KeyPage, error) {
	select {
	case <-b.release:
	case <-ctx.Done():
		return store.KeyPage{}, ctx.Err()
	}
	return store.KeyPage{}, errors.New("disk on fire")
}

func TestKeysThatCannotBeReadAheadAreLoggedAndReadingThemHoldsUpNoShutdown(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	b := broken{Store: storetest.NewMemory(), release: make(chan struct{})}
	stuck := (&gateExtension{}).newCatalog(b)
	stuck.warm(t.Context(), zap.New(core))
	stuck.shutdown()
	assert.Zero(t, logs.Len(), "a shutdown is no failure")
	close(b.release)
	failing := (&gateExtension{}).newCatalog(b)
	failing.warm(t.Context(), zap.New(core))
	failing.done.Wait()
	require.Equal(t, 1, logs.Len())
	assert.Equal(t, "disk on fire", logs.All()[0].ContextMap()["error"])
	failing.shutdown()
	(&gateExtension{}).newCatalog(b).shutdown()
}
