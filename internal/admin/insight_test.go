package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/alert"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/insight"
	"github.com/otlpgate/otlpgate/internal/kv"
	"github.com/otlpgate/otlpgate/internal/kv/kvtest"
	"github.com/otlpgate/otlpgate/internal/store"
)

// books are those that the extension keeps, with a clock of their own and alerts.
type books struct {
	*insight.Books
	kv     kv.Store
	alerts *alert.Runner
	now    func() time.Time
	err    error // of every read
}

func newBooks(now func() time.Time) *books {
	b := &books{kv: kvtest.NewMemoryAt(now), now: now}
	b.Books = insight.New(insight.Options{Store: unreadable{b.kv, b}, Now: now})
	return b
}

// unreadable is a store that cannot be read while the books have an error.
type unreadable struct {
	kv.Store
	books *books
}

func (u unreadable) Get(ctx context.Context, key []byte) ([]byte, error) {
	if u.books.err != nil {
		return nil, u.books.err
	}
	return u.Store.Get(ctx, key)
}

func (u unreadable) Walk(ctx context.Context, r kv.Range, visit func(suffix, value []byte) (bool, error)) error {
	if u.books.err != nil {
		return u.books.err
	}
	return u.Store.Walk(ctx, r, visit)
}

// alertsOf judges keys by the books.
func (b *books) alertsOf(keys store.Store) *alert.Runner {
	b.alerts = alert.New(alert.Options{
		Rules: alert.Rules{UnusedAfter: 30 * 24 * time.Hour, MinRequests: 1, ErrorRate: 1}, Store: b.kv, Keys: keys,
		LastUses: keys.LastUses, Usage: b.Books, Now: b.now,
	})
	return b.alerts
}

func ofAnswer[T any](t testing.TB, a answer) T {
	t.Helper()
	require.Equal(t, http.StatusOK, a.status, a.body)
	var value T
	require.NoError(t, json.Unmarshal([]byte(a.body), &value))
	return value
}

// sent records telemetry of a key.
func (b *books) sent(id string, outcome access.Outcome, reason string, requests int64) {
	b.Record(&access.Request{
		Group: access.Group{
			KeyID: id, KeyType: identity.UserKey, Secret: [8]byte{1}, Endpoint: "traces", Transport: access.GRPC, Outcome: outcome,
			Reason: reason, Status: 200, Address: netip.MustParseAddr("192.0.2.9"),
		},
		Volume:    access.Volume{Requests: requests, Items: 10 * requests, Bytes: 100, Duration: time.Duration(requests) * time.Millisecond},
		UserAgent: "sender/1", Country: "DE",
	})
}

func TestUsageOfAKeyTellsItsTotalsEndpointsAndBuckets(t *testing.T) {
	h := newHarness(t)
	b := h.books
	ada, id := h.userKey("ada", identity.TracesWrite)
	h.user("ada", identity.Member)
	b.sent(id, access.Accepted, "", 3)
	b.sent(id, access.Refused, "rate_limited", 1)
	h.setClock(epoch.Add(time.Minute))
	b.sent(id, access.Failed, "pipeline_failed", 1)
	h.get(ada, "/whoami")

	got := ofAnswer[api.Usage](t, h.get(h.admin, "/api-keys/"+id+"/usage?step=1m"))
	assert.Equal(t, id, *got.KeyID)
	assert.Equal(t, api.UsageCounts{Requests: 6, Accepted: 4, Refused: 1, Failed: 1, Items: 50, Bytes: 300}, got.Totals)
	assert.InDelta(t, 2.0/6, got.ErrorRate, 1e-9)
	assert.Equal(t, api.Refusals{"rate_limited": 1}, got.Refusals)
	require.Len(t, got.ByEndpoint, 2)
	assert.Equal(t, "traces", got.ByEndpoint[0].Endpoint)
	assert.Equal(t, "GET /api/v1/whoami", got.ByEndpoint[1].Endpoint)
	require.Len(t, got.Buckets, 2)
	assert.Equal(t, epoch, got.Buckets[0].Start)
	assert.EqualValues(t, 4, got.Buckets[0].Counts.Requests)

	all := ofAnswer[api.Usage](t, h.get(h.admin, "/usage"))
	assert.Nil(t, all.KeyID)
	assert.Equal(t, api.UsageStepHour, all.Step, "a day is told by the hour")
	assert.EqualValues(t, 7, all.Totals.Requests, "the call before is an administrator's")
}

func TestTheStepFitsTheSpanAndWhatIsKept(t *testing.T) {
	h := newHarness(t)
	h.setClock(epoch.AddDate(2, 0, 0))
	now := h.now()
	for name, tt := range map[string]struct {
		from, to time.Time
		step     string
		want     string
	}{
		"an hour":              {from: now.Add(-time.Hour), want: "1m"},
		"a day":                {want: "1h"},
		"a week":               {from: now.AddDate(0, 0, -7), want: "1h"},
		"a month":              {from: now.AddDate(0, -1, 0), want: "1d"},
		"an hour of last week": {from: now.AddDate(0, 0, -7), to: now.AddDate(0, 0, -7).Add(time.Hour), want: "1h"},
		"an hour of last year": {from: now.AddDate(-1, 0, 0), to: now.AddDate(-1, 0, 0).Add(time.Hour), want: "1d"},
		"asked for":            {from: now.Add(-time.Hour), step: "1d", want: "1d"},
		"not kept":             {from: now.AddDate(0, 0, -3), to: now.AddDate(0, 0, -2), step: "1m"},
		"kept in part":         {from: now.AddDate(0, 0, -2), step: "1m"},
		"a day of minutes":     {from: now.AddDate(0, 0, -1), step: "1m", want: "1m"},
		"for ever":             {from: now.Add(-time.Hour), to: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), want: "1h"},
		"too long":             {from: now.AddDate(-1, 0, 0), step: "1m"},
		"backwards":            {from: now.Add(time.Hour)},
	} {
		query := "?"
		if !tt.from.IsZero() {
			query += "from=" + tt.from.Format(time.RFC3339) + "&"
		}
		if !tt.to.IsZero() {
			query += "to=" + tt.to.Format(time.RFC3339) + "&"
		}
		if tt.step != "" {
			query += "step=" + tt.step
		}
		got := h.get(h.admin, "/usage"+query)
		if tt.want == "" {
			assert.Equal(t, "Bad Request invalid_request", got.code(t), name)
			continue
		}
		assert.EqualValues(t, tt.want, ofAnswer[api.Usage](t, got).Step, name)
	}
}

func TestCallsOfTheAPIAreAccountedForByWhatBecameOfThem(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Member)
	ada, id := h.userKey("ada", identity.TracesWrite)
	h.get(ada, "/whoami")
	h.get(ada, "/whoami")
	h.get(ada, "/audit-log")                 // 403
	h.get(ada, "/api-keys/key_nobody")       // 404
	h.do("", http.MethodGet, "/healthz", "") // needs no key
	h.get("", "/whoami")                     // 401
	h.do(ada, http.MethodGet, "/api/v1/verify", "")
	h.get(ada, "/nowhere")

	records := ofAnswer[api.AccessList](t, h.get(h.admin, "/api-keys/"+id+"/access-logs")).Data
	found := map[string]int64{}
	for _, r := range records {
		reason := ""
		if r.Reason != nil {
			reason = *r.Reason
		}
		found[r.Endpoint+" "+string(r.Outcome)+" "+reason] += r.Requests
		assert.Equal(t, "192.0.2.7", *r.Address)
		assert.Equal(t, "key", *r.KeyName)
		assert.NotEmpty(t, *r.Hint)
		assert.Equal(t, api.AccessKeyTypeUser, r.KeyType)
	}
	assert.Equal(t, map[string]int64{
		"GET /api/v1/whoami accepted ": 2, "GET /api/v1/audit-log refused not_permitted": 1,
		"GET /api/v1/api-keys/{id} failed key_not_found": 1, "GET /api/v1/verify accepted ": 1,
	}, found)
	strangers := ofAnswer[api.AccessList](t, h.get(h.admin, "/access-logs?type=none")).Data
	require.Len(t, strangers, 1)
	assert.Equal(t, "no_credential", *strangers[0].Reason)
	assert.Equal(t, http.StatusUnauthorized, strangers[0].Status)
	assert.Nil(t, strangers[0].KeyID)
}

func TestTheBytesOfACallAreThoseThatWereReadNotThoseThatAreClaimed(t *testing.T) {
	h := newHarness(t)
	secret, id := h.userKey(store.BuiltinUserID, identity.Admin)
	body := `{"name":"k","preset":"read-only"}`
	h.do(secret, http.MethodPost, "/api/v1/api-keys", body)
	h.do(secret, http.MethodGet, "/api/v1/whoami", "", func(r *http.Request) { r.ContentLength = 1 << 62 })
	got := ofAnswer[api.Usage](t, h.get(h.admin, "/api-keys/"+id+"/usage"))
	assert.EqualValues(t, len(body), got.Totals.Bytes)
	assert.EqualValues(t, 2, got.Totals.Requests)
}

func TestAUserSeesTheRequestsOfItsOwnKeysAlone(t *testing.T) {
	h := newHarness(t)
	b := h.books
	h.user("ada", identity.Member)
	h.user("bob", identity.Member)
	ada, one := h.userKey("ada", identity.TracesWrite)
	_, two := h.userKey("ada", identity.LogsWrite)
	bob, three := h.userKey("bob", identity.TracesWrite)
	for _, id := range []string{one, two, three, ""} {
		b.sent(id, access.Refused, "rate_limited", 1)
	}
	of := func(secret string) map[string]bool {
		ids := map[string]bool{}
		for _, r := range ofAnswer[api.AccessList](t, h.get(secret, "/access-logs?endpoint=traces")).Data {
			if r.KeyID == nil {
				ids[""] = true
			} else {
				ids[*r.KeyID] = true
			}
		}
		return ids
	}
	assert.Equal(t, map[string]bool{one: true, two: true}, of(ada))
	assert.Equal(t, map[string]bool{three: true}, of(bob))
	assert.Equal(t, map[string]bool{one: true, two: true, three: true, "": true}, of(h.admin))
}

func TestACursorOutlivesANewKey(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Member)
	ada, id := h.userKey("ada", identity.TracesWrite)
	for range 5 {
		h.books.sent(id, access.Refused, "rate_limited", 1)
	}
	first := ofAnswer[api.AccessList](t, h.get(ada, "/access-logs?limit=2"))
	h.userKey("ada", identity.TracesWrite)
	h.user("bob", identity.Member)
	bob, _ := h.userKey("bob", identity.TracesWrite)
	assert.Len(t, ofAnswer[api.AccessList](t, h.get(ada, "/access-logs?limit=2&cursor="+*first.NextCursor)).Data, 2)
	assert.Equal(t, "Bad Request invalid_cursor", h.get(bob, "/access-logs?limit=2&cursor="+*first.NextCursor).code(t), "nor is it another's")
}

func TestTheBusiestKeysComeFirstWithTheirLimits(t *testing.T) {
	h := newHarness(t)
	b := h.books
	h.user("ada", identity.Member)
	_, quiet := h.userKey("ada", identity.TracesWrite)
	_, busy := h.keyAndID(store.Key{OwnerID: "ada", Scopes: []identity.Scope{identity.TracesWrite}, Plan: "free", Name: "busy"})
	_, before := h.userKey("ada", identity.TracesWrite)
	b.sent(before, access.Accepted, "", 1000)
	h.setClock(epoch.Add(10 * time.Minute))
	b.sent(quiet, access.Accepted, "", 1)
	b.sent(busy, access.Accepted, "", 5)
	b.sent(busy, access.Refused, "rate_limited", 3)
	b.sent("", access.Refused, "unknown_key", 2)
	got := ofAnswer[api.TopUsage](t, h.get(h.admin, "/usage/top?limit=1"))
	assert.Equal(t, 2, got.Keys)
	require.Len(t, got.Data, 1)
	top := got.Data[0]
	assert.Equal(t, busy, top.KeyID)
	assert.Equal(t, "busy", *top.Name)
	assert.EqualValues(t, 8, top.Counts.Requests)
	assert.Equal(t, api.Refusals{"rate_limited": 3}, top.Refusals)
	assert.EqualValues(t, 2, got.Strangers.Requests)
	assert.EqualValues(t, 11, got.Total.Requests)
	assert.Equal(t, epoch.Add(6*time.Minute), got.From)
}

func TestWhereTheBooksCannotBeReadTheAnswerSaysSo(t *testing.T) {
	h := newHarness(t)
	b := h.books
	_, id := h.userKey(store.BuiltinUserID, identity.TracesWrite)
	b.err = errors.New("disk on fire")
	bare := newHarnessWith(t, func(o *Options) { o.Usage, o.AccessLog, o.Alerts = nil, nil, nil })
	for _, path := range []string{"/usage", "/usage/top", "/access-logs", "/api-keys/" + id + "/usage", "/api-keys/" + id + "/access-logs"} {
		got := h.get(h.admin, path)
		assert.Equal(t, "Service Unavailable insight_unavailable", got.code(t), path)
		assert.NotEmpty(t, got.header.Get("Retry-After"), path)
	}
	for _, path := range []string{"/usage", "/usage/top", "/access-logs", "/alerts"} {
		assert.Equal(t, "Service Unavailable insight_unavailable", bare.get(bare.admin, path).code(t), path)
	}
	assert.Equal(t, "Bad Request invalid_cursor", func() string { b.err = nil; return h.get(h.admin, "/access-logs?cursor=AAAA").code(t) }())
}

func TestAlertsAreThoseOfTheKeysThatTheCallerSees(t *testing.T) {
	h := newHarness(t)
	h.user("ada", identity.Member)
	h.user("bob", identity.Member)
	ada, one := h.userKey("ada", identity.TracesWrite)
	bob, two := h.userKey("bob", identity.TracesWrite)
	h.setClock(epoch.AddDate(0, 0, 31))
	require.NoError(t, h.books.alerts.Evaluate(t.Context()))
	of := func(secret, query string) (ids []string) {
		for _, a := range ofAnswer[api.AlertList](t, h.get(secret, "/alerts"+query)).Data {
			assert.Equal(t, api.AlertKindKeyUnused, a.Kind)
			assert.Equal(t, "key", a.KeyName)
			ids = append(ids, a.KeyID)
		}
		return ids
	}
	assert.Equal(t, []string{one}, of(ada, ""))
	assert.Equal(t, []string{two}, of(bob, ""))
	assert.Empty(t, of(bob, "?keyId="+one))
	assert.Len(t, ofAnswer[api.AlertList](t, h.get(h.admin, "/alerts?state=firing&kind=key_unused")).Data, 3, "the administrator's own key is unused too")
	assert.Empty(t, ofAnswer[api.AlertList](t, h.get(h.admin, "/alerts?state=resolved")).Data)
}
