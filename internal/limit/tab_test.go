package limit_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/limit"
)

// desk opens tabs of one key on one counter.
type desk struct {
	counter *limit.Memory
	policy  *limit.Policy
}

func newDesk(p limit.Plan) *desk {
	return &desk{counter: limit.NewMemory(limit.MemoryOptions{}), policy: limit.NewPolicy(p)}
}

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func (d *desk) open() *limit.Tab {
	return limit.NewTab(d.counter, func() time.Time { return noon }, "key", d.policy)
}

// used lists the use of each limit.
func (d *desk) used() []int64 {
	var used []int64
	for _, q := range d.counter.StateAtHand(noon, "key", d.policy, nil).Quotas {
		used = append(used, q.Used)
	}
	return used
}

func (d *desk) underWay() int { return d.counter.StateAtHand(noon, "key", d.policy, nil).UnderWay }

func minutely(on limit.Traffic, unit limit.Unit, n int64) limit.Limit {
	return limit.Limit{On: on, Unit: unit, Max: n, Window: limit.Window(time.Minute)}
}

// everything has a limit of each kind, so that what is charged shows: requests,
// items and bytes of ingest, then the same of traces, then of logs.
func everything() limit.Plan {
	var p limit.Plan
	for _, on := range []limit.Traffic{limit.Ingest, limit.Traces, limit.Logs} {
		for _, unit := range []limit.Unit{limit.Requests, limit.Items, limit.Bytes} {
			p.Limits = append(p.Limits, minutely(on, unit, 1000))
		}
	}
	p.Concurrency = 1
	return p
}

func enter(t *testing.T, tab *limit.Tab, on limit.Traffic) limit.Verdict {
	t.Helper()
	d, err := tab.Enter(t.Context(), on)
	require.NoError(t, err)
	return d.Verdict
}

func spend(t *testing.T, tab *limit.Tab, pipeline any, on limit.Traffic, items, bytes int64) limit.Verdict {
	t.Helper()
	d, err := tab.Spend(t.Context(), pipeline, on, items, bytes)
	require.NoError(t, err)
	return d.Verdict
}

func TestATabChargesARequestOnceAndItsTelemetryOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(t *testing.T, tab *limit.Tab)
		want []int64 // ingest, traces, logs: requests, items, bytes
	}{
		"doors that know the signal": {func(t *testing.T, tab *limit.Tab) {
			t.Helper()
			enter(t, tab, limit.Traces)
			enter(t, tab, limit.Traces)
		}, []int64{1, 0, 0, 1, 0, 0, 0, 0, 0}},
		"a door that does not know the signal, then a processor": {func(t *testing.T, tab *limit.Tab) {
			t.Helper()
			enter(t, tab, 0)
			spend(t, tab, "a", limit.Logs, 5, 50)
		}, []int64{1, 5, 50, 0, 0, 0, 1, 5, 50}},
		"a processor that no door came before": {func(t *testing.T, tab *limit.Tab) {
			t.Helper()
			spend(t, tab, "a", limit.Traces, 5, 50)
		}, []int64{1, 5, 50, 1, 5, 50, 0, 0, 0}},
		"several pipelines are fed with the same": {func(t *testing.T, tab *limit.Tab) {
			t.Helper()
			enter(t, tab, limit.Traces)
			spend(t, tab, "a", limit.Traces, 5, 50)
			spend(t, tab, "b", limit.Traces, 5, 50)
		}, []int64{1, 5, 50, 1, 5, 50, 0, 0, 0}},
		"of several pipelines the one that sends most counts": {func(t *testing.T, tab *limit.Tab) {
			t.Helper()
			enter(t, tab, limit.Traces)
			spend(t, tab, "a", limit.Traces, 5, 50)
			spend(t, tab, "b", limit.Traces, 7, 40)
			spend(t, tab, "c", limit.Traces, 1, 60)
		}, []int64{1, 7, 60, 1, 7, 60, 0, 0, 0}},
		"what one pipeline sends adds up": {func(t *testing.T, tab *limit.Tab) {
			t.Helper()
			enter(t, tab, limit.Traces)
			spend(t, tab, "a", limit.Traces, 5, 50)
			spend(t, tab, "a", limit.Traces, 5, 50)
			spend(t, tab, "b", limit.Traces, 9, 90)
		}, []int64{1, 10, 100, 1, 10, 100, 0, 0, 0}},
		"signals are kept apart": {func(t *testing.T, tab *limit.Tab) {
			t.Helper()
			enter(t, tab, 0)
			spend(t, tab, "a", limit.Traces, 5, 50)
			spend(t, tab, "a", limit.Logs, 6, 60)
		}, []int64{1, 11, 110, 1, 5, 50, 1, 6, 60}},
		"a request that failed costs nothing": {func(t *testing.T, tab *limit.Tab) {
			t.Helper()
			enter(t, tab, limit.Traces)
			spend(t, tab, "a", limit.Traces, 5, 50)
			tab.Fail()
			spend(t, tab, "b", limit.Traces, 500, 50)
			tab.Close()
		}, []int64{0, 0, 0, 0, 0, 0, 0, 0, 0}},
		"another request of a stream": {func(t *testing.T, tab *limit.Tab) {
			t.Helper()
			enter(t, tab, limit.Traces)
			spend(t, tab, "a", limit.Traces, 5, 50)
			_, err := tab.Next(t.Context(), limit.Traces)
			require.NoError(t, err)
			spend(t, tab, "a", limit.Traces, 5, 50)
		}, []int64{2, 10, 100, 2, 10, 100, 0, 0, 0}},
		"only the last request of a stream fails": {func(t *testing.T, tab *limit.Tab) {
			t.Helper()
			enter(t, tab, limit.Traces)
			spend(t, tab, "a", limit.Traces, 5, 50)
			_, err := tab.Next(t.Context(), limit.Traces)
			require.NoError(t, err)
			spend(t, tab, "a", limit.Traces, 7, 70)
			tab.Fail()
		}, []int64{1, 5, 50, 1, 5, 50, 0, 0, 0}},
		"calls of the API are not ingest": {func(t *testing.T, tab *limit.Tab) {
			t.Helper()
			enter(t, tab, limit.API)
		}, []int64{0, 0, 0, 0, 0, 0, 0, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(everything())
			tab := d.open()
			tt.do(t, tab)
			assert.Equal(t, tt.want, d.used())
			tab.Close()
			assert.Equal(t, tt.want, d.used())
			assert.Zero(t, d.underWay())
		})
	}
}

func TestTelemetryThatIsRefusedIsNotSpent(t *testing.T) {
	d := newDesk(limit.Plan{Limits: []limit.Limit{minutely(limit.Traces, limit.Items, 10)}})
	tab := d.open()
	assert.Equal(t, limit.Admitted, spend(t, tab, "a", limit.Traces, 6, 0))
	assert.Equal(t, limit.OverLimit, spend(t, tab, "a", limit.Traces, 6, 0))
	assert.Equal(t, limit.Admitted, spend(t, tab, "a", limit.Traces, 4, 0))
	assert.Equal(t, []int64{10}, d.used())
}

func TestASlotIsGivenBackOnceOnEveryWayOut(t *testing.T) {
	for name, leave := range map[string]func(tab *limit.Tab){
		"closed":                        func(tab *limit.Tab) { tab.Close(); tab.Close() },
		"closed by a door that held it": func(tab *limit.Tab) { tab.Hold(); tab.Unhold(); tab.Close() },
		"the sender goes while the handler is at work": func(tab *limit.Tab) {
			tab.Hold()
			tab.Close()
			tab.Unhold()
		},
		"the sender has its answer before the tab is closed": func(tab *limit.Tab) { tab.Hold(); tab.Unhold() },
		"door and processor": func(tab *limit.Tab) {
			tab.Hold()
			tab.Hold()
			tab.Unhold()
			tab.Unhold()
			tab.Close()
		},
		"two pipelines with no door to hold it": func(tab *limit.Tab) {
			tab.Hold()
			tab.Unhold()
			tab.Hold()
			tab.Unhold()
			tab.Close()
		},
		"failed": func(tab *limit.Tab) { tab.Fail(); tab.Close(); tab.Fail() },
		"failed before the sender has its answer": func(tab *limit.Tab) { tab.Fail() },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(everything())
			first := d.open()
			require.Equal(t, limit.Admitted, enter(t, first, limit.Traces))
			require.Equal(t, limit.OverLimit, enter(t, d.open(), limit.Traces))
			leave(first)
			assert.Zero(t, d.underWay())
			second := d.open()
			assert.Equal(t, limit.Admitted, enter(t, second, limit.Traces))
			leave(first) // whatever comes late
			assert.Equal(t, limit.OverLimit, enter(t, d.open(), limit.Traces), "the slot is another's now")
		})
	}
}

func TestASlotIsKeptWhileSomebodyIsAtWork(t *testing.T) {
	d := newDesk(everything())
	tab := d.open()
	enter(t, tab, limit.Traces)
	require.True(t, tab.Hold()) // the door
	require.True(t, tab.Hold()) // a processor
	tab.Unhold()
	assert.Equal(t, 1, d.underWay())
	tab.Fail()
	assert.Equal(t, 1, d.underWay())
	tab.Close()
	assert.Equal(t, 1, d.underWay())
	tab.Unhold()
	assert.Zero(t, d.underWay())
	assert.False(t, tab.Hold(), "it is over")
}

func TestClosingStopsWhoeverElseWouldClose(t *testing.T) {
	d := newDesk(everything())
	tab := d.open()
	ctx, end := context.WithCancel(t.Context())
	tab.CloseAfter(ctx)
	enter(t, tab, limit.Traces)
	tab.Close()
	require.Zero(t, d.underWay())
	enter(t, d.open(), limit.Traces)
	end()
	assert.Equal(t, 1, d.underWay(), "the slot is another's now")
}

func TestATabIsClosedWhenItsContextEnds(t *testing.T) {
	d := newDesk(everything())
	tab := d.open()
	ctx, end := context.WithCancel(t.Context())
	tab.CloseAfter(ctx)
	enter(t, tab, limit.Traces)
	require.Equal(t, 1, d.underWay())
	end()
	require.Eventually(t, func() bool { return d.underWay() == 0 }, time.Minute, time.Millisecond)
}

func TestChargingTakesNoSlotUntilADoorEnters(t *testing.T) {
	d := newDesk(everything())
	tab := d.open()
	for range 2 {
		got, err := tab.Charge(t.Context(), 0)
		require.NoError(t, err)
		require.Equal(t, limit.Admitted, got.Verdict)
		assert.Zero(t, d.underWay())
	}
	enter(t, tab, limit.Traces)
	assert.Equal(t, 1, d.underWay())
	assert.EqualValues(t, 1, d.used()[0])
}

func TestATabReadsCountsThatAreNotAtHand(t *testing.T) {
	keeper := &stubKeeper{}
	counter := limit.NewMemory(limit.MemoryOptions{Keeper: keeper})
	policy := limit.NewPolicy(limit.Plan{Limits: []limit.Limit{{On: limit.Ingest, Unit: limit.Requests, Max: 1, Window: limit.LongWindow}}})
	tab := limit.NewTab(counter, func() time.Time { return noon }, "key", policy)
	assert.Equal(t, limit.Unknown, tab.EnterAtHand(limit.Traces).Verdict)
	keeper.err = errors.New("broken")
	_, err := tab.Enter(t.Context(), limit.Traces)
	require.ErrorIs(t, err, keeper.err)
	keeper.err = nil
	assert.Equal(t, limit.Admitted, enter(t, tab, limit.Traces))
	assert.Equal(t, limit.OverLimit, limit.NewTab(counter, func() time.Time { return noon }, "key", policy).EnterAtHand(limit.Traces).Verdict)
}

type stubKeeper struct{ err error }

func (k *stubKeeper) Counts(context.Context, string) ([]byte, error)   { return nil, k.err }
func (k *stubKeeper) KeepCounts(context.Context, []limit.Counts) error { return k.err }

func TestWithoutLimitsThereIsNoTabAndEverythingIsAdmitted(t *testing.T) {
	require.Nil(t, limit.NewPolicy(limit.Plan{}))
	tab := limit.NewTab(nil, nil, "key", nil)
	require.Nil(t, tab)
	assert.Equal(t, limit.Admitted, tab.EnterAtHand(limit.Traces).Verdict)
	assert.Equal(t, limit.Admitted, enter(t, tab, limit.Traces))
	assert.Equal(t, limit.Admitted, spend(t, tab, "a", limit.Traces, 1<<40, 1<<40))
	d, err := tab.Next(t.Context(), limit.Traces)
	require.NoError(t, err)
	assert.Equal(t, limit.Admitted, d.Verdict)
	assert.True(t, tab.Hold())
	assert.False(t, tab.Counts(limit.Traces, limit.Bytes))
	tab.CloseAfter(t.Context())
	assert.Empty(t, tab.Fields(limit.Traces))
	tab.Unhold()
	tab.Fail()
	tab.Close()
}

func TestOnlyWhatSomeLimitCountsIsMeasured(t *testing.T) {
	d := newDesk(limit.Plan{Limits: []limit.Limit{minutely(limit.Logs, limit.Bytes, 1), minutely(limit.Ingest, limit.Items, 1)}})
	tab := d.open()
	assert.True(t, tab.Counts(limit.Logs, limit.Bytes))
	assert.False(t, tab.Counts(limit.Traces, limit.Bytes))
	assert.True(t, tab.Counts(limit.Traces, limit.Items))
	assert.False(t, tab.Counts(limit.API, limit.Items))
}

// Meaningful with -race.
func TestATabIsSafeForConcurrentUse(t *testing.T) {
	d := newDesk(everything())
	tab := d.open()
	enter(t, tab, limit.Traces)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			if tab.Hold() {
				defer tab.Unhold()
			}
			spend(t, tab, i, limit.Traces, 5, 50)
			tab.Fields(limit.Traces)
			if i == 15 {
				tab.Fail()
				tab.Close()
			}
		})
	}
	wg.Wait()
	assert.Zero(t, d.underWay())
}

func TestFieldsNameTheQuotaNearestToExhaustion(t *testing.T) {
	d := newDesk(limit.Plan{Limits: []limit.Limit{
		minutely(limit.Ingest, limit.Requests, 100),
		{On: limit.Traces, Unit: limit.Items, Max: 10, Window: limit.Window(time.Hour)},
		minutely(limit.Logs, limit.Requests, 1),
		minutely(limit.API, limit.Requests, 1),
		{On: limit.Ingest, Unit: limit.Bytes, Max: 1 << 20, Window: limit.MaxWindow},
	}, Concurrency: 5})
	tab := d.open()
	enter(t, tab, limit.Traces)
	fields := func(on limit.Traffic) map[string]string {
		named := map[string]string{}
		for _, f := range tab.Fields(on) {
			named[f.Name] = f.Value
		}
		return named
	}
	assert.Equal(t, map[string]string{
		"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "99", "X-RateLimit-Reset": "1782907261",
		"RateLimit-Policy": `"ingest-requests-1m";q=100;w=60, "traces-items-1h";q=10;qu="items";w=3600, ` +
			`"ingest-bytes-31d";q=1048576;qu="content-bytes";w=2678400, "concurrency";q=5;qu="concurrent-requests"`,
		"RateLimit": `"ingest-requests-1m";r=99;t=61, "traces-items-1h";r=10;t=0, "ingest-bytes-31d";r=1048576;t=0, "concurrency";r=4`,
	}, fields(limit.Traces))
	spend(t, tab, "a", limit.Traces, 4, 0)
	assert.Equal(t, "6", fields(limit.Traces)["X-RateLimit-Remaining"])
	assert.Equal(t, "1", fields(limit.API)["X-RateLimit-Limit"])
	assert.Equal(t, `"api-requests-1m";q=1;w=60, "concurrency";q=5;qu="concurrent-requests"`, fields(limit.API)["RateLimit-Policy"])
	assert.Equal(t, "100", fields(0)["X-RateLimit-Limit"], "an unknown signal falls under what is on all")
}
