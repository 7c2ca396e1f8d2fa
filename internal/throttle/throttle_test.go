package throttle

import (
	"encoding/binary"
	"math"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	alice = netip.MustParseAddr("192.0.2.1")
	bob   = netip.MustParseAddr("192.0.2.2")
)

// attempts fails as often as it is allowed to, at most n times.
func attempts(th *Throttle, now time.Time, addr netip.Addr, n int) (failed int) {
	for range n {
		if ok, _ := th.Allow(now, addr); !ok {
			return failed
		}
		th.Fail(now, addr)
		failed++
	}
	return failed
}

func TestAnAddressMayFailBurstTimesAndThenPerSecond(t *testing.T) {
	th := New(Options{Burst: 5, PerSecond: 2})
	assert.Equal(t, 5, attempts(th, start, alice, 100))
	assert.Equal(t, 0, attempts(th, start.Add(499*time.Millisecond), alice, 100))
	assert.Equal(t, 1, attempts(th, start.Add(500*time.Millisecond), alice, 100))
	assert.Equal(t, 4, attempts(th, start.Add(2500*time.Millisecond), alice, 100))
	assert.Equal(t, 5, attempts(th, start.Add(time.Hour), alice, 100))
}

func TestAllowChargesNothing(t *testing.T) {
	th := New(Options{Burst: 1})
	for range 1000 {
		ok, wait := th.Allow(start, alice)
		require.True(t, ok)
		require.Zero(t, wait)
	}
	assert.Zero(t, th.Len())
}

func TestAddressesDoNotAffectEachOther(t *testing.T) {
	th := New(Options{Burst: 3})
	assert.Equal(t, 3, attempts(th, start, alice, 100))
	assert.Equal(t, 3, attempts(th, start, bob, 100))
}

func TestOptionsThatAreNotPositiveMeanTheDefaults(t *testing.T) {
	for _, o := range []Options{{}, {Burst: -1, PerSecond: -1, MaxAddresses: -1}, {PerSecond: math.NaN()}, {PerSecond: math.Inf(-1)}} {
		th := New(o)
		assert.Equal(t, DefaultBurst, attempts(th, start, alice, 2*DefaultBurst))
		assert.Equal(t, DefaultPerSecond, attempts(th, start.Add(time.Second), alice, 100))
	}
}

func TestExtremeOptionsNeitherOverflowNorBlockForEver(t *testing.T) {
	for _, o := range []Options{
		{Burst: math.MaxInt, PerSecond: 1e-300, MaxAddresses: 1},
		{Burst: math.MaxInt, PerSecond: math.Inf(1), MaxAddresses: 1},
		{Burst: math.MaxInt, PerSecond: 1, MaxAddresses: 1},
		{Burst: 1, PerSecond: 1e-9, MaxAddresses: 1},
		{Burst: 1, PerSecond: 1e300},
	} {
		for _, now := range []time.Time{start, {}, start.AddDate(5000, 0, 0)} {
			th := New(o)
			for _, addr := range []netip.Addr{alice, bob, {}} {
				ok, _ := th.Allow(now, addr)
				require.True(t, ok, "%+v", o)
			}
			for range 100 {
				th.Fail(now, alice)
				th.Fail(now, bob)
			}
			_, wait := th.Allow(now, alice)
			require.GreaterOrEqual(t, wait, time.Duration(0))
			_, wait = th.Allow(now.AddDate(-9000, 0, 0), bob)
			require.GreaterOrEqual(t, wait, time.Duration(0))
		}
	}
}

func TestIPv6AddressesOfOneNetworkCountTogether(t *testing.T) {
	addr := netip.MustParseAddr
	for _, tc := range []struct {
		a, b     netip.Addr
		together bool
	}{
		{addr("2001:db8::1"), addr("2001:db8::ffff:ffff:ffff:ffff"), true},
		{addr("2001:db8::1"), addr("2001:db8::1%eth0"), true},
		{addr("2001:db8::1"), addr("2001:db8:0:1::1"), false},
		{addr("192.0.2.1"), addr("::ffff:192.0.2.1"), true},
		{addr("192.0.2.1"), addr("192.0.2.2"), false},
		{addr("192.0.2.1"), addr("0:0:c000:201::"), false},
		{addr("192.0.2.1"), addr("::c000:201"), false},
		{addr("0.0.0.0"), addr("::"), false},
		{addr("::"), netip.Addr{}, false},
		{netip.Addr{}, netip.Addr{}, true},
	} {
		th := New(Options{Burst: 2})
		attempts(th, start, tc.a, 2)
		ok, _ := th.Allow(start, tc.b)
		assert.Equal(t, !tc.together, ok, "%v and %v", tc.a, tc.b)
	}
}

func TestAnOverdraftIsPaidBackUpToBurst(t *testing.T) {
	th := New(Options{Burst: 5, PerSecond: 1})
	for range 8 { // all under way before the first failed
		th.Fail(start, alice)
	}
	_, wait := th.Allow(start, alice)
	assert.Equal(t, 4*time.Second, wait)
	for range 1000 {
		th.Fail(start, alice)
	}
	_, wait = th.Allow(start, alice)
	assert.Equal(t, 6*time.Second, wait)
}

func TestAClockThatGoesBackNeitherGrantsNorBlocks(t *testing.T) {
	const burst, fill = 5, 5 * time.Second
	for _, back := range []time.Duration{time.Nanosecond, time.Second, fill, fill + 1, time.Hour, 1000 * time.Hour} {
		th := New(Options{Burst: burst, PerSecond: 1})
		require.Equal(t, burst, attempts(th, start, alice, 100))
		require.Equal(t, burst-1, attempts(th, start, bob, burst-1))

		now := start.Add(-back)
		require.Zero(t, attempts(th, now, alice, 100), "granted after %v", back)
		ok, _ := th.Allow(now, bob)
		require.True(t, ok, "blocked after %v", back)
		_, wait := th.Allow(now, alice)
		require.LessOrEqual(t, wait, fill+time.Second, "after %v", back)
		ok, _ = th.Allow(now.Add(wait), alice)
		require.True(t, ok)
	}
}

func TestReorderedTimesEarnNothingTwice(t *testing.T) {
	th := New(Options{Burst: 1, PerSecond: 1})
	total := 0
	for i := range 1000 { // ten seconds in all, with times that jump to and fro
		now := start.Add(time.Duration(i/2) * 20 * time.Millisecond)
		if i%2 == 1 {
			now = now.Add(-time.Second)
		}
		total += attempts(th, now, alice, 10)
	}
	assert.LessOrEqual(t, total, 11)
	assert.GreaterOrEqual(t, total, 9)
}

func TestFailuresNeverExceedTheBucketAndWaitIsTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		burst := rapid.IntRange(1, 10).Draw(t, "burst")
		perSecond := rapid.Float64Range(0.01, 1000).Draw(t, "perSecond")
		th := New(Options{Burst: burst, PerSecond: perSecond})
		rate := newRate(burst, perSecond)
		addrs := []netip.Addr{alice, bob, netip.IPv6Loopback(), {}}
		failures := map[netip.Addr][]time.Time{}
		now := start
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 3*rate.interval).Draw(t, "pause")))
			addr := rapid.SampledFrom(addrs).Draw(t, "addr")
			if ok, wait := th.Allow(now, addr); !ok {
				if rapid.Bool().Draw(t, "wait") {
					checkWait(t, th, now, addr, wait)
					now = now.Add(wait)
				}
				continue
			}
			th.Fail(now, addr)
			failures[addr] = append(failures[addr], now)
			checkWindows(t, failures[addr], rate)
		}
	})
}

func checkWait(t *rapid.T, th *Throttle, now time.Time, addr netip.Addr, wait time.Duration) {
	if wait <= 0 {
		t.Fatalf("refused with wait %v", wait)
	}
	if ok, left := th.Allow(now.Add(wait-1), addr); ok || left != 1 {
		t.Fatalf("allowed before the wait of %v is over", wait)
	}
	if ok, _ := th.Allow(now.Add(wait), addr); !ok {
		t.Fatalf("refused after waiting %v", wait)
	}
}

// checkWindows looks at the windows that end with the last failure.
func checkWindows(t *rapid.T, failures []time.Time, r rate) {
	last := failures[len(failures)-1]
	for i, first := range failures {
		allowed := (r.capacity + int64(last.Sub(first))) / r.interval
		if got := int64(len(failures) - i); got > allowed {
			t.Fatalf("%d failures within %v, want at most %d", got, last.Sub(first), allowed)
		}
	}
}

func TestAFloodOfAddressesIsBoundedAsDocumented(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Options{
			Burst:        rapid.IntRange(1, 5).Draw(t, "burst"),
			PerSecond:    rapid.Float64Range(0.1, 10).Draw(t, "perSecond"),
			MaxAddresses: rapid.IntRange(1, 64).Draw(t, "max"),
		}
		th := New(o)
		total := 0
		var elapsed time.Duration
		for range rapid.IntRange(1, 5).Draw(t, "waves") {
			pause := time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "pause"))
			elapsed += pause
			for range rapid.IntRange(1, 300).Draw(t, "addresses") {
				addr := nth(rapid.Uint32Range(0, 1000).Draw(t, "addr"))
				total += attempts(th, start.Add(elapsed), addr, 8)
			}
		}
		slots := float64(o.MaxAddresses + max(o.MaxAddresses/16, 16))
		if most := slots * (float64(o.Burst) + o.PerSecond*elapsed.Seconds()); float64(total) > most {
			t.Fatalf("%d failures in %v, want at most %v", total, elapsed, most)
		}
		if th.Len() > o.MaxAddresses {
			t.Fatalf("%d addresses tracked, want at most %d", th.Len(), o.MaxAddresses)
		}
	})
}

func nth(i uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, i)))
}

func TestAFloodDoesNotFreeTheThrottled(t *testing.T) {
	th := New(Options{Burst: 5, PerSecond: 1, MaxAddresses: 16})
	require.Equal(t, 5, attempts(th, start, alice, 100))
	for i := range uint32(10_000) {
		attempts(th, start, nth(i), 1)
	}
	ok, _ := th.Allow(start, alice)
	assert.False(t, ok)
}

func TestNewcomersWaitTrulyWhileAFloodFillsTheTable(t *testing.T) {
	th := New(Options{Burst: 5, PerSecond: 1, MaxAddresses: 16})
	for i := range uint32(10_000) {
		attempts(th, start, nth(i), 5)
	}
	ok, wait := th.Allow(start, alice)
	require.False(t, ok)
	assert.LessOrEqual(t, wait, time.Second)
	ok, _ = th.Allow(start.Add(wait), alice)
	assert.True(t, ok)
}

func TestPlacesAreTakenOverWhenBucketsAreFullAgain(t *testing.T) {
	th := New(Options{Burst: 5, PerSecond: 1, MaxAddresses: 1})
	require.Equal(t, 1, attempts(th, start, alice, 1))
	require.Equal(t, 5, attempts(th, start, bob, 100), "from the shared allowance, which is empty now")
	ok, _ := th.Allow(start, nth(1))
	require.False(t, ok)

	now := start.Add(time.Second)
	assert.Equal(t, 5, attempts(th, now, bob, 100), "in the place of alice")
	assert.Equal(t, 1, attempts(th, now, alice, 100), "from the shared allowance")
	assert.Equal(t, 1, th.Len())
}

func TestTheAddressThatFailedLeastRecentlyGivesItsPlaceUp(t *testing.T) {
	s := newShard(2, newRate(5, 1))
	a, b, c := sourceOf(alice), sourceOf(bob), sourceOf(nth(1))
	second := int64(time.Second)
	s.fail(0, a)
	s.fail(0, b)
	s.fail(second, a)
	s.fail(second, c)
	assert.Equal(t, []source{a, c}, s.tracked.Keys())
}

func TestMemoryStaysBoundedWithAMillionAddresses(t *testing.T) {
	const most = 20_000
	before := heap()
	th := New(Options{MaxAddresses: most})
	for i := range uint32(1_000_000) {
		th.Fail(start.Add(time.Duration(i)*time.Millisecond), nth(i))
	}
	grown := heap() - before
	assert.LessOrEqual(t, th.Len(), most)
	assert.GreaterOrEqual(t, th.Len(), most*9/10)
	perAddress := float64(grown) / float64(th.Len())
	t.Logf("%.0f bytes per address", perAddress)
	assert.Less(t, perAddress, 220.0, "doc.go says about 200")
	runtime.KeepAlive(th)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestConcurrentFailuresAreAllCharged(t *testing.T) {
	th := New(Options{Burst: 1000, PerSecond: 1e-6, MaxAddresses: 100})
	var failed atomic.Int64
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 1000 {
				now := start.Add(-time.Duration(g) * time.Millisecond)
				th.Fail(now, nth(uint32(i)))
				if ok, _ := th.Allow(now, alice); ok {
					th.Fail(now, alice)
					failed.Add(1)
				}
				th.Len()
			}
		})
	}
	wg.Wait()
	ok, _ := th.Allow(start, alice)
	assert.False(t, ok)
	assert.GreaterOrEqual(t, failed.Load(), int64(1000))
	assert.Less(t, failed.Load(), int64(1000+8), "at most one failure under way per goroutine")
}

func TestAllowDoesNotAllocate(t *testing.T) {
	th := New(Options{})
	attempts(th, start, alice, 100)
	for name, addr := range map[string]netip.Addr{"tracked": alice, "untracked": bob, "IPv6": netip.IPv6Loopback(), "invalid": {}} {
		assert.Zero(t, testing.AllocsPerRun(1000, func() { th.Allow(start, addr) }), name)
	}
}

func FuzzTimes(f *testing.F) {
	f.Add(int64(0), int64(0), int64(0))
	f.Add(int64(time.Hour), int64(-time.Hour), int64(time.Second))
	f.Add(int64(math.MaxInt64), int64(math.MinInt64), int64(1))
	f.Fuzz(func(t *testing.T, a, b, c int64) {
		th := New(Options{Burst: 3, PerSecond: 1, MaxAddresses: 1})
		now := start
		for _, d := range []int64{a, b, c} {
			now = now.Add(time.Duration(d))
			require.LessOrEqual(t, attempts(th, now, alice, 100), 3)
			require.LessOrEqual(t, attempts(th, now, bob, 100), 3)
			for _, addr := range []netip.Addr{alice, bob} {
				ok, wait := th.Allow(now, addr)
				require.Equal(t, ok, wait <= 0)
				require.LessOrEqual(t, wait, 10*time.Second)
			}
		}
	})
}

func BenchmarkThrottle(b *testing.B) {
	th := New(Options{})
	attempts(th, start, alice, 100)
	b.Run("Allow untracked", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			th.Allow(start, bob)
		}
	})
	b.Run("Allow tracked", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			th.Allow(start, alice)
		}
	})
	b.Run("Allow parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				th.Allow(start, alice)
			}
		})
	})
	b.Run("Fail flood", func(b *testing.B) {
		b.ReportAllocs()
		i := uint32(0)
		for b.Loop() {
			i++
			th.Fail(start.Add(time.Duration(i)*time.Millisecond), nth(i))
		}
	})
}
