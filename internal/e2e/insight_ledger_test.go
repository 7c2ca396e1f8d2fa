package e2e

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// fate is what became of requests, as the sender was told.
type fate struct {
	key       string // empty: none that exists
	endpoint  string
	transport string
	reason    string // empty: accepted
	failed    bool
}

// volume is how much there was.
type volume struct{ requests, items, refusedItems int64 }

func (v volume) plus(w volume) volume {
	return volume{v.requests + w.requests, v.items + w.items, v.refusedItems + w.refusedItems}
}

// exchange is the book that a test keeps of what it sends, to compare with that
// of the gate.
type exchange struct {
	*collector
	told map[fate]volume
}

// send sends n requests over one transport, each with an item for each project,
// and notes what it is told.
func (x *exchange) send(t *testing.T, s sender, kind signal, n int, keyID string, h headers, names ...string) {
	t.Helper()
	for range n {
		x.note(t, s, kind, keyID, s.send(t, x.collector, kind, kind.request(names...), h), int64(max(len(names), 1)))
	}
}

// note notes what a sender was told of a request with that many items.
func (x *exchange) note(t *testing.T, s sender, kind signal, keyID string, got answer, items int64) {
	t.Helper()
	o := fate{key: keyID, endpoint: kind.name, transport: strings.Fields(s.name)[0], reason: got.reason}
	if o.transport == "http" && got.code == codes.Unauthenticated { // the collector tells Authenticate no path, and passes on the text alone
		o.endpoint, o.reason, got.reason = "telemetry", reasonIn(t, got.message), "known"
	}
	v := volume{requests: 1}
	switch {
	case got.code == codes.OK:
		v.items, v.refusedItems = items-got.rejected, got.rejected
	case got.reason == "":
		o.failed, o.reason = true, "pipeline_failed"
	case got.reason == "project_not_allowed" || got.reason == "larger_than_limit":
		v.refusedItems = items // the processor has seen them
	}
	x.told[o] = x.told[o].plus(v)
}

// reasonIn tells why a credential was refused by what its sender is told.
func reasonIn(t *testing.T, message string) string {
	t.Helper()
	for text, reason := range map[string]string{
		"unknown API key": "unknown_key", "was revoked": "revoked_key", "has expired": "expired_key", "deactivated": "disabled_key",
		"no API key": "no_credential", "malformed": "malformed_credential", "different": "conflicting_credentials",
	} {
		if strings.Contains(message, text) {
			return reason
		}
	}
	require.Fail(t, "nobody knows why", message)
	return ""
}

// usageOf is what the gate's book says of a key.
func (x *exchange) usageOf(t *testing.T, id string) client.Usage {
	t.Helper()
	answer, err := x.api.GetKeyUsageWithResponse(t.Context(), id, nil)
	require.NoError(t, err)
	require.NoError(t, client.Check(answer.HTTPResponse, answer.Body))
	return *answer.JSON200
}

// accessLog reads all of the access log.
func (x *exchange) accessLog(t *testing.T) (records []client.AccessRecord) {
	t.Helper()
	most := 500
	params := &client.ListAccessParams{Limit: &most}
	for {
		answer, err := x.api.ListAccessWithResponse(t.Context(), params)
		require.NoError(t, err)
		require.NoError(t, client.Check(answer.HTTPResponse, answer.Body))
		records = append(records, answer.JSON200.Data...)
		if params.Cursor = answer.JSON200.NextCursor; params.Cursor == nil {
			assert.Zero(t, answer.JSON200.Dropped)
			return records
		}
	}
}

// logged adds up the access log of ingest.
func (x *exchange) logged(t *testing.T) map[fate]volume {
	t.Helper()
	logged := map[fate]volume{}
	for _, r := range x.accessLog(t) {
		if strings.Contains(r.Endpoint, "/") {
			continue // a call of the admin API
		}
		o := fate{endpoint: r.Endpoint, transport: string(r.Transport), failed: r.Outcome == client.AccessOutcomeFailed}
		if r.KeyID != nil {
			o.key = *r.KeyID
		}
		if r.Reason != nil {
			o.reason = *r.Reason
		}
		logged[o] = logged[o].plus(volume{r.Requests, r.Items, r.RefusedItems})
		assert.Equal(t, r.Outcome != client.AccessOutcomeRefused, r.Counted, "refusals have a line each, and nothing else has")
	}
	return logged
}

// check compares the books. Metrics are those since the collector started.
func (x *exchange) check(t *testing.T, metrics bool) {
	t.Helper()
	logged := x.logged(t)
	for o := range maps.Keys(x.told) {
		assert.Equal(t, x.told[o], logged[o], "access log of %+v", o)
	}
	for o, v := range logged {
		assert.Contains(t, x.told, o, "access log has %+v", v)
	}
	perKey := map[string]map[string]volume{}
	for o, v := range x.told {
		if perKey[o.key] == nil {
			perKey[o.key] = map[string]volume{}
		}
		what := "accepted"
		switch {
		case o.failed:
			what = "failed"
		case o.reason != "":
			what = o.reason
		}
		perKey[o.key][what] = perKey[o.key][what].plus(v)
	}
	for id, want := range perKey {
		if id != "" {
			x.checkUsage(t, id, want)
		}
	}
	x.checkTotal(t)
	if metrics {
		x.checkMetrics(t)
	}
}

func (x *exchange) checkUsage(t *testing.T, id string, want map[string]volume) {
	t.Helper()
	got := x.usageOf(t, id)
	var all volume
	refusals := map[string]int64{}
	for what, v := range want {
		all = all.plus(v)
		if what != "accepted" && what != "failed" {
			refusals[what] = v.requests
		}
	}
	assert.Equal(t, refusals, map[string]int64(got.Refusals), "refusals of %s", id)
	assert.Equal(t, want["failed"].requests, got.Totals.Failed, "failed of %s", id)
	assert.Equal(t, want["accepted"].requests, got.Totals.Accepted, "accepted of %s", id)
	totals := volume{got.Totals.Requests, got.Totals.Items, got.Totals.RefusedItems}
	assert.Equal(t, all, totals, "all of %s", id)
	if want["accepted"].requests > 0 {
		assert.Positive(t, got.Totals.Bytes, id)
	}
	var inBuckets int64
	for _, b := range got.Buckets {
		inBuckets += b.Counts.Requests
	}
	assert.Equal(t, all.requests, inBuckets, "buckets of %s", id)
}

// checkTotal compares the use of all keys, and of none.
func (x *exchange) checkTotal(t *testing.T) {
	t.Helper()
	answer, err := x.api.GetUsageWithResponse(t.Context(), nil)
	require.NoError(t, err)
	require.NoError(t, client.Check(answer.HTTPResponse, answer.Body))
	want := map[string]int64{}
	for o, v := range x.told {
		want[o.endpoint] += v.requests
	}
	got := map[string]int64{}
	for _, e := range answer.JSON200.ByEndpoint {
		if !strings.Contains(e.Endpoint, "/") {
			got[e.Endpoint] = e.Counts.Requests
		}
	}
	assert.Equal(t, want, got, "usage of all")
}

func (x *exchange) checkMetrics(t *testing.T) {
	t.Helper()
	want := map[string]float64{}
	items := map[string]float64{}
	for o, v := range x.told {
		result := "accepted"
		if o.failed {
			result = "failed"
		} else if o.reason != "" {
			result = "refused"
		}
		reason := o.reason
		if reason == "" {
			reason = "none"
		}
		want[`otelcol_apikeyauth_requests{outcome="`+result+`",reason="`+reason+`",transport="`+o.transport+`"}`] += float64(v.requests)
		items[o.endpoint] += float64(v.refusedItems)
	}
	assert.Equal(t, want, x.scrape(t, "otelcol_apikeyauth_requests"), "metrics")
	got := map[string]float64{}
	for name, n := range x.scrape(t, "otelcol_apikey_refused_items") {
		for _, kind := range []string{"traces", "metrics", "logs", "profiles"} {
			if strings.Contains(name, `signal="`+kind+`"`) && !strings.Contains(name, "no_identity") {
				got[kind] += n
			}
		}
	}
	maps.DeleteFunc(items, func(_ string, n float64) bool { return n == 0 })
	assert.Equal(t, items, got, "metrics of refused items")
}

// reasons lists why requests came to nothing.
func (x *exchange) reasons() []string {
	found := map[string]bool{}
	for o := range x.told {
		found[o.reason] = true
	}
	return slices.Sorted(maps.Keys(found))
}

func awaitStatus(t *testing.T, c *collector, id string, want client.KeyStatus) {
	t.Helper()
	require.Eventually(t, func() bool {
		answer, err := c.api.GetKeyWithResponse(t.Context(), id)
		return err == nil && answer.StatusCode() == http.StatusOK && answer.JSON200.Status == want
	}, patience, 20*time.Millisecond)
}
