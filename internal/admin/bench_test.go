package admin

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

// BenchmarkListThroughTheAPI asks for pages of 100,000 keys, records and last uses
// included.
func BenchmarkListThroughTheAPI(b *testing.B) {
	h := newHarness(b)
	const keys, writers = 100_000, 256 // who share transactions
	h.user("ada", identity.Member)
	var filling sync.WaitGroup
	for w := range writers {
		filling.Go(func() {
			for n := w; n < keys; n += writers {
				k := storetest.Key(n)
				k.Type, k.OwnerID = identity.UserKey, "ada"
				if _, err := h.store.CreateKey(b.Context(), k, store.Audit{Action: "key.create"}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	filling.Wait()
	h.get(h.admin, "/api-keys") // which reads all keys
	for _, query := range []string{"?", "?sort=name", "?q=px_live_77777", "?status=active&sort=-lastUsedAt", "?limit=500"} {
		b.Run(query, func(b *testing.B) {
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/api/v1/api-keys"+query, http.NoBody)
				r.Header.Set("Authorization", "Bearer "+h.admin)
				w := httptest.NewRecorder()
				h.unchecked.ServeHTTP(w, r)
				require.Equal(b, http.StatusOK, w.Code)
			}
		})
	}
}
