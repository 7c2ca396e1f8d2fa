package e2e

import (
	"testing"
	"time"

	"github.com/oapi-codegen/nullable"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

func (a *admin) change(t *testing.T, id string, patch client.KeyPatch) {
	t.Helper()
	answer, err := a.api.UpdateKeyWithResponse(t.Context(), id, nil, patch)
	require.NoError(t, err)
	require.NoError(t, client.Check(answer.HTTPResponse, answer.Body))
}

func TestAChangeOfAKeysLimitsCountsAtOnceOnWhatWasSpent(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		t.Run(d.name(), func(t *testing.T) {
			t.Parallel()
			c := start(t, options{doors: d, overlay: `
extensions: {apikeyauth: {plans: {team: {limits: [{on: ingest, unit: requests, max: 6, window: 1m}]}}}}
`})
			for _, s := range senders {
				k := c.create(t, limitedTo("5 requests in 1m on ingest"))
				send := func() answer { return s.send(t, c, traces, traces.request(), k.bearer()) }
				to := func(texts ...string) client.KeyPatch {
					return client.KeyPatch{Limits: nullable.NewNullableWithValue(limitsOf(texts...))}
				}
				for range 3 {
					accepted(t, send())
				}
				c.change(t, k.id, to("3 requests in 1m on ingest"))
				overLimit(t, send(), time.Minute)
				c.change(t, k.id, to("2 requests in 1m on ingest"))
				overLimit(t, send(), time.Minute)
				c.change(t, k.id, to("4 requests in 1m on ingest"))
				accepted(t, send())
				overLimit(t, send(), time.Minute)
				c.change(t, k.id, client.KeyPatch{Limits: nullable.NewNullNullable[[]client.Limit](), Plan: nullable.NewNullableWithValue("team")})
				accepted(t, send())
				accepted(t, send())
				overLimit(t, send(), time.Minute)
				c.change(t, k.id, client.KeyPatch{Plan: nullable.NewNullableWithValue("enterprise")})
				a := send()
				accepted(t, a)
				assert.Empty(t, a.header.Get("RateLimit-Policy"))
				c.change(t, k.id, client.KeyPatch{Plan: nullable.NewNullableWithValue("team")})
				overLimit(t, send(), time.Minute)
				c.change(t, k.id, client.KeyPatch{Plan: nullable.NewNullNullable[string]()})
				accepted(t, send()) // on the default plan
				assert.EqualValues(t, 7, c.used(t, k.id)[0], "what was not limited was not counted")
			}
		})
	}
}

func TestAChangeOfAPlanCountsOnWhatWasSpentBeforeTheRestart(t *testing.T) {
	t.Parallel()
	plan := func(most string) string {
		return "extensions: {apikeyauth: {plans: {team: {limits: [{on: ingest, unit: requests, max: " + most + ", window: 1h}]}}}}"
	}
	c := start(t, options{overlay: plan("5")})
	k := c.create(t, onPlan("team"))
	for range 3 {
		accepted(t, sendGRPC(t, c, traces, traces.request(), k.bearer()))
	}
	c = c.restart(t, plan("2"))
	overLimit(t, sendGRPC(t, c, traces, traces.request(), k.bearer()), time.Hour)
	assert.Equal(t, []int64{3}, c.used(t, k.id))
	c = c.restart(t, plan("4"))
	accepted(t, sendProtobuf(t, c, traces, traces.request(), k.bearer()))
	overLimit(t, sendProtobuf(t, c, traces, traces.request(), k.bearer()), time.Hour)
	c = c.restart(t, "") // without the plan
	a := sendJSON(t, c, traces, traces.request(), k.bearer())
	accepted(t, a)
	assert.Equal(t, "100", a.header.Get("X-RateLimit-Limit"), "a key whose plan is gone is on the default one")
}
