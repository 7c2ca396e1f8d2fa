package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
)

func TestComponentsBehindTheGateSeeTheIdentityAndNeverTheCredential(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		t.Run(d.name(), func(t *testing.T) {
			t.Parallel()
			c := start(t, options{doors: d, overlay: `
receivers: {otlp: {protocols: {grpc: {include_metadata: true}, http: {include_metadata: true}}}}
processors:
  attributes:
    actions:
      - {key: seen.id, from_context: auth.key_id, action: insert}
      - {key: seen.owner, from_context: auth.owner_id, action: insert}
      - {key: seen.environment, from_context: auth.environment, action: insert}
      - {key: seen.tenant, from_context: metadata.x-tenant, action: insert}
      - {key: seen.authorization, from_context: metadata.authorization, action: insert}
      - {key: seen.api_key, from_context: metadata.api_key, action: insert}
      - {key: seen.x_api_key, from_context: metadata.x-api-key, action: insert}
service: {pipelines: {traces: {processors: [apikey, attributes]}}}
`})
			k := c.create(t)
			for _, h := range []headers{k.bearer(), {"api_key": k.secret}, {"x-api-key": k.secret}} {
				h["x-tenant"] = "acme"
				for _, s := range senders {
					require.Equal(t, codes.OK, s.send(t, c, traces, traces.request(), h).code, s.name)
				}
			}
			spans := c.sink.spans()
			require.Len(t, spans, 9)
			for _, span := range spans {
				assert.Equal(t, map[string]any{
					"apikey.id": k.id, "apikey.name": "test key",
					"seen.id": k.id, "seen.owner": "admin", "seen.environment": "live", "seen.tenant": "acme",
				}, span.Attributes().AsRaw())
			}
		})
	}
}

func TestBatchingByMetadataKeepsKeysApart(t *testing.T) {
	t.Parallel()
	c := start(t, options{overlay: `
receivers: {otlp: {protocols: {grpc: {include_metadata: true}, http: {include_metadata: true}}}}
processors: {batch: {timeout: 1h, metadata_keys: [apikey.key_id]}}
service: {pipelines: {traces: {processors: [apikey, batch]}}}
`})
	one, other := c.create(t), c.create(t)
	h := other.bearer()
	h["apikey.key_id"] = one.id // a claim that must not count
	for _, s := range senders {
		require.Equal(t, codes.OK, s.send(t, c, traces, traces.request(), one.bearer()).code, s.name)
		require.Equal(t, codes.OK, s.send(t, c, traces, traces.request(), h).code, s.name)
	}
	c.stop(t) // which sends what is left
	byKey := map[string]int{}
	for _, td := range c.sink.traces.AllTraces() {
		ids := map[string]bool{}
		for _, rs := range td.ResourceSpans().All() {
			for _, span := range rs.ScopeSpans().At(0).Spans().All() {
				id, _ := span.Attributes().Get("apikey.id")
				ids[id.Str()] = true
				byKey[id.Str()]++
			}
		}
		assert.Len(t, ids, 1, "a batch holds the spans of one key")
	}
	assert.Equal(t, map[string]int{one.id: len(senders), other.id: len(senders)}, byKey)
}

func TestTheTagsGoWhereTheyAreConfiguredTo(t *testing.T) {
	t.Parallel()
	c := start(t, options{overlay: `
processors:
  apikey:
    tag: resource
    attributes: {id: tenant.key, name: "", owner: tenant.user, environment: tenant.stage, type: tenant.kind, plan: tenant.plan}
`})
	k := c.create(t)
	require.Equal(t, codes.OK, sendGRPC(t, c, traces, traces.request(), k.bearer()).code)
	td := c.sink.traces.AllTraces()[0]
	assert.Equal(t, map[string]any{
		"tenant.key": k.id, "tenant.user": "admin", "tenant.stage": "live", "tenant.kind": "user", "tenant.plan": "enterprise",
	}, td.ResourceSpans().At(0).Resource().Attributes().AsRaw())
	assert.Empty(t, c.sink.spans()[0].Attributes().AsRaw())
}

func TestAfterAnAsynchronousProcessorTheGateRefuses(t *testing.T) {
	t.Parallel()
	c := start(t, options{overlay: `
processors: {batch: {send_batch_size: 1, timeout: 10ms}}
service: {pipelines: {traces: {processors: [batch, apikey]}}}
`})
	require.Equal(t, codes.OK, sendGRPC(t, c, traces, traces.request(), c.create(t).bearer()).code, "batch has taken it over")
	c.await(t, "refusal", func(string) bool {
		return c.scrape(t, "otelcol_apikey_refused_items")[`otelcol_apikey_refused_items{reason="no_identity",signal="traces"}`] == 1
	})
	assert.Zero(t, c.sink.items())
}
