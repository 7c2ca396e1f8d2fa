package limit_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/limit/limittest"
)

func TestMemoryConforms(t *testing.T) {
	limittest.Counter(t, func(*testing.T) limit.Counter { return limit.NewMemory(limit.MemoryOptions{}) })
}

func TestMemoryConformsWhileItIsSweptAndFlushed(t *testing.T) {
	limittest.Counter(t, func(*testing.T) limit.Counter {
		m, k := &tended{}, limittest.NewMemoryKeeper()
		k.Clock(func() time.Time { return time.Unix(0, m.now.Load()) })
		m.Memory = limit.NewMemory(limit.MemoryOptions{Keeper: k})
		return m
	})
}

// tended is a Memory that is swept and flushed again and again, at times that
// depend on the question only, so that failures can be repeated.
type tended struct {
	*limit.Memory
	now atomic.Int64
}

func (m *tended) Admit(now time.Time, key string, p *limit.Policy, c *limit.Cost, r *limit.Receipt) limit.Decision {
	m.now.Store(now.UnixNano())
	d := m.Memory.Admit(now, key, p, c, r)
	switch (uint64(now.UnixNano()) ^ uint64(c.Ingest[limit.Requests])) * 0x9e3779b97f4a7c15 >> 58 {
	case 0, 1:
		m.Sweep(now)
	case 2:
		if err := m.Flush(context.Background(), now); err != nil {
			panic(err)
		}
	}
	return d
}

var morning = time.Date(2026, time.March, 1, 9, 31, 7, 123_456_789, time.UTC)

func limitOf(n int64, window time.Duration) limit.Limit {
	return limit.Limit{On: limit.Ingest, Unit: limit.Requests, Max: n, Window: limit.Window(window)}
}

func policyOf(limits ...limit.Limit) *limit.Policy {
	return limit.NewPolicy(limit.Plan{Limits: limits})
}

func requests(n int64) *limit.Cost {
	return &limit.Cost{Ingest: limit.Amounts{limit.Requests: n}}
}

func admitOne(m *limit.Memory, now time.Time, key string, p *limit.Policy, n int64) (limit.Decision, *limit.Receipt) {
	r := &limit.Receipt{}
	return m.Admit(now, key, p, requests(n), r), r
}

// charge requires that a cost is admitted, and prepares the key if need be.
func charge(t require.TestingT, m *limit.Memory, now time.Time, key string, p *limit.Policy, n int64) *limit.Receipt {
	d, r := admitOne(m, now, key, p, n)
	if d.Verdict == limit.Unknown {
		require.NoError(t, m.Prepare(context.Background(), now, key))
		d, r = admitOne(m, now, key, p, n)
	}
	require.Equal(t, limit.Admitted, d.Verdict, "%+v", d)
	return r
}

func usedOf(t require.TestingT, m *limit.Memory, now time.Time, key string, p *limit.Policy) []int64 {
	s, err := m.State(context.Background(), now, key, p)
	require.NoError(t, err)
	list := []int64{}
	for _, q := range s.Quotas {
		list = append(list, q.Used)
	}
	return list
}

func TestSweepForgetsIdleKeysAndGivesTheirMemoryBack(t *testing.T) {
	keys := 200_000
	if testing.Short() {
		keys = 20_000
	}
	m, p := limit.NewMemory(limit.MemoryOptions{}), policyOf(limitOf(100, time.Minute))
	before := heap()
	for i := range keys {
		var r limit.Receipt
		m.Admit(morning, fmt.Sprintf("key_%020d", i), p, requests(1), &r)
	}
	full := heap()
	require.Equal(t, keys, m.Len())

	m.Sweep(morning.Add(59 * time.Second))
	require.Equal(t, keys, m.Len(), "nothing is forgotten as long as it counts")
	m.Sweep(morning.Add(62 * time.Second))
	require.Zero(t, m.Len())
	require.Less(t, heap(), before+(full-before)/20)
	runtime.KeepAlive(m)
}

func heap() uint64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

func TestSweepForgetsWithoutAKeeperWhateverTheWindow(t *testing.T) {
	m, p := limit.NewMemory(limit.MemoryOptions{}), policyOf(limitOf(10, time.Second), limitOf(100, 24*time.Hour))
	charge(t, m, morning, "key", p, 1)
	m.Sweep(morning.Add(24 * time.Hour))
	require.Equal(t, 1, m.Len())
	require.Equal(t, []int64{0, 1}, usedOf(t, m, morning.Add(24*time.Hour), "key", p))
	m.Sweep(morning.Add(25 * time.Hour))
	require.Zero(t, m.Len())
}

func TestSweepForgetsWhatWasRefusedOrRefunded(t *testing.T) {
	m, p := limit.NewMemory(limit.MemoryOptions{}), policyOf(limitOf(1, time.Minute))
	m.Refund(morning, "refunded", charge(t, m, morning, "refunded", p, 1))
	d, _ := admitOne(m, morning, "too large", p, 2)
	require.Equal(t, limit.TooLarge, d.Verdict)
	charge(t, m, morning, "nothing", p, 0)
	m.Sweep(morning)
	require.Zero(t, m.Len())
}

func TestQuestionsLeaveNothingBehind(t *testing.T) {
	m, p := limit.NewMemory(limit.MemoryOptions{}), policyOf(limitOf(1, time.Minute))
	require.Equal(t, []int64{0}, usedOf(t, m, morning, "asked", p))
	m.StateAtHand(morning, "asked", p, nil)
	m.Refund(morning, "asked", &limit.Receipt{})
	m.Release(morning, "asked")
	require.Zero(t, m.Len())
}

func TestSweepKeepsKeysThatHoldASlot(t *testing.T) {
	m, p := limit.NewMemory(limit.MemoryOptions{}), limit.NewPolicy(limit.Plan{Concurrency: 1})
	take := func(now time.Time) limit.Verdict {
		return m.Admit(now, "key", p, &limit.Cost{Slot: true}, &limit.Receipt{}).Verdict
	}
	require.Equal(t, limit.Admitted, take(morning))
	tomorrow := morning.Add(24 * time.Hour)
	m.Sweep(tomorrow)
	require.Equal(t, 1, m.Len())
	require.Equal(t, limit.OverLimit, take(tomorrow))
	m.Release(tomorrow, "key")
	m.Sweep(tomorrow)
	require.Zero(t, m.Len())
}

// restarts is a Memory and its keeper, on a clock of the test's.
type restarts struct {
	*limit.Memory
	keeper *limittest.MemoryKeeper
	now    time.Time
}

func newRestarts() *restarts {
	r := &restarts{keeper: limittest.NewMemoryKeeper(), now: morning}
	r.keeper.Clock(func() time.Time { return r.now })
	r.restart()
	return r
}

func (r *restarts) restart() { r.Memory = limit.NewMemory(limit.MemoryOptions{Keeper: r.keeper}) }

func (r *restarts) flush(t require.TestingT) {
	require.NoError(t, r.Flush(context.Background(), r.now))
}

func (r *restarts) spend(t require.TestingT, p *limit.Policy, n int64) *limit.Receipt {
	return charge(t, r.Memory, r.now, "key", p, n)
}

func (r *restarts) used(t require.TestingT, p *limit.Policy) []int64 {
	return usedOf(t, r.Memory, r.now, "key", p)
}

func (r *restarts) ask(p *limit.Policy, n int64) limit.Decision {
	d, _ := admitOne(r.Memory, r.now, "key", p, n)
	return d
}

var hourAndDay = policyOf(limitOf(10, time.Hour), limitOf(20, 24*time.Hour))

func TestLongWindowsSurviveARestart(t *testing.T) {
	m := newRestarts()
	m.spend(t, hourAndDay, 6)
	m.now = m.now.Add(30 * time.Minute)
	m.spend(t, hourAndDay, 4)
	m.flush(t)

	m.restart()
	require.Equal(t, []int64{10, 10}, m.used(t, hourAndDay))
	d := m.ask(hourAndDay, 1)
	require.Equal(t, limit.OverLimit, d.Verdict)
	m.now = m.now.Add(d.RetryAfter - 1)
	require.Equal(t, limit.OverLimit, m.ask(hourAndDay, 1).Verdict)
	m.now = m.now.Add(1)
	m.spend(t, hourAndDay, 1)
	require.Equal(t, []int64{5, 11}, m.used(t, hourAndDay))
}

func TestWhatIsSpentWhileTheClockIsBehindSurvivesARestart(t *testing.T) {
	m := newRestarts()
	m.spend(t, hourAndDay, 6)
	m.now = m.now.Add(-30 * time.Minute)
	m.spend(t, hourAndDay, 4)
	m.flush(t)
	m.now = m.now.Add(30 * time.Minute)
	m.restart()
	require.Equal(t, []int64{10, 10}, m.used(t, hourAndDay))
}

func TestWithoutAFlushOnlyWhatWasSpentSinceIsForgiven(t *testing.T) {
	m := newRestarts()
	m.spend(t, hourAndDay, 3)
	m.flush(t)
	m.spend(t, hourAndDay, 5)
	m.restart()
	require.Equal(t, []int64{3, 3}, m.used(t, hourAndDay))
}

// This is the model of all that can happen to long windows: what is spent is
// kept by Flush, and a crash takes all back to the last one.
func TestLongWindowsAreStrictAcrossRestarts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newRestarts()
		var spent, kept []spending
		check := func(*rapid.T) {
			for i, l := range hourAndDay.Limits() {
				got := m.used(t, hourAndDay)[i]
				require.LessOrEqual(t, within(spent, m.now, time.Duration(l.Window)), got, "of %v", l)
				require.GreaterOrEqual(t, within(spent, m.now, time.Duration(l.Window)*51/50), got, "of %v", l)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"spend": func(t *rapid.T) {
				n := rapid.Int64Range(1, 6).Draw(t, "n")
				d, r := admitOne(m.Memory, m.now, "key", hourAndDay, n)
				if d.Verdict == limit.Unknown {
					require.NoError(t, m.Prepare(t.Context(), m.now, "key"))
					d, r = admitOne(m.Memory, m.now, "key", hourAndDay, n)
				}
				if d.Verdict == limit.Admitted {
					spent = append(spent, spending{m.now, n, r})
				}
			},
			"refund": func(t *rapid.T) {
				i := rapid.IntRange(0, 9).Draw(t, "receipt")
				if i >= len(spent) || spent[i].receipt == nil {
					t.Skip("no receipt")
				}
				// Requests do not outlive the key's account, nor the process.
				m.used(t, hourAndDay)
				m.Refund(m.now, "key", spent[i].receipt)
				spent = slices.Delete(spent, i, i+1)
			},
			"wait": func(t *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.Int64Range(0, int64(2*time.Hour)).Draw(t, "wait")))
			},
			"wait for a minute": func(*rapid.T) { m.now = m.now.Add(time.Minute) },
			"sweep":             func(*rapid.T) { m.Sweep(m.now) },
			"flush": func(*rapid.T) {
				m.flush(t)
				kept = slices.Clone(spent)
			},
			"flush in vain": func(*rapid.T) {
				m.keeper.Fail(errors.New("full"))
				_ = m.Flush(t.Context(), m.now)
				m.keeper.Fail(nil)
			},
			"crash": func(*rapid.T) {
				m.restart()
				spent = slices.Clone(kept)
				for i := range spent {
					spent[i].receipt = nil
				}
				kept = slices.Clone(spent)
			},
			"": check,
		})
	})
}

type spending struct {
	at      time.Time
	n       int64
	receipt *limit.Receipt
}

// within sums up what was spent in the window before now.
func within(list []spending, now time.Time, window time.Duration) int64 {
	sum := int64(0)
	for _, s := range list {
		if now.Sub(s.at) <= window {
			sum += s.n
		}
	}
	return sum
}

func TestTheVerdictIsUnknownUntilAKeyWithLongWindowsIsPrepared(t *testing.T) {
	m := newRestarts()
	for range 3 {
		d, r := admitOne(m.Memory, m.now, "key", hourAndDay, 1)
		require.Equal(t, limit.Decision{Verdict: limit.Unknown}, d)
		require.Equal(t, &limit.Receipt{}, r)
	}
	require.NoError(t, m.Prepare(t.Context(), m.now, "key"))
	require.Equal(t, limit.Admitted, m.ask(hourAndDay, 1).Verdict)
	require.Equal(t, limit.Unknown, m.Admit(m.now, "other", hourAndDay, requests(1), &limit.Receipt{}).Verdict)
}

func TestShortWindowsNeedNoKeeper(t *testing.T) {
	m := newRestarts()
	m.keeper.Fail(errors.New("down"))
	short := policyOf(limitOf(10, time.Hour-1))
	require.Equal(t, limit.Admitted, m.ask(short, 4).Verdict)
	require.Equal(t, []int64{4}, m.used(t, short))
	m.flush(t)
	require.Zero(t, m.keeper.Calls())
}

func TestShortWindowsAreNotKept(t *testing.T) {
	m, both := newRestarts(), policyOf(limitOf(10, time.Minute), limitOf(20, time.Hour))
	m.spend(t, both, 4)
	m.flush(t)
	m.restart()
	require.Equal(t, []int64{0, 4}, m.used(t, both))
}

func TestNothingIsLostWhenTheKeeperFails(t *testing.T) {
	m := newRestarts()
	m.spend(t, hourAndDay, 4)
	full := errors.New("disk full")
	m.keeper.Fail(full)
	for range 3 {
		require.ErrorIs(t, m.Flush(t.Context(), m.now), full)
		m.Sweep(m.now.Add(30 * time.Minute))
		require.Equal(t, []int64{4, 4}, m.used(t, hourAndDay), "what is not kept stays in memory")
	}
	m.now = m.now.Add(30 * time.Minute)
	m.spend(t, hourAndDay, 3)
	m.keeper.Fail(nil)
	m.flush(t)
	m.restart()
	require.Equal(t, []int64{7, 7}, m.used(t, hourAndDay))
}

func TestCountsThatNoKeeperTakesHoldUpNoOthers(t *testing.T) {
	m := newRestarts()
	var many []limit.Limit
	for i := range 600 {
		many = append(many, limitOf(limit.MaxMax, time.Duration(limit.MaxWindow)-time.Duration(i)*time.Second))
	}
	for range 60 { // in as many buckets, each of a cost that takes many bytes
		charge(t, m.Memory, m.now, "vast", policyOf(many...), limit.MaxMax/100)
		m.now = m.now.Add(time.Duration(limit.MaxWindow) / 60)
	}
	m.spend(t, hourAndDay, 4)
	err := m.Flush(t.Context(), m.now)
	require.ErrorContains(t, err, "keep the counts of key vast:")
	require.ErrorContains(t, err, "are more than 262144: remove some of its limits")
	require.Contains(t, m.keeper.Kept(), "key")
	require.NotContains(t, m.keeper.Kept(), "vast")
	calls := m.keeper.Calls()
	require.Error(t, m.Flush(t.Context(), m.now), "it is not forgotten either")
	require.Equal(t, calls, m.keeper.Calls(), "the others are kept")
}

func TestAKeyWhoseCountsCannotBeReadIsNotAdmitted(t *testing.T) {
	m := newRestarts()
	m.spend(t, hourAndDay, 10)
	m.flush(t)
	m.restart()
	down := errors.New("down")
	m.keeper.Fail(down)
	require.ErrorIs(t, m.Prepare(t.Context(), m.now, "key"), down)
	require.Equal(t, limit.Unknown, m.ask(hourAndDay, 1).Verdict)
	_, err := m.State(t.Context(), m.now, "key", hourAndDay)
	require.ErrorIs(t, err, down)

	m.keeper.Fail(nil)
	require.NoError(t, m.keeper.KeepCounts(t.Context(), []limit.Counts{{Key: "key", Data: []byte("damaged"), End: m.now.Add(time.Hour)}}))
	require.ErrorContains(t, m.Prepare(t.Context(), m.now, "key"), "damaged")
	require.Equal(t, limit.Unknown, m.ask(hourAndDay, 1).Verdict)
}

func TestOnlyWhatHasChangedIsFlushed(t *testing.T) {
	m := newRestarts()
	for _, key := range []string{"a", "b", "c"} {
		charge(t, m.Memory, m.now, key, hourAndDay, 1)
	}
	m.flush(t)
	before := m.keeper.Calls()
	m.flush(t)
	require.Equal(t, before, m.keeper.Calls(), "nothing has changed")

	require.NoError(t, m.keeper.KeepCounts(t.Context(), []limit.Counts{{Key: "a"}, {Key: "b"}, {Key: "c"}}))
	charge(t, m.Memory, m.now, "b", hourAndDay, 1)
	m.flush(t)
	require.Len(t, m.keeper.Kept(), 1)
	require.Contains(t, m.keeper.Kept(), "b")
}

func TestCountsEndWithTheirWindows(t *testing.T) {
	m := newRestarts()
	m.spend(t, hourAndDay, 4)
	m.flush(t)
	end := m.keeper.Kept()["key"].End
	require.False(t, end.Before(m.now.Add(24*time.Hour)), "%v", end)
	require.False(t, end.After(m.now.Add(25*time.Hour)), "%v", end)
}

func TestARefundAfterAFlushIsKeptByTheNext(t *testing.T) {
	m := newRestarts()
	m.spend(t, hourAndDay, 4)
	r := m.spend(t, hourAndDay, 5)
	m.flush(t)
	m.Refund(m.now, "key", r)
	m.flush(t)
	m.restart()
	require.Equal(t, []int64{4, 4}, m.used(t, hourAndDay))
}

func TestNothingIsKeptOfAKeyThatWasRefundedAll(t *testing.T) {
	m := newRestarts()
	r := m.spend(t, hourAndDay, 5)
	m.flush(t)
	m.Refund(m.now, "key", r)
	m.Sweep(m.now)
	m.flush(t)
	require.Empty(t, m.keeper.Kept())
	m.Sweep(m.now)
	require.Zero(t, m.Len())
}

func TestIdleKeysWithLongWindowsLeaveMemoryOnceTheyAreKept(t *testing.T) {
	m := newRestarts()
	m.spend(t, hourAndDay, 5)
	m.now = m.now.Add(20 * time.Minute)
	m.Sweep(m.now)
	require.Equal(t, 1, m.Len(), "not kept yet")
	m.flush(t)
	m.Sweep(m.now)
	require.Zero(t, m.Len())
	require.Equal(t, limit.Unknown, m.ask(hourAndDay, 1).Verdict)
	require.Equal(t, []int64{5, 5}, m.used(t, hourAndDay))

	m.Sweep(m.now)
	require.Equal(t, 1, m.Len(), "in use again")
}

func TestKeysWithLongWindowsThatHoldASlotAreNotForgotten(t *testing.T) {
	m := newRestarts()
	p := limit.NewPolicy(limit.Plan{Limits: hourAndDay.Limits(), Concurrency: 1})
	m.spend(t, p, 1)
	require.Equal(t, limit.Admitted, m.Admit(m.now, "key", p, &limit.Cost{Slot: true}, &limit.Receipt{}).Verdict)
	m.flush(t)
	m.Sweep(m.now.Add(48 * time.Hour))
	require.Equal(t, 1, m.Len())
}

// A clock that was ahead when counts were kept must neither open the limit nor
// hold it closed for longer than a window.
func TestCountsKeptByAClockAheadAreStrictAndDoNotBlockForLonger(t *testing.T) {
	for _, ahead := range []time.Duration{time.Second, time.Minute, time.Hour, 23 * time.Hour, 100 * 24 * time.Hour} {
		m := newRestarts()
		m.now = morning.Add(ahead)
		m.spend(t, hourAndDay, 6)
		m.now = m.now.Add(10 * time.Minute)
		m.spend(t, hourAndDay, 4)
		m.flush(t)

		m.now = morning
		m.restart()
		require.Equal(t, []int64{10, 10}, m.used(t, hourAndDay))
		d := m.ask(hourAndDay, 1)
		require.Equal(t, limit.OverLimit, d.Verdict)
		require.LessOrEqual(t, d.RetryAfter, time.Hour*51/50)
		m.now = m.now.Add(d.RetryAfter)
		m.spend(t, hourAndDay, 1)
		m.now = morning.Add(24 * time.Hour * 51 / 50)
		require.Equal(t, int64(1), m.used(t, hourAndDay)[1])
	}
}

// A client that comes now and then is forgotten in between, and its counts are
// read again each time.
func TestCountsKeptByAClockAheadRunOutAlsoForWhoComesNowAndThen(t *testing.T) {
	m := newRestarts()
	m.now = morning.Add(100 * 24 * time.Hour)
	m.spend(t, hourAndDay, 10)
	m.flush(t)

	m.now = morning
	m.restart()
	for m.now.Before(morning.Add(62 * time.Minute)) {
		m.used(t, hourAndDay)
		m.now = m.now.Add(15 * time.Minute)
		m.flush(t)
		m.Sweep(m.now)
		require.Zero(t, m.Len())
	}
	require.Equal(t, []int64{0, 10}, m.used(t, hourAndDay))
}

// slowKeeper holds up the first write until it is told to go on.
type slowKeeper struct {
	*limittest.MemoryKeeper
	writes  atomic.Int64
	writing chan struct{}
	goOn    chan struct{}
}

func (k *slowKeeper) KeepCounts(ctx context.Context, counts []limit.Counts) error {
	if k.writes.Add(1) == 1 {
		close(k.writing)
		<-k.goOn
	}
	return k.MemoryKeeper.KeepCounts(ctx, counts)
}

func TestASlowFlushDoesNotUndoALaterOne(t *testing.T) {
	k := &slowKeeper{MemoryKeeper: limittest.NewMemoryKeeper(), writing: make(chan struct{}), goOn: make(chan struct{})}
	k.Clock(func() time.Time { return morning })
	m := limit.NewMemory(limit.MemoryOptions{Keeper: k})
	charge(t, m, morning, "key", hourAndDay, 1)
	flushed := make(chan error, 2)
	flush := func() { flushed <- m.Flush(context.Background(), morning) }
	go flush()
	<-k.writing
	charge(t, m, morning, "key", hourAndDay, 2)
	go flush()
	time.Sleep(20 * time.Millisecond) // for the second to overtake, if it can
	close(k.goOn)
	require.NoError(t, <-flushed)
	require.NoError(t, <-flushed)

	m = limit.NewMemory(limit.MemoryOptions{Keeper: k})
	require.Equal(t, []int64{3, 3}, usedOf(t, m, morning, "key", hourAndDay))
}

func TestWhatIsSpentDuringAFlushIsKeptByTheNext(t *testing.T) {
	k := &slowKeeper{MemoryKeeper: limittest.NewMemoryKeeper(), writing: make(chan struct{}), goOn: make(chan struct{})}
	k.Clock(func() time.Time { return morning })
	m := limit.NewMemory(limit.MemoryOptions{Keeper: k})
	charge(t, m, morning, "key", hourAndDay, 1)
	flushed := make(chan error, 1)
	go func() { flushed <- m.Flush(context.Background(), morning) }()
	<-k.writing
	charge(t, m, morning, "key", hourAndDay, 2) // it does not wait for the keeper either
	close(k.goOn)
	require.NoError(t, <-flushed)
	require.NoError(t, m.Flush(t.Context(), morning))

	m = limit.NewMemory(limit.MemoryOptions{Keeper: k})
	require.Equal(t, []int64{3, 3}, usedOf(t, m, morning, "key", hourAndDay))
}

func TestMorePreparationsThanOneChangeNothing(t *testing.T) {
	m := newRestarts()
	m.spend(t, hourAndDay, 4)
	m.flush(t)
	m.restart()
	require.NoError(t, m.Prepare(t.Context(), m.now, "key"))
	m.spend(t, hourAndDay, 2)
	require.NoError(t, m.Prepare(t.Context(), m.now, "key"))
	require.Equal(t, []int64{6, 6}, m.used(t, hourAndDay))
	m.flush(t)
	m.restart()
	require.Equal(t, []int64{6, 6}, m.used(t, hourAndDay))
}
