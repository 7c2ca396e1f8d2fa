package limittest

import (
	"sort"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otlpgate/otlpgate/internal/limit"
)

var strictTests = map[string]func(*testing.T, limit.Counter){
	"never over in any interval": func(t *testing.T, c limit.Counter) {
		rapid.Check(t, func(t *rapid.T) { newGame(t, c, 0).play(t, regularClock) })
	},
	"never over in any interval, whatever the clock does": func(t *testing.T, c limit.Counter) {
		rapid.Check(t, func(t *rapid.T) { newGame(t, c, 0).play(t, anyClock) })
	},
	"never over in any interval, with slots": func(t *testing.T, c limit.Counter) {
		rapid.Check(t, func(t *rapid.T) {
			newGame(t, c, rapid.IntRange(1, 3).Draw(t, "concurrency")).play(t, anyClock)
		})
	},
	// Sub-windows that covered the window only just would fail here: something
	// spent late in one of them would leave with what was spent early.
	"nothing leaves before its window is over": func(t *testing.T, c limit.Counter) {
		for _, window := range []time.Duration{time.Second, time.Second + 1, time.Minute, time.Hour, 31 * 24 * time.Hour} {
			p := policy(requestsIn(2, window))
			for i := range 240 {
				a := newAsker(t, c)
				a.wait(window / 240 * time.Duration(i))
				a.spend(p, requests(1))
				a.wait(window)
				require.Equal(t, []int64{1}, a.used(p), "window %v, from %v", window, a.now.Add(-window))
				a.spend(p, requests(1))
				a.refused(p, requests(1))
			}
		}
	},
	// What is counted together leaves together; the last of it is what the time
	// to leave must be right for, to the nanosecond.
	"the last of what leaves together has its whole window": func(t *testing.T, c limit.Counter) {
		for _, window := range []time.Duration{time.Second, time.Second + 1, time.Minute + 59, 31 * 24 * time.Hour} {
			p := policy(requestsIn(2, window))
			leaves := func(after int) time.Time {
				a := newAsker(t, c)
				a.wait(time.Duration(after))
				a.spend(p, requests(1))
				return a.state(p).Quotas[0].ResetAt
			}
			first := leaves(0)
			last := sort.Search(int(window/10), func(n int) bool { return leaves(n).After(first) }) - 1
			require.Greater(t, first.Sub(epoch.Add(time.Duration(last))), window)
		}
	},
	"time that goes back stands still": func(t *testing.T, c limit.Counter) {
		p := policy(requestsIn(3, time.Minute))
		a := newAsker(t, c)
		a.spendAll(p, requests, 2)
		a.wait(-time.Hour)
		a.spend(p, requests(1))
		a.refused(p, requests(1))
		a.wait(-24 * time.Hour)
		a.refused(p, requests(1))
		require.Equal(t, []int64{3}, a.used(p))
		a.now = epoch.Add(time.Minute)
		a.refused(p, requests(1))
		a.wait(2 * time.Second)
		a.spendAll(p, requests, 3)
	},
	"a clock that goes back and forth makes no room": func(t *testing.T, c limit.Counter) {
		p := policy(requestsIn(5, time.Minute))
		a := newAsker(t, c)
		a.spendAll(p, requests, 5)
		for range 20 {
			a.wait(-50 * time.Second)
			a.refused(p, requests(1))
			a.wait(50 * time.Second)
			a.refused(p, requests(1))
		}
	},
	"strict before 1970": func(t *testing.T, c limit.Counter) {
		p := policy(requestsIn(3, time.Minute))
		a := newAsker(t, c)
		for _, a.now = range []time.Time{time.Unix(-200, 0), time.Unix(-61, 500), time.Unix(1, 0), time.Unix(62, 0)} {
			a.wait(2 * time.Second)
			a.spendAll(p, requests, 3)
			a.refused(p, requests(1))
			a.wait(59 * time.Second)
			a.refused(p, requests(1))
		}
	},
}

// clock says whether time may go back.
type clock bool

const (
	regularClock clock = false
	anyClock     clock = true
)

// game does random things to a key, and has the ledger judge the answers.
type game struct {
	*asker
	ledger
	limits   []limit.Limit // those that there are
	policy   *limit.Policy // those that apply now
	slots    int
	held     int
	backward bool // the clock has gone back
	receipts []*bill
}

// bill is a receipt and what it is for.
type bill struct {
	receipt *limit.Receipt
	entry   *entry
	done    bool // refunded or forgotten
}

func newGame(t *rapid.T, c limit.Counter, slots int) *game {
	g := &game{asker: newAsker(t, c), limits: drawLimits(t), slots: slots}
	g.now = rapid.SampledFrom([]time.Time{epoch, epoch.Truncate(24 * time.Hour), time.Unix(0, 0)}).Draw(t, "start")
	g.apply(g.limits)
	g.reads(g.now)
	return g
}

func (g *game) apply(limits []limit.Limit) {
	g.policy = limit.NewPolicy(limit.Plan{Limits: limits, Concurrency: g.slots})
}

func (g *game) play(t *rapid.T, c clock) {
	actions := map[string]func(*rapid.T){
		"ask": g.askNow, "ask later": g.askLater, "ask much": g.askMuch, "refund": g.refundOne,
		"refund again": g.refundAgain, "forget": g.forgetOne, "change policy": g.changePolicy,
		"": func(*rapid.T) { g.checkState() },
	}
	if c == anyClock {
		actions["ask earlier"] = g.askEarlier
	}
	if g.slots > 0 {
		actions["release"] = g.releaseOne
	}
	t.Repeat(actions)
}

func (g *game) askNow(t *rapid.T) {
	cost := drawCost(t, g.limits)
	cost.Slot = rapid.Bool().Draw(t, "slot")
	d := g.askFor(cost)
	if d.Verdict == limit.OverLimit && rapid.Bool().Draw(t, "wait") {
		g.waitOut(cost, d)
	}
}

// askMuch asks for the same at once until it is refused, for a while.
func (g *game) askMuch(t *rapid.T) {
	cost := drawCost(t, g.limits)
	for range 10 {
		if d := g.askFor(cost); d.Verdict != limit.Admitted {
			return
		}
	}
}

func (g *game) askLater(t *rapid.T) {
	window := time.Duration(rapid.SampledFrom(g.limits).Draw(t, "of").Window)
	since := time.Duration(0)
	if n := len(g.entries); n > 0 {
		since = g.now.Sub(g.entries[rapid.IntRange(0, n-1).Draw(t, "since")].at)
	}
	g.wait(drawStep(t, window, since))
	g.askNow(t)
}

func (g *game) askEarlier(t *rapid.T) {
	window := int64(rapid.SampledFrom(g.limits).Draw(t, "of").Window)
	back := rapid.OneOf(rapid.Int64Range(1, window/60), rapid.Int64Range(1, window), rapid.Int64Range(1, 50*window)).Draw(t, "back")
	g.wait(-time.Duration(back))
	g.backward = true
	g.askNow(t)
}

// askFor asks and has the answer judged.
func (g *game) askFor(cost limit.Cost) limit.Decision {
	g.Helper()
	g.reads(g.now)
	r := &limit.Receipt{}
	d := g.ask(g.policy, cost, r)
	g.judge(cost, d)
	if d.Verdict == limit.Admitted {
		g.receipts = append(g.receipts, &bill{receipt: r, entry: g.admitted(g.now, g.policy.Limits(), cost)})
		if cost.Slot && g.slots > 0 {
			g.held++
		}
	}
	return d
}

func (g *game) judge(cost limit.Cost, d limit.Decision) {
	g.Helper()
	tooLarge, certain := false, cost.Slot && g.slots > 0 && g.held == g.slots
	for _, l := range g.policy.Limits() {
		n := costOn(cost, l)
		tooLarge = tooLarge || n > l.Max
		certain = certain || n > 0 && g.least(l)+n > l.Max
	}
	require.Equal(g, tooLarge, d.Verdict == limit.TooLarge, "%+v for %+v", d, cost)
	switch d.Verdict {
	case limit.TooLarge:
		require.Greater(g, d.Cost, d.Limit.Max)
		require.Zero(g, d.RetryAfter)
	case limit.OverLimit:
		g.judgeRefusal(cost, d)
	default:
		require.False(g, certain, "admitted %+v though it is over a limit of %+v", cost, g.policy)
	}
}

// judgeRefusal checks that there is a reason for a refusal, and that it ends.
func (g *game) judgeRefusal(cost limit.Cost, d limit.Decision) {
	g.Helper()
	require.Positive(g, d.RetryAfter)
	if d.Limit == (limit.Limit{}) {
		require.Equal(g, g.slots, d.Concurrency)
		require.True(g, cost.Slot && g.held == g.slots, "refused for want of a slot, with %d of %d taken", g.held, g.slots)
		return
	}
	require.Zero(g, d.Concurrency)
	require.Contains(g, g.policy.Limits(), d.Limit)
	require.Equal(g, costOn(cost, d.Limit), d.Cost)
	require.Positive(g, d.Cost)
	require.Greater(g, g.most(g.now, d.Limit)+d.Cost, d.Limit.Max, "refused with room to spare: %+v", d)
	longest := time.Duration(d.Limit.Window) + time.Duration(d.Limit.Window)/slack + g.newest.Sub(g.now)
	require.LessOrEqual(g, d.RetryAfter, longest)
}

// waitOut checks that what was refused passes after RetryAfter, and not before.
func (g *game) waitOut(cost limit.Cost, d limit.Decision) {
	g.Helper()
	if d.Concurrency > 0 || cost.Slot && g.slots > 0 && g.held == g.slots {
		return
	}
	if !g.backward {
		g.wait(d.RetryAfter - 1)
		early := g.askFor(cost)
		require.Equal(g, limit.OverLimit, early.Verdict, "1ns before %+v", d)
		require.Equal(g, time.Duration(1), early.RetryAfter, "1ns before %+v", d)
		g.wait(1)
	} else {
		g.wait(d.RetryAfter)
	}
	require.Equal(g, limit.Admitted, g.askFor(cost).Verdict, "after %+v", d)
}

// open returns a receipt that is still good for something.
func (g *game) open(t *rapid.T, done bool) *bill {
	var some []*bill
	for _, b := range g.receipts {
		if b.done == done {
			some = append(some, b)
		}
	}
	if len(some) == 0 {
		t.Skip("no receipt")
	}
	return rapid.SampledFrom(some).Draw(t, "receipt")
}

func (g *game) refundOne(t *rapid.T) {
	b := g.open(t, false)
	g.refund(b.receipt)
	b.done, b.entry.refunded = true, true
}

func (g *game) refundAgain(t *rapid.T) { g.refund(g.open(t, true).receipt) }

func (g *game) forgetOne(t *rapid.T) {
	b := g.open(t, false)
	b.receipt.Forget()
	b.done = true
}

func (g *game) releaseOne(t *rapid.T) {
	if g.held == 0 {
		t.Skip("no slot is taken")
	}
	g.release()
	g.held--
}

// changePolicy changes a max, and leaves a limit out for a while.
func (g *game) changePolicy(t *rapid.T) {
	i := rapid.IntRange(0, len(g.limits)-1).Draw(t, "limit")
	g.limits[i].Max = maxima.Draw(t, "max")
	if out := rapid.IntRange(-len(g.limits), len(g.limits)-1).Draw(t, "out"); out >= 0 && len(g.limits) > 1 {
		g.apply(append(append([]limit.Limit{}, g.limits[:out]...), g.limits[out+1:]...))
		return
	}
	g.apply(g.limits)
}

// checkState checks that the state tells all that counts, and nothing else.
func (g *game) checkState() {
	g.Helper()
	s := g.state(g.policy)
	for _, q := range s.Quotas {
		require.GreaterOrEqual(g, q.Used, g.least(q.Limit), "of %v", q.Limit)
		require.LessOrEqual(g, q.Used, g.most(g.now, q.Limit), "of %v", q.Limit)
		require.Equal(g, max(q.Max-q.Used, 0), q.Remaining())
	}
	require.Equal(g, g.held, s.UnderWay)
}
