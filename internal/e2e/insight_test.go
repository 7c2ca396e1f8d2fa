package e2e

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/credential"
)

// exactMix sends requests of every kind over every transport.
func (x *exchange) exactMix(t *testing.T) {
	t.Helper()
	user := x.createUser(t, "Ada", client.RoleMember)
	good, failing := x.create(t), x.create(t)
	mine, narrow := x.create(t, projects("mine")), x.create(t, scopes("logs:write"))
	revoked, disabled, expired := x.create(t), x.create(t, ownedBy(user)), x.create(t, expiring(time.Now().Add(time.Second)))
	elsewhere, small := x.create(t, fromAddresses("192.0.2.0/24")), x.create(t, limitedTo("2 items in 1h on ingest"))
	x.revoke(t, revoked.id)
	inactive := false
	x.patchUser(t, user, client.UserPatch{Active: &inactive})
	awaitStatus(t, x.collector, expired.id, client.KeyStatusExpired)
	for _, s := range senders {
		limited := x.create(t, limitedTo("2 requests in 1h on ingest"))
		x.send(t, s, traces, 4, good.id, good.bearer(), "a", "b", "c")
		x.send(t, s, logs, 3, good.id, good.bearer())
		x.send(t, s, metrics, 2, mine.id, mine.bearer(), "mine", "theirs", "theirs")
		x.send(t, s, metrics, 2, mine.id, mine.bearer(), "theirs", "theirs")
		x.send(t, s, traces, 3, narrow.id, narrow.bearer())
		x.send(t, s, traces, 3, revoked.id, revoked.bearer())
		x.send(t, s, traces, 2, disabled.id, disabled.bearer())
		x.send(t, s, traces, 2, expired.id, expired.bearer())
		x.send(t, s, traces, 2, elsewhere.id, elsewhere.bearer())
		x.send(t, s, traces, 2, small.id, small.bearer(), "a", "b", "c")
		x.send(t, s, traces, 5, limited.id, limited.bearer())
		x.send(t, s, traces, 2, "", nil)
		x.send(t, s, traces, 2, "", bearer("px_live_nonsense"))
		x.send(t, s, traces, 2, "", headers{"authorization": "Bearer " + good.secret, "x-api-key": mine.secret})
		x.send(t, s, logs, 2, "", bearer(x.vault.mint(credential.Live)))
		x.sink.fail.Store(uint32(codes.Unavailable))
		x.send(t, s, traces, 3, failing.id, failing.bearer())
		x.sink.fail.Store(uint32(codes.OK))
		x.sendTwoAtOnce(t, s)
	}
	flood := bearer(x.vault.mint(credential.Live))
	for range 10_000 {
		x.send(t, senders[0], logs, 1, "", flood)
		if _, throttled := x.told[fate{endpoint: "logs", transport: "grpc", reason: "too_many_failures"}]; throttled {
			break
		}
		flood = bearer(x.vault.mint(credential.Live))
	}
}

// sendTwoAtOnce sends two requests with a key that may have one under way.
func (x *exchange) sendTwoAtOnce(t *testing.T, s sender) {
	t.Helper()
	k, hold := x.create(t, onPlan("single")), make(chan struct{})
	x.sink.hold.Store(&hold)
	first := make(chan answer)
	go func() { first <- s.send(t, x.collector, traces, traces.request(), k.bearer()) }()
	require.Eventually(t, func() bool { return x.underWay(t, k.id) == 1 }, patience, tick)
	x.send(t, s, traces, 1, k.id, k.bearer())
	x.sink.hold.Store(nil)
	close(hold)
	x.note(t, s, traces, k.id, <-first, 1)
}

const insightOverlay = `
extensions: {apikeyauth: {plans: {single: {concurrency: 1}}, usage: {flush_interval: 1s}}}
`

func TestUsageAccessLogAndMetricsAreExactForEveryOutcome(t *testing.T) {
	t.Parallel()
	o := options{storage: filepath.Join(t.TempDir(), "data"), vault: newVault(t), sink: newSink(t), overlay: insightOverlay}
	x := &exchange{collector: start(t, o), told: map[fate]volume{}}
	x.exactMix(t)
	assert.Equal(t, []string{
		"", "address_not_allowed", "concurrency_exceeded", "conflicting_credentials", "disabled_key", "expired_key", "larger_than_limit",
		"malformed_credential", "missing_scope", "no_credential", "pipeline_failed", "project_not_allowed", "rate_limited", "revoked_key",
		"too_many_failures", "unknown_key",
	}, x.reasons(), "what the mix is made of")
	x.check(t, true)
	require.False(t, t.Failed())

	x.stop(t)
	x.collector = start(t, o)
	x.check(t, false)
}

func TestEveryConfigurationOfTheDoorsCountsTheSame(t *testing.T) {
	for _, d := range []doors{authOnly, middlewaresOnly} {
		t.Run(d.name(), func(t *testing.T) {
			t.Parallel()
			x := &exchange{collector: start(t, options{doors: d, overlay: insightOverlay}), told: map[fate]volume{}}
			good, mine, narrow, failing := x.create(t), x.create(t, projects("mine")), x.create(t, scopes("logs:write")), x.create(t)
			limited := x.create(t, limitedTo("3 requests in 1h on ingest"))
			for _, s := range senders {
				x.send(t, s, traces, 3, good.id, good.bearer(), "a", "b")
				x.send(t, s, metrics, 2, mine.id, mine.bearer(), "theirs")
				x.send(t, s, traces, 2, narrow.id, narrow.bearer())
				x.send(t, s, traces, 2, limited.id, limited.bearer())
				x.sink.fail.Store(uint32(codes.Unavailable))
				x.send(t, s, traces, 2, failing.id, failing.bearer())
				x.sink.fail.Store(uint32(codes.OK))
			}
			want := map[string]int64{good.id: 9, mine.id: 6, narrow.id: 6, limited.id: 6, failing.id: 6}
			for id, n := range want {
				require.Eventually(t, func() bool { return x.usageOf(t, id).Totals.Requests >= n }, patience, 20*time.Millisecond)
				got := x.usageOf(t, id)
				assert.Equal(t, n, got.Totals.Requests)
				if id == good.id {
					assert.EqualValues(t, 18, got.Totals.Items)
					assert.Equal(t, n, got.Totals.Accepted)
					assert.Positive(t, got.Totals.Bytes)
				} else {
					assert.Positive(t, got.Totals.Refused+got.Totals.Failed, id)
				}
			}
			assert.EqualValues(t, 6, x.usageOf(t, failing.id).Totals.Failed)
			assert.EqualValues(t, 6, x.usageOf(t, narrow.id).Totals.Refused)
		})
	}
}

func TestAKillLosesOneFlushIntervalOfUsageAtMost(t *testing.T) {
	t.Parallel()
	o := options{storage: filepath.Join(t.TempDir(), "data"), vault: newVault(t), sink: newSink(t), overlay: insightOverlay}
	x := &exchange{collector: start(t, o), told: map[fate]volume{}}
	k := x.create(t)
	var sent, kept int64
	for range 5 {
		x.send(t, senders[0], traces, 20, k.id, k.bearer())
		sent += 20
		flushed := x.usageOf(t, k.id).Totals.Requests // asking keeps what was not kept
		kept = sent
		assert.Equal(t, sent, flushed)
		x.send(t, senders[0], traces, 10, k.id, k.bearer()) // of which any part may be lost
		sent += 10
		x.kill()
		x.collector = start(t, o)
		got := x.usageOf(t, k.id)
		assert.GreaterOrEqual(t, got.Totals.Requests, kept)
		assert.LessOrEqual(t, got.Totals.Requests, sent)
		var logged int64
		for _, r := range x.accessLog(t) {
			if r.Endpoint == traces.name {
				logged += r.Requests
			}
		}
		assert.GreaterOrEqual(t, logged, kept)
		assert.LessOrEqual(t, logged, sent)
		sent = got.Totals.Requests
	}
	x.send(t, senders[0], traces, 15, k.id, k.bearer())
	before := sent
	flushes := func() float64 {
		return x.scrape(t, "otelcol_apikeyauth_insight_flush_duration_count")["otelcol_apikeyauth_insight_flush_duration_count"]
	}
	began := flushes()
	require.Eventually(t, func() bool { return flushes() >= began+2 }, patience, 100*time.Millisecond, "nobody asks: the flush comes by itself")
	x.kill()
	x.collector = start(t, o)
	assert.Equal(t, before+15, x.usageOf(t, k.id).Totals.Requests)
}
