package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"google.golang.org/grpc/codes"
)

func TestTheStatusOfRequestsOverALimitIsConfigurableOverHTTP(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		t.Run(d.name(), func(t *testing.T) {
			t.Parallel()
			c := start(t, options{doors: d, overlay: patient + `
extensions: {apikeyauth: {limits: {over_limit_status: 503}, plans: {one: {concurrency: 1}}}}
`})
			for _, s := range senders {
				for name, tt := range map[string]struct {
					limit  edit
					reason string
				}{
					"requests":    {limitedTo("1 requests in 1m on ingest"), "rate_limited"},
					"items":       {limitedTo("1 items in 1m on ingest"), "rate_limited"},
					"concurrency": {onPlan("one"), "concurrency_exceeded"},
				} {
					t.Run(s.name+"/"+name, func(t *testing.T) {
						h := fill(t, c, s, c.create(t, tt.limit), 1)
						refused := h.refused(t)
						h.empty()
						accepted(t, <-h.answers)
						assert.Equal(t, tt.reason, refused.reason)
						retryable(t, refused, http.StatusServiceUnavailable)
						want := codes.Unavailable
						if s.name == "grpc" {
							want = codes.ResourceExhausted
						}
						assert.Equal(t, want, refused.code)
					})
				}
			}
		})
	}
}
