package apikeyauthextension

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/otlpgate/otlpgate/extension/apikeyauthextension/internal/metadatatest"
	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/accesslog"
	"github.com/otlpgate/otlpgate/internal/alert/alerttest"
	"github.com/otlpgate/otlpgate/internal/geo"
	"github.com/otlpgate/otlpgate/internal/geo/geotest"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/kv"
	"github.com/otlpgate/otlpgate/internal/kv/badgerkv"
	"github.com/otlpgate/otlpgate/internal/kv/kvtest"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/usage"
)

// blockedStore is a store whose writes wait until it is released, or fail.
type blockedStore struct {
	kv.Store
	release chan struct{}
	writes  atomic.Int64
}

func (s *blockedStore) Write(ctx context.Context, groups [][]kv.Entry) (int, error) {
	s.writes.Add(1)
	<-s.release
	return s.Store.Write(ctx, groups)
}

func (*blockedStore) Prune(context.Context) error { return nil }

// total is how much a key was used.
func (f *fixture) total(t *testing.T, id string) usage.Counts {
	t.Helper()
	now := f.extension.now()
	series, err := f.extension.books.Read(t.Context(), id, now.Add(-time.Hour), now.Add(time.Hour), usage.Minute)
	require.NoError(t, err)
	sum := series.Sum()
	return sum.Total()
}

func (f *fixture) logged(t *testing.T, filter accesslog.Filter) []accesslog.Entry {
	t.Helper()
	var entries []accesslog.Entry
	for p := (store.Page{Limit: store.MaxLimit}); ; {
		page, err := f.extension.books.List(t.Context(), filter, p)
		require.NoError(t, err)
		entries = append(entries, page.Entries...)
		if p.Cursor = page.Next; p.Cursor == "" {
			return entries
		}
	}
}

func TestTheUnknownCountryIsOneEverywhere(t *testing.T) {
	assert.Equal(t, access.UnknownCountry, geo.Unknown)
}

func TestABlockedStoreLeavesIngestUnaffectedAndCountsWhatIsDropped(t *testing.T) {
	blocked := &blockedStore{Store: kvtest.NewMemory(), release: make(chan struct{})}
	f := newFixture(t, fixtureOptions{
		doors:     both,
		extension: func(c *Config) { c.Usage.FlushInterval = time.Second },
		prepare: func(e *gateExtension) {
			e.openInsight = func(context.Context, badgerkv.Options) (insightStore, error) { return blocked, nil }
		},
	})
	id, secret := f.keyRecord(t)
	reader := f.key(t, func(k *store.Key) { k.Scopes = []identity.Scope{identity.TracesRead} })
	require.Equal(t, codes.OK, senders[0].send(t, f, telemetryOf(identity.Traces), bearer(secret)).code)
	require.Eventually(t, func() bool { return blocked.writes.Load() > 0 }, 10*time.Second, time.Millisecond, "a flush is under way, and hangs")

	const each = 1500
	began := time.Now()
	for range each {
		for _, s := range senders[:2] {
			require.Equal(t, codes.OK, s.send(t, f, telemetryOf(identity.Traces), bearer(secret)).code)
			require.Equal(t, codes.PermissionDenied, s.send(t, f, telemetryOf(identity.Traces), bearer(reader)).code)
		}
	}
	t.Logf("%s a request", time.Since(began)/(4*each))
	assert.EqualValues(t, 1, blocked.writes.Load(), "the flush hangs still")
	ctx, end := context.WithTimeout(t.Context(), 50*time.Millisecond)
	_, err := f.extension.books.Read(ctx, id, began, began.Add(time.Hour), usage.Minute)
	end()
	require.ErrorIs(t, err, context.DeadlineExceeded, "who asks is told, and need not wait for ever")
	dropped := f.extension.books.Dropped()
	assert.Positive(t, dropped)
	metadatatest.AssertEqualApikeyauthAccessLogDroppedLines(t, f.telemetry, []metricdata.DataPoint[int64]{{Value: dropped}}, metricdatatest.IgnoreTimestamp())

	close(blocked.release)
	total := f.total(t, id)
	assert.EqualValues(t, 2*each+1, total.Requests, "nothing is missing in the usage")
	lines, counted := int64(0), int64(0)
	for _, e := range f.logged(t, accesslog.Filter{Outcome: access.Refused}) {
		if e.Counted {
			counted += e.Requests
		} else {
			lines++
		}
	}
	assert.Equal(t, dropped, counted, "what has no line is counted")
	assert.Positive(t, lines)
}

func TestMetricsHaveTheKeyOnlyWhereThatIsAskedFor(t *testing.T) {
	for _, perKey := range []bool{false, true} {
		f := newFixture(t, fixtureOptions{doors: both, extension: func(c *Config) { c.Usage.MetricsPerKey = perKey }})
		id, secret := f.keyRecord(t)
		for _, s := range senders[:2] {
			require.Equal(t, codes.OK, s.send(t, f, telemetryOf(identity.Traces), bearer(secret)).code)
		}
		_, err := f.telemetry.GetMetric("otelcol_apikeyauth_key_requests")
		if !perKey {
			require.Error(t, err)
			continue
		}
		of := attribute.NewSet(attribute.String("key_id", id), attribute.String("outcome", "accepted"))
		metadatatest.AssertEqualApikeyauthKeyRequests(t, f.telemetry, []metricdata.DataPoint[int64]{{Value: 2, Attributes: of}}, metricdatatest.IgnoreTimestamp())
	}
}

func TestCountriesAreThoseOfTheDatabaseAlsoOnceItIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "countries.mmdb")
	geotest.Write(t, path, map[string]string{"127.0.0.0/8": "DE"})
	f := newFixture(t, fixtureOptions{doors: both, extension: func(c *Config) { c.GeoIP.Database = path }})
	id, secret := f.keyRecord(t)
	send := func() { senders[0].send(t, f, telemetryOf(identity.Traces), bearer(secret)) }
	send()
	require.NoError(t, f.extension.books.Flush(t.Context()))
	geotest.Write(t, path, map[string]string{"127.0.0.0/8": "FR"})
	require.NoError(t, f.extension.countries.Refresh())
	send()
	now := time.Now()
	series, err := f.extension.books.Read(t.Context(), id, now.Add(-time.Hour), now.Add(time.Hour), usage.Hour)
	require.NoError(t, err)
	sum := series.Sum()
	assert.Equal(t, map[string]*usage.CountryCounts{"DE": {Requests: 1}, "FR": {Requests: 1}}, sum.Countries)

	e, _ := createIn(t, t.TempDir(), func(c *Config) { c.GeoIP.Database = filepath.Join(t.TempDir(), "nothing.mmdb") })
	require.ErrorContains(t, e.Start(t.Context(), host{}), "geoip::database: open geoip database")
}

func TestLinesAreEmittedToTheCollectorsLogWhereThatIsAskedFor(t *testing.T) {
	e, logs := createIn(t, t.TempDir(), func(c *Config) { c.AccessLog.Emit = true })
	require.NoError(t, e.Start(t.Context(), host{}))
	_, err := e.(*gateExtension).Authenticate(t.Context(), map[string][]string{"x-api-key": {"px_live_nonsense"}, "User-Agent": {"sender/1"}})
	require.Error(t, err)
	require.NoError(t, e.Shutdown(context.Background()))
	lines := logs.FilterMessage("request refused").All()
	require.Len(t, lines, 1)
	fields := lines[0].ContextMap()
	assert.Equal(t, "malformed_credential", fields["reason"])
	assert.Equal(t, "sender/1", fields["user_agent"])
	assert.EqualValues(t, http.StatusUnauthorized, fields["status"])
}

func TestARequestThatCannotBeReadIsAFailureOfItsKey(t *testing.T) {
	for _, early := range []bool{false, true} {
		for _, held := range []bool{false, true} { // in memory
			for _, d := range []doors{both, middlewaresOnly} {
				f := newFixture(t, fixtureOptions{doors: d, extension: func(c *Config) { c.EarlyRefusal = early }})
				id, secret := f.keyRecord(t)
				if held {
					f.resolve(t, secret) // which is a request as well
				}
				before := f.total(t, id)
				ctx := metadata.NewOutgoingContext(t.Context(), metadata.New(bearer(secret)))
				err := f.grpc.Invoke(ctx, exportTraces, &struct{}{}, &struct{}{}, grpc.ForceCodec(garbage{}))
				require.Error(t, err)
				require.Eventually(t, func() bool { // grpc-go tells of the end after the answer
					total := f.total(t, id)
					return total.Failed == 1 && total.Requests == before.Requests+1
				}, 5*time.Second, time.Millisecond, "%s, early %v, held %v", d, early, held)
				entries := f.logged(t, accesslog.Filter{KeyID: id, Outcome: access.Failed})
				require.Len(t, entries, 1)
				assert.Equal(t, access.InvalidRequest, entries[0].Reason)
				assert.Equal(t, "traces", entries[0].Endpoint)
			}
		}
	}
}

// What the receiver's server cannot decompress never comes to the middleware.
func TestABodyThatCannotBeDecompressedIsAFailureOfItsKey(t *testing.T) {
	for _, d := range []doors{both, authOnly} {
		f := newFixture(t, fixtureOptions{doors: d})
		id, secret := f.keyRecord(t)
		require.Equal(t, codes.OK, senders[1].send(t, f, telemetryOf(identity.Traces), bearer(secret)).code) // so that the server is known to have the middleware
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+f.httpAddress+"/v1/traces", strings.NewReader("no gzip"))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+secret)
		r.Header.Set("Content-Encoding", "gzip")
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		answer.Body.Close()
		require.Equal(t, http.StatusBadRequest, answer.StatusCode)
		f.extension.unrecorded.wait(time.Minute)
		total := f.total(t, id)
		assert.EqualValues(t, 2, total.Requests, d)
		if d == both { // with auth: alone nobody sees the answer
			assert.EqualValues(t, 1, total.Failed, d)
		}
	}
}

// TestAlertsOfEveryKindReachARealAlertmanager drives real requests through the
// doors, while the clock of the gate is set: it lies in the past, since
// Alertmanager's own cannot be.
func TestAlertsOfEveryKindReachARealAlertmanager(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Alertmanager")
	}
	am := alerttest.Start(t)
	var clock atomic.Int64
	now := func() time.Time { return time.Unix(0, clock.Load()).UTC() }
	clock.Store(time.Now().Add(-100 * day).Truncate(time.Hour).UnixNano())
	pass := func(d time.Duration) { clock.Add(int64(d)) }
	countries := filepath.Join(t.TempDir(), "countries.mmdb")
	geotest.Write(t, countries, map[string]string{"127.0.0.0/8": "FR"})
	f := newFixture(t, fixtureOptions{
		doors: both,
		extension: func(c *Config) {
			c.GeoIP.Database = countries
			c.Alerts.Alertmanager.Endpoint = am.URL
			c.Alerts.ErrorRate.MinRequests = 10
		},
		prepare: func(e *gateExtension) { e.now = now },
	})
	made := func(edit ...func(*store.Key)) (string, string) {
		return f.keyRecord(t, append([]func(*store.Key){func(k *store.Key) {
			k.CreatedAt, k.UpdatedAt, k.Secrets[0].CreatedAt = now(), now(), now()
		}}, edit...)...)
	}
	evaluate := func() { require.NoError(t, f.extension.alerts.Evaluate(t.Context())) }
	send := func(secret string, n int) {
		for i := range n {
			senders[i%3].send(t, f, telemetryOf(identity.Traces), bearer(secret))
		}
	}
	unused, unusedSecret := made()
	expiring, expiringSecret := made(func(k *store.Key) { k.ExpiresAt = now().Add(40 * day) })
	abroad, abroadSecret := made(func(k *store.Key) { k.ExpectedCountries = []string{"DE"} })
	failing, failingSecret := made(func(k *store.Key) { k.Scopes = []identity.Scope{identity.LogsWrite} })
	pass(31 * day)
	rotated, rotatedSecret := made(func(k *store.Key) {
		k.Secrets[0].ExpiresAt = now().Add(4 * time.Hour)
		k.Secrets = append([]store.Secret{{Digest: store.Digest{1}, Hint: "new", CreatedAt: now()}}, k.Secrets...)
	})
	pass(3*time.Hour + time.Minute)
	for secret, n := range map[string]int{expiringSecret: 1, abroadSecret: 1, failingSecret: 12, rotatedSecret: 1} {
		send(secret, n)
	}
	hint := func(id string) string {
		k, err := f.keys.Key(t.Context(), id)
		require.NoError(t, err)
		return k.Secrets[len(k.Secrets)-1].Hint
	}
	old := hint(rotated)
	evaluate()
	told := func(state string) []string {
		return []string{
			fmt.Sprintf("%s OtlpgateKeyUnused %s ", state, unused), fmt.Sprintf("%s OtlpgateErrorRate %s ", state, failing),
			fmt.Sprintf("%s OtlpgateUnexpectedCountry %s FR", state, abroad), fmt.Sprintf("%s OtlpgateKeyExpiring %s ", state, expiring),
			fmt.Sprintf("%s OtlpgateOldSecretUsed %s %s", state, rotated, old),
		}
	}
	am.Await(t, told("firing")...)
	require.False(t, t.Failed())
	assert.Equal(t, 1, f.extension.alerts.Firing()["error_rate"])

	send(unusedSecret, 1)
	change := func(id string, edit func(*store.Key)) {
		_, err := f.keys.UpdateKey(t.Context(), id, func(k *store.Key) (store.Audit, error) {
			edit(k)
			return store.Audit{Time: now(), Action: "test", Target: id}, nil
		})
		require.NoError(t, err)
	}
	change(expiring, func(k *store.Key) { k.ExpiresAt = now().Add(40 * day) })
	change(abroad, func(k *store.Key) { k.ExpectedCountries = []string{"DE", "FR"} })
	pass(2 * time.Hour)
	evaluate()
	pass(5 * time.Minute)
	evaluate()
	am.Await(t, told("resolved")...)
}
