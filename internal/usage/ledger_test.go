package usage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/kv"
	"github.com/otlpgate/otlpgate/internal/kv/kvtest"
)

const retention = 400 * day

func count(id string, at time.Time, requests int64, edit ...func(*access.Count)) access.Count {
	c := access.Count{
		Group:  access.Group{KeyID: id, Minute: at.Unix() / 60, Endpoint: "traces", Outcome: access.Accepted},
		Volume: access.Volume{Requests: requests, Items: 10 * requests, Bytes: 1000 * requests},
	}
	for _, e := range edit {
		e(&c)
	}
	return c
}

func refused(reason string) func(*access.Count) {
	return func(c *access.Count) {
		c.Outcome, c.Reason, c.Items, c.RefusedItems = access.Refused, reason, 0, c.Items
	}
}

func failed(c *access.Count) { c.Outcome, c.Reason, c.Items = access.Failed, access.PipelineFailed, 0 }

func from(country string) func(*access.Count) {
	return func(c *access.Count) { c.Country = country }
}

func read(t *testing.T, l *Ledger, id string, from, to time.Time, s Step) Series {
	t.Helper()
	series, err := l.Read(t.Context(), id, from, to, s)
	require.NoError(t, err)
	return series
}

func total(t *testing.T, l *Ledger, id string, s Step) *Counts {
	t.Helper()
	series := read(t, l, id, epoch.AddDate(-1, 0, 0), epoch.AddDate(1, 0, 0), s)
	sum := series.Sum()
	counts := sum.Total()
	return &counts
}

func TestEachStepTellsTheSame(t *testing.T) {
	l := NewLedger(kvtest.NewMemory(), retention)
	l.Add([]access.Count{
		count("a", epoch, 5, from("DE")),
		count("a", epoch, 2, refused("rate_limited"), from("DE")),
		count("a", epoch.Add(time.Minute), 1, refused("missing_scope"), from("FR")),
		count("a", epoch.Add(2*time.Hour), 3, failed),
		count("a", epoch.Add(2*time.Hour), 4, func(c *access.Count) { c.Endpoint = "GET /api/v1/whoami" }),
		count("b", epoch, 100),
		count("", epoch, 7, refused("unknown_key")),
	})
	require.NoError(t, l.Flush(t.Context()))
	want := &Counts{
		Requests: 15, Refused: map[string]int64{"rate_limited": 2, "missing_scope": 1}, Failed: 3,
		Items: 90, RefusedItems: 30, Bytes: 15_000,
	}
	for _, s := range Steps() {
		assert.Equal(t, want, total(t, l, "a", s), s)
		assert.EqualValues(t, 100, total(t, l, "b", s).Requests, s)
		assert.EqualValues(t, 7, total(t, l, Strangers, s).AllRefused(), s)
		assert.EqualValues(t, 122, total(t, l, Everything, s).Requests, s)
		assert.Equal(t, &Counts{}, total(t, l, "nobody", s), s)
	}
	got := total(t, l, "a", Minute)
	assert.EqualValues(t, 6, got.Errors())
	assert.EqualValues(t, 9, got.Accepted())
	assert.InDelta(t, 0.4, got.ErrorRate(), 1e-9)

	minutes := read(t, l, "a", epoch, epoch.Add(3*time.Hour), Minute)
	assert.Len(t, minutes.Buckets, 3)
	hours := read(t, l, "a", epoch, epoch.Add(3*time.Hour), Hour)
	require.Len(t, hours.Buckets, 2)
	assert.Equal(t, epoch.Truncate(time.Hour), hours.Buckets[0].Start)
	assert.Equal(t, map[string]*CountryCounts{"DE": {Requests: 7, Errors: 2}, "FR": {Requests: 1, Errors: 1}}, hours.Buckets[0].Countries)
	assert.EqualValues(t, 4, hours.Buckets[1].Endpoints["GET /api/v1/whoami"].Requests)
}

func TestASeriesIsBoundedByItsTimesOutwards(t *testing.T) {
	l := NewLedger(kvtest.NewMemory(), retention)
	for i := range 10 {
		l.Add([]access.Count{count("a", epoch.Add(time.Duration(i)*time.Minute), 1)})
	}
	require.NoError(t, l.Flush(t.Context()))
	at := epoch.Truncate(time.Minute)
	series := read(t, l, "a", at.Add(2*time.Minute+time.Second), at.Add(4*time.Minute+time.Second), Minute)
	assert.Equal(t, at.Add(2*time.Minute), series.From)
	assert.Equal(t, at.Add(5*time.Minute), series.To)
	assert.Len(t, series.Buckets, 3)
}

// model counts the requests of keys by the minute.
type model map[string]map[int64]int64

func (m model) requests(id string, from, to time.Time) (n int64) {
	for minute, requests := range m[id] {
		if at := time.Unix(minute*60, 0); !at.Before(from) && at.Before(to) {
			n += requests
		}
	}
	return n
}

func TestWhatWasFlushedIsCountedOnceWhateverComesBetween(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		store := kvtest.NewMemory()
		l, kept, pending := NewLedger(store, retention), model{}, model{}
		now := epoch
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			case 0, 1, 2, 3:
				id := rapid.SampledFrom([]string{"a", "b", ""}).Draw(rt, "key")
				at := now.Add(-time.Duration(rapid.SampledFrom([]int{0, 0, 0, 1, 15, 90, 3000}).Draw(rt, "late")) * time.Minute)
				l.Add([]access.Count{count(id, at, 1)})
				if pending[id] == nil {
					pending[id] = map[int64]int64{}
				}
				pending[id][at.Unix()/60]++
			case 4, 5:
				now = now.Add(time.Duration(rapid.SampledFrom([]int{10, 60, 700, 4000, 100_000, 3_000_000}).Draw(rt, "seconds")) * time.Second)
			case 6, 7:
				require.NoError(rt, l.Flush(context.Background()))
				for id, minutes := range pending {
					if kept[id] == nil {
						kept[id] = map[int64]int64{}
					}
					for minute, n := range minutes {
						kept[id][minute] += n
					}
				}
				pending = model{}
			case 8:
				require.NoError(rt, l.Sweep(context.Background(), now))
			case 9: // a crash
				l, pending = NewLedger(store, retention), model{}
			}
		}
		from, to := epoch.AddDate(0, 0, -30), now.AddDate(0, 0, 1)
		known := func(id string, from, to time.Time) int64 { // what is pending is read too
			return kept.requests(id, from, to) + pending.requests(id, from, to)
		}
		for _, id := range []string{"a", "b", ""} {
			for _, s := range Steps() {
				series, err := l.Read(context.Background(), id, from, to, s)
				require.NoError(rt, err)
				sum := series.Sum()
				total := sum.Total()
				require.Equal(rt, known(id, series.From, series.To), total.Requests, "%s of %q", s, id)
				for _, b := range series.Buckets {
					counts := b.Total()
					require.Equal(rt, known(id, b.Start, b.Start.Add(s.Length())), counts.Requests, "%s at %s", s, b.Start)
				}
			}
		}
	})
}

// failing is a store whose writes end before all is written, now and then.
type failing struct {
	kv.Store
	fail bool
}

var errDisk = errors.New("disk on fire")

func (f *failing) Write(ctx context.Context, groups [][]kv.Entry) (int, error) {
	if !f.fail {
		return f.Store.Write(ctx, groups)
	}
	n := rand.IntN(len(groups))
	written, err := f.Store.Write(ctx, groups[:n])
	return written, errors.Join(err, errDisk)
}

func TestWhatCouldNotBeWrittenIsWrittenLaterAndNothingTwice(t *testing.T) {
	store := &failing{Store: kvtest.NewMemory()}
	l := NewLedger(store, retention)
	const keys, rounds = 300, 20
	for round := range rounds {
		for k := range keys {
			l.Add([]access.Count{count(fmt.Sprintf("key_%d", k), epoch.Add(time.Duration(round)*time.Minute), 1)})
		}
		store.fail = round%4 != 3
		err := l.Flush(t.Context())
		assert.Equal(t, store.fail, errors.Is(err, errDisk), err)
	}
	for k := range keys {
		for _, s := range Steps() {
			require.EqualValues(t, rounds, total(t, l, fmt.Sprintf("key_%d", k), s).Requests)
		}
	}
}

func TestWhatCannotBeWrittenIsReadAllTheSame(t *testing.T) {
	store := &failing{Store: kvtest.NewMemory()}
	l := NewLedger(store, retention)
	l.Add([]access.Count{count("a", epoch, 1)})
	require.NoError(t, l.Flush(t.Context()))
	store.fail = true
	l.Add([]access.Count{count("a", epoch.Add(time.Minute), 2), count("b", epoch, 3)})
	require.ErrorIs(t, l.Flush(t.Context()), errDisk)
	for _, s := range Steps() {
		assert.EqualValues(t, 3, total(t, l, "a", s).Requests, s)
		assert.EqualValues(t, 3, total(t, l, "b", s).Requests, s)
	}
	ids, err := l.InUse(t.Context(), epoch)
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b"}, ids)
}

func TestPendingIsBoundedAndTotalsStayTrue(t *testing.T) {
	store := &failing{Store: kvtest.NewMemory(), fail: true}
	l := NewLedger(store, retention)
	const minutes = maxPending/2 + 1000
	for i := range minutes {
		l.Add([]access.Count{count("a", epoch.Add(time.Duration(i)*time.Minute), 1)})
	}
	assert.LessOrEqual(t, l.buckets, maxPending+2)
	store.fail = false
	require.NoError(t, l.Flush(t.Context()))
	series := read(t, l, "a", epoch, epoch.Add((minutes+1)*time.Minute), Day)
	sum := series.Sum()
	counts := sum.Total()
	assert.EqualValues(t, minutes, counts.Requests)
}

func TestIdleKeysLeaveNoHead(t *testing.T) {
	l := NewLedger(kvtest.NewMemory(), retention)
	l.Add([]access.Count{count("idle", epoch, 1), count("busy", epoch, 1)})
	require.NoError(t, l.Flush(t.Context()))
	l.Add([]access.Count{count("busy", epoch.Add(30*time.Minute), 1)})
	require.NoError(t, l.Flush(t.Context()))
	require.NoError(t, l.Sweep(t.Context(), epoch.Add(30*time.Minute)))
	ids, err := l.InUse(t.Context(), epoch.Add(-time.Hour))
	require.NoError(t, err)
	assert.Equal(t, []string{"busy"}, ids)
	assert.EqualValues(t, 1, total(t, l, "idle", Minute).Requests)
}

func TestInUseTellsTheKeysOfTheLastMinutes(t *testing.T) {
	l := NewLedger(kvtest.NewMemory(), retention)
	l.Add([]access.Count{count("now", epoch.Add(10*time.Minute), 1), count("before", epoch.Add(4*time.Minute), 1), count("", epoch.Add(10*time.Minute), 1)})
	require.NoError(t, l.Flush(t.Context()))
	for since, want := range map[time.Time][]string{
		epoch.Add(11 * time.Minute): nil, epoch.Add(10 * time.Minute): {"now"}, epoch: {"before", "now"},
	} {
		ids, err := l.InUse(t.Context(), since)
		require.NoError(t, err)
		assert.ElementsMatch(t, want, ids, since)
	}
	requests, errors, err := l.Requests(t.Context(), "before", epoch, epoch.Add(5*time.Minute))
	require.NoError(t, err)
	assert.EqualValues(t, 1, requests)
	assert.Zero(t, errors)
}

// recording remembers when entries expire.
type recording struct {
	kv.Store
	expires map[byte]time.Time // by the tag of the key
}

func (r *recording) Write(ctx context.Context, groups [][]kv.Entry) (int, error) {
	for _, group := range groups {
		for _, e := range group {
			if e.Value != nil {
				r.expires[e.Key[1]] = e.ExpiresAt
			}
		}
	}
	return r.Store.Write(ctx, groups)
}

func TestEveryStepIsKeptForItsTimeAndNotForEver(t *testing.T) {
	r := &recording{Store: kvtest.NewMemory(), expires: map[byte]time.Time{}}
	l := NewLedger(r, retention)
	l.Add([]access.Count{count("a", epoch, 1)})
	require.NoError(t, l.Flush(t.Context()))
	require.NoError(t, l.Sweep(t.Context(), epoch.Add(time.Hour)))
	for tag, want := range map[byte]struct{ least, most time.Time }{
		'c': {epoch.Add(retention - time.Hour), epoch.Add(retention)},
		'm': {epoch.Add(day), epoch.Add(day + time.Hour)},
		'h': {epoch.Add(35 * day), epoch.Add(36 * day)},
		'd': {epoch.Add(retention), epoch.Add(retention + 31*day)},
	} {
		assert.False(t, r.expires[tag].Before(want.least), "%c: %s", tag, r.expires[tag])
		assert.False(t, r.expires[tag].After(want.most), "%c: %s", tag, r.expires[tag])
	}
}

func TestADamagedPageCostsNoMoreThanItself(t *testing.T) {
	store := kvtest.NewMemory()
	l := NewLedger(store, retention)
	l.Add([]access.Count{count("a", epoch, 1), count("b", epoch, 1)})
	require.NoError(t, l.Flush(t.Context()))
	_, err := store.Write(t.Context(), [][]kv.Entry{{{Key: headKey("a"), Value: []byte("garbage")}}})
	require.NoError(t, err)
	l.Add([]access.Count{count("a", epoch, 5), count("b", epoch, 5)})
	require.NoError(t, l.Flush(t.Context()))
	assert.EqualValues(t, 5, total(t, l, "a", Day).Requests)
	assert.EqualValues(t, 6, total(t, l, "b", Day).Requests)
}

func BenchmarkFlushOfKeysInUse(b *testing.B) {
	l := NewLedger(kvtest.NewMemory(), retention)
	const keys = 1000
	counts := make([]access.Count, keys)
	at := epoch
	for b.Loop() {
		at = at.Add(10 * time.Second)
		for i := range counts {
			counts[i] = count(fmt.Sprintf("key_%020d", i), at, 3)
		}
		l.Add(counts)
		require.NoError(b, l.Flush(b.Context()))
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/keys, "ns/key")
}
