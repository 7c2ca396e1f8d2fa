package e2e

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// numbers are the X-RateLimit fields of an answer.
type numbers struct{ limit, remaining, reset int64 }

func numbersOf(t *testing.T, get func(name string) string) (n numbers) {
	t.Helper()
	for name, into := range map[string]*int64{"X-RateLimit-Limit": &n.limit, "X-RateLimit-Remaining": &n.remaining, "X-RateLimit-Reset": &n.reset} {
		var err error
		*into, err = strconv.ParseInt(get(name), 10, 64)
		require.NoError(t, err, name)
	}
	return n
}

// numbersInStatus are those of the answer's ErrorInfo.
func (a answer) numbersInStatus(t *testing.T) numbers {
	t.Helper()
	return numbersOf(t, func(name string) string { return a.numbers[strings.ToLower(name)] })
}

// quotaItem is an item of a RateLimit or RateLimit-Policy field.
type quotaItem struct {
	name       string
	parameters map[string]any
}

// quotaItems reads a field as RFC 9651 says: a list of strings with parameters.
func quotaItems(t *testing.T, h http.Header, field string) (items []quotaItem) {
	t.Helper()
	list, err := httpsfv.UnmarshalList(h.Values(field))
	require.NoError(t, err, "%s: %q", field, h.Values(field))
	for _, member := range list {
		item, ok := member.(httpsfv.Item)
		require.True(t, ok, "%s: %q", field, h.Values(field))
		name, ok := item.Value.(string)
		require.True(t, ok, "%s: %q", field, h.Values(field))
		parameters := map[string]any{}
		for _, p := range item.Params.Names() {
			parameters[p], _ = item.Params.Get(p)
		}
		items = append(items, quotaItem{name, parameters})
	}
	return items
}

// checkFields checks that all fields of an answer that came just now say the
// same of the nearest limit, which is of that name.
func checkFields(t *testing.T, a answer, asked time.Time, nearest string, want numbers) {
	t.Helper()
	got := numbersOf(t, a.header.Get)
	assert.Equal(t, want.limit, got.limit)
	assert.Equal(t, want.remaining, got.remaining)
	if a.numbers != nil {
		assert.Equal(t, got, a.numbersInStatus(t))
	}
	var policies []string
	for _, p := range quotaItems(t, a.header, "RateLimit-Policy") {
		policies = append(policies, p.name)
		if p.name == nearest {
			assert.Equal(t, want.limit, p.parameters["q"], "its quota")
		}
	}
	var quotas []string
	for _, q := range quotaItems(t, a.header, "RateLimit") {
		quotas = append(quotas, q.name)
		if q.name == nearest {
			assert.Equal(t, want.remaining, q.parameters["r"], "what remains of it")
			left, _ := q.parameters["t"].(int64)
			assert.GreaterOrEqual(t, got.reset, asked.Unix()+left-1, "the time until the reset")
			assert.LessOrEqual(t, got.reset, time.Now().Unix()+1+left, "the time until the reset")
		}
	}
	assert.Equal(t, policies, quotas)
	assert.Contains(t, quotas, nearest)
}

func TestAnswersCountTheNearestLimitDown(t *testing.T) {
	for _, d := range []doors{both, middlewaresOnly} {
		t.Run(d.name(), func(t *testing.T) {
			t.Parallel()
			c := start(t, options{doors: d})
			for _, s := range senders {
				t.Run(s.name, func(t *testing.T) { countDown(t, c, s) })
			}
		})
	}
}

func countDown(t *testing.T, c *collector, s sender) {
	t.Helper()
	k := c.create(t, limitedTo("10 requests in 1m on ingest", "4 requests in 2h on traces", "7 items in 1h on logs", "900 bytes in 31d on logs"))
	const ofIngest, ofTraces, ofLogs = time.Minute, 2 * time.Hour, time.Hour
	began := time.Now()
	send := func(sig signal, items int, nearest string, want numbers, window time.Duration) answer {
		asked := time.Now()
		a := s.send(t, c, sig, sig.manyOf(items), k.bearer())
		checkFields(t, a, asked, nearest, want)
		reset := numbersOf(t, a.header.Get).reset
		assert.GreaterOrEqual(t, reset, began.Add(window).Unix())
		assert.LessOrEqual(t, reset, time.Now().Add(window+window/60).Unix()+1)
		return a
	}
	for _, left := range []int64{3, 2, 1, 0} {
		accepted(t, send(traces, 1, "traces-requests-2h", numbers{limit: 4, remaining: left}, ofTraces))
	}
	overLimit(t, send(traces, 1, "traces-requests-2h", numbers{limit: 4}, ofTraces), ofTraces)
	accepted(t, send(metrics, 1, "ingest-requests-1m", numbers{limit: 10, remaining: 5}, ofIngest))
	accepted(t, send(logs, 6, "logs-items-1h", numbers{limit: 7, remaining: 1}, ofLogs))
	overLimit(t, send(logs, 2, "logs-items-1h", numbers{limit: 7, remaining: 1}, ofLogs), ofLogs)
	tooLarge(t, send(logs, 8, "logs-items-1h", numbers{limit: 7, remaining: 1}, ofLogs))
	accepted(t, send(logs, 1, "logs-items-1h", numbers{limit: 7}, ofLogs))
	a := s.send(t, c, logs, logs.request(), k.bearer())
	assert.Equal(t, []quotaItem{
		{"ingest-requests-1m", map[string]any{"q": int64(10), "w": int64(60)}},
		{"logs-items-1h", map[string]any{"q": int64(7), "qu": "items", "w": int64(3600)}},
		{"logs-bytes-31d", map[string]any{"q": int64(900), "qu": "content-bytes", "w": int64(31 * 24 * 3600)}},
	}, quotaItems(t, a.header, "RateLimit-Policy"), "those of the request's own signal")
}

// The door charges the request before the processor refuses its items.
func TestRefusalsOfTheProcessorSayWhatIsLeftOnceTheRequestIsGivenBack(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	for _, s := range senders {
		k := c.create(t, limitedTo("2 requests in 1m on ingest", "8 items in 1m on traces"))
		send := func(items int, remaining int64) answer {
			asked := time.Now()
			a := s.send(t, c, traces, traces.manyOf(items), k.bearer())
			checkFields(t, a, asked, "traces-items-1m", numbers{limit: 8, remaining: remaining})
			return a
		}
		accepted(t, send(6, 2))
		overLimit(t, send(3, 2), time.Minute)
		tooLarge(t, send(9, 2))
	}
}

func TestAnswersOfAPlanWithConcurrencySaySo(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	for _, s := range senders {
		a := s.send(t, c, traces, traces.request(), c.create(t, onPlan("free")).bearer())
		accepted(t, a)
		assert.Equal(t, []quotaItem{
			{"ingest-requests-1m", map[string]any{"q": int64(100), "w": int64(60)}},
			{"concurrency", map[string]any{"q": int64(5), "qu": "concurrent-requests"}},
		}, quotaItems(t, a.header, "RateLimit-Policy"))
		items := quotaItems(t, a.header, "RateLimit")
		require.Len(t, items, 2)
		assert.Equal(t, quotaItem{"concurrency", map[string]any{"r": int64(4)}}, items[1], "over %s", s.name)
	}
}

func TestAnswersToKeysWithoutLimitsSayNothingOfLimits(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	for kind, k := range map[string]key{"unlimited": c.create(t), "limited elsewhere": c.create(t, limitedTo("1 requests in 1m on api", "1 requests in 1m on profiles"))} {
		for _, s := range senders {
			for name := range s.send(t, c, traces, traces.request(), k.bearer()).header {
				assert.NotContains(t, strings.ToLower(name), "ratelimit", "%s, over %s", kind, s.name)
			}
		}
	}
}

// Only so many refusals a second take the way on which gRPC can send header
// metadata: the others carry the numbers in their status.
func TestEveryRefusalOfAFloodOverGRPCSaysHowMuchIsLeft(t *testing.T) {
	t.Parallel()
	const requests, full = 1000, 50
	c := start(t, options{})
	k := c.create(t, limitedTo("1 requests in 1h on ingest"))
	accepted(t, sendGRPC(t, c, traces, traces.request(), k.bearer()))
	began, withHeaders := time.Now(), 0
	for _, a := range flood(requests, 50, func() answer { return sendGRPC(t, c, traces, traces.request(), k.bearer()) }) {
		overLimit(t, a, time.Hour)
		inStatus := a.numbersInStatus(t)
		assert.Equal(t, numbers{1, 0, inStatus.reset}, inStatus)
		assert.InDelta(t, began.Add(time.Hour+time.Minute).Unix(), inStatus.reset, 61)
		if a.header.Get("X-RateLimit-Limit") != "" {
			withHeaders++
			assert.Equal(t, inStatus, numbersOf(t, a.header.Get))
		}
	}
	seconds := int(time.Since(began)/time.Second) + 2 // of the clock, begun
	assert.GreaterOrEqual(t, withHeaders, full)
	assert.LessOrEqual(t, withHeaders, full*seconds)
}
