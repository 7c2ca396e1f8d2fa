package insight

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/accesslog"
	"github.com/otlpgate/otlpgate/internal/kv"
	"github.com/otlpgate/otlpgate/internal/kv/kvtest"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/usage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// atlas knows one country, until it is refreshed.
type atlas struct{ refreshed atomic.Bool }

func (a *atlas) Country(netip.Addr) string {
	return map[bool]string{false: "DE", true: "FR"}[a.refreshed.Load()]
}

func (a *atlas) Refresh() error { a.refreshed.Store(true); return nil }

func request(id string, outcome access.Outcome) *access.Request {
	return &access.Request{
		Group:  access.Group{KeyID: id, Endpoint: "traces", Outcome: outcome, Address: netip.MustParseAddr("192.0.2.1")},
		Volume: access.Volume{Items: 3}, Arrived: time.Now().Add(-time.Second), UserAgent: "sender px_live_secret",
	}
}

// read returns the requests of a key.
func read(t *testing.T, b *Books, id string) usage.Bucket {
	t.Helper()
	now := time.Now()
	series, err := b.Read(t.Context(), id, now.Add(-time.Hour), now.Add(time.Hour), usage.Minute)
	require.NoError(t, err)
	return series.Sum()
}

func TestWhoReadsSeesWhatHasJustHappened(t *testing.T) {
	var lines []access.Request
	var told []access.Count
	flushes := 0
	b := New(Options{
		Store: kvtest.NewMemory(), Countries: &atlas{}, Redact: func(string) string { return "clean" },
		Line:    func(r *access.Request) { lines = append(lines, *r) },
		Flushed: func(_ time.Duration, err error) { flushes++; assert.NoError(t, err) },
	})
	b.Listen(func(_ context.Context, counts []access.Count) error { told = append(told, counts...); return nil })
	b.Record(request("a", access.Accepted))
	b.Record(request("a", access.Refused))
	sum := read(t, b, "a")
	total := sum.Total()
	assert.EqualValues(t, 2, total.Requests)
	assert.Equal(t, map[string]*usage.CountryCounts{"DE": {Requests: 2, Errors: 1}}, sum.Countries)
	require.Len(t, lines, 1)
	assert.Equal(t, "clean", lines[0].UserAgent)
	assert.Equal(t, "DE", lines[0].Country)
	assert.GreaterOrEqual(t, lines[0].Duration, time.Second)
	assert.Len(t, told, 2)
	b.Record(request("b", access.Accepted))
	page, err := b.List(t.Context(), accesslog.Filter{}, store.Page{})
	require.NoError(t, err)
	assert.Len(t, page.Entries, 3)
	busy, err := b.Busy(t.Context(), time.Now().Add(-time.Minute), time.Now().Add(time.Minute))
	require.NoError(t, err)
	everything := busy[usage.Everything]
	assert.EqualValues(t, 3, everything.Requests)
	ids, err := b.InUse(t.Context(), time.Now().Add(-time.Minute))
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"a", "b"}, ids)
	assert.Equal(t, 4, flushes)
	assert.Zero(t, b.Dropped())
	require.NoError(t, b.Shutdown(t.Context()))
}

func TestBooksAreKeptByThemselvesAndOverARestart(t *testing.T) {
	memory := kvtest.NewMemory()
	flushed := make(chan struct{}, 100)
	b := New(Options{Store: unclosed{memory}, Flushed: func(time.Duration, error) { flushed <- struct{}{} }})
	b.Start(t.Context(), 10*time.Millisecond)
	b.Record(request("a", access.Accepted))
	<-flushed
	<-flushed // the second began behind the record
	b.Record(request("a", access.Accepted))
	require.NoError(t, b.Shutdown(t.Context()))
	again := New(Options{Store: memory})
	sum := read(t, again, "a")
	total := sum.Total()
	assert.EqualValues(t, 2, total.Requests)
	require.NoError(t, again.Shutdown(t.Context()))
}

// unclosed is a store that outlives its books.
type unclosed struct{ kv.Store }

func (unclosed) Close() error { return nil }

// hanging is a store whose writes do not end until it is released.
type hanging struct {
	kv.Store
	release chan struct{}
}

func (h *hanging) Write(ctx context.Context, groups [][]kv.Entry) (int, error) {
	<-h.release
	return h.Store.Write(ctx, groups)
}

func TestAStoreThatHangsHoldsUpNobodyForLong(t *testing.T) {
	h := &hanging{Store: kvtest.NewMemory(), release: make(chan struct{})}
	core, log := observer.New(zap.WarnLevel)
	b := New(Options{Store: h, Logger: zap.New(core)})
	b.Start(t.Context(), time.Hour)
	b.Record(request("a", access.Accepted))
	for range 20 { // the first hangs, and the others wait for it
		ctx, end := context.WithTimeout(t.Context(), 10*time.Millisecond)
		_, err := b.Read(ctx, "a", time.Now().Add(-time.Hour), time.Now(), usage.Minute)
		end()
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	ctx, end := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer end()
	require.NoError(t, b.Shutdown(ctx))
	assert.Equal(t, 2, log.Len(), "it says what is lost")
	close(h.release)
	require.Eventually(t, func() bool { return h.Sync(context.Background()) != nil }, 10*time.Second, time.Millisecond, "and is closed once it can be")
}

// full is a store that has no room.
type full struct{ kv.Store }

func (full) Write(context.Context, [][]kv.Entry) (int, error) { return 0, errors.New("disk full") }

func TestAFullDiskKeepsNobodyFromReadingUsage(t *testing.T) {
	b := New(Options{Store: full{kvtest.NewMemory()}})
	b.Record(request("a", access.Accepted))
	sum := read(t, b, "a")
	total := sum.Total()
	assert.EqualValues(t, 1, total.Requests)
	ids, err := b.InUse(t.Context(), time.Now().Add(-time.Minute))
	require.NoError(t, err)
	assert.Equal(t, []string{"a"}, ids)
	_, err = b.List(t.Context(), accesslog.Filter{}, store.Page{})
	require.NoError(t, err)
	require.NoError(t, b.Shutdown(t.Context()))
}

func TestErrorsOfAFlushAreToldAndNothingIsLost(t *testing.T) {
	onFire := errors.New("disk on fire")
	fail := true
	b := New(Options{Store: kvtest.NewMemory()})
	b.Listen(func(context.Context, []access.Count) error {
		if fail {
			return onFire
		}
		return nil
	})
	b.Record(request("a", access.Accepted))
	require.ErrorIs(t, b.Flush(t.Context()), onFire)
	fail = false
	sum := read(t, b, "a")
	total := sum.Total()
	assert.EqualValues(t, 1, total.Requests)
	require.NoError(t, b.Shutdown(t.Context()))
}
