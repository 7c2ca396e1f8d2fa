package accesslog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/kv"
	"github.com/otlpgate/otlpgate/internal/kv/kvtest"
	"github.com/otlpgate/otlpgate/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// epoch lies ahead, so that nothing expires.
var epoch = time.Date(2126, 11, 24, 10, 0, 30, 0, time.UTC)

type fixture struct {
	*Log
	store *failing
	tally *access.Tally
	now   time.Time
}

// failing is a store that can fail in the middle of a write.
type failing struct {
	kv.Store
	fail    bool
	largest int // value that was written
}

var errDisk = errors.New("disk on fire")

func (f *failing) Write(ctx context.Context, groups [][]kv.Entry) (int, error) {
	for _, group := range groups {
		for _, e := range group {
			f.largest = max(f.largest, len(e.Value))
		}
	}
	if !f.fail || len(groups) == 0 {
		return f.Store.Write(ctx, groups)
	}
	written, err := f.Store.Write(ctx, groups[:rand.IntN(len(groups))])
	return written, errors.Join(err, errDisk)
}

func newFixture(detail access.Detail) *fixture {
	f := &fixture{store: &failing{Store: kvtest.NewMemory()}, tally: access.NewTally(detail), now: epoch}
	f.open()
	return f
}

// open begins a log over what the one before has kept, as after a restart.
func (f *fixture) open() {
	f.Log = New(Options{
		Store: f.store, Retention: 30 * 24 * time.Hour, Now: func() time.Time { return f.now },
		Redact: func(text string) string { return strings.ReplaceAll(text, "px_live_secret", "[redacted]") },
	})
}

func (f *fixture) record(n int, edit ...func(*access.Request)) {
	for range n {
		r := access.Request{
			Group: access.Group{
				KeyID: "key_a", KeyType: identity.UserKey, Secret: [8]byte{1}, Endpoint: "traces", Transport: access.GRPC,
				Outcome: access.Accepted, Status: 200, Address: netip.MustParseAddr("192.0.2.1"),
			},
			Volume: access.Volume{Items: 100, Bytes: 5000, Duration: 2 * time.Millisecond},
			At:     f.now, UserAgent: "test/1", Country: "DE",
		}
		for _, e := range edit {
			e(&r)
		}
		f.tally.Record(&r)
	}
}

func refused(r *access.Request) {
	r.Outcome, r.Reason, r.Status, r.Items = access.Refused, "rate_limited", 429, 0
}

func key(id string) func(*access.Request) { return func(r *access.Request) { r.KeyID = id } }

func stranger(r *access.Request) {
	refused(r)
	r.KeyID, r.KeyType, r.Secret, r.Hint, r.Reason = "", "", [8]byte{}, "px_live_1234…abcd", "unknown_key"
}

func (f *fixture) collect() {
	taken := f.tally.Take()
	for i := range taken.Counts {
		taken.Counts[i].Country = "DE"
	}
	f.Add(&taken)
}

func (f *fixture) flush(t *testing.T) {
	t.Helper()
	f.collect()
	require.NoError(t, f.Flush(t.Context()))
}

// all lists what matches, in pages of a size, and checks that pages join.
func (f *fixture) all(t *testing.T, filter Filter, size int) []Entry {
	t.Helper()
	return f.from(t, filter, store.Page{Limit: size})
}

// from is all with more to say about the pages.
func (f *fixture) from(t *testing.T, filter Filter, p store.Page) []Entry {
	t.Helper()
	var entries []Entry
	seen := map[string]bool{}
	for {
		page, err := f.List(t.Context(), filter, p)
		require.NoError(t, err)
		assert.LessOrEqual(t, len(page.Entries), p.Limit)
		for _, e := range page.Entries {
			assert.False(t, seen[e.ID], "twice")
			seen[e.ID] = true
		}
		entries = append(entries, page.Entries...)
		if p.Cursor = page.Next; p.Cursor == "" {
			break
		}
	}
	assert.True(t, slices.IsSortedFunc(entries, func(a, b Entry) int { return b.Time.Compare(a.Time) }), "newest first")
	return entries
}

func requests(entries []Entry) (n int64) {
	for i := range entries {
		n += entries[i].Requests
	}
	return n
}

func TestRefusalsHaveLinesAndTheRestIsCountedByKeyEndpointAddressAndMinute(t *testing.T) {
	f := newFixture(access.Denied)
	f.record(5)
	f.record(2, refused)
	f.record(1, stranger)
	f.record(3, func(r *access.Request) { r.Address = netip.MustParseAddr("2001:db8::1") })
	f.flush(t)
	f.now = f.now.Add(time.Minute)
	f.record(4)
	f.flush(t)

	got := f.all(t, Filter{}, 100)
	require.Len(t, got, 6)
	assert.Equal(t, []int64{4, 1, 1, 1}, []int64{got[0].Requests, got[1].Requests, got[2].Requests, got[3].Requests})
	newest := got[0]
	assert.True(t, newest.Counted)
	assert.Equal(t, epoch.Add(time.Minute).Truncate(time.Minute), newest.Time)
	assert.Equal(t, access.Volume{Requests: 4, Items: 400, Bytes: 20_000, Duration: 8 * time.Millisecond}, newest.Volume)
	assert.Equal(t, access.Group{
		Minute: epoch.Add(time.Minute).Unix() / 60, KeyID: "key_a", KeyType: identity.UserKey, Secret: [8]byte{1}, Endpoint: "traces",
		Transport: access.GRPC, Outcome: access.Accepted, Status: 200, Address: netip.MustParseAddr("192.0.2.1"),
	}, newest.Group)
	assert.Equal(t, "test/1", newest.UserAgent)
	assert.Equal(t, "DE", newest.Country)

	lines := f.all(t, Filter{Type: NoKey}, 100)
	require.Len(t, lines, 1)
	assert.False(t, lines[0].Counted)
	assert.Equal(t, epoch, lines[0].Time)
	assert.Equal(t, "px_live_1234…abcd", lines[0].Hint)
	assert.Empty(t, lines[0].KeyID)
}

func TestTheDetailDecidesWhatHasALine(t *testing.T) {
	for detail, want := range map[access.Detail]struct{ lines, counts int }{access.All: {7, 0}, access.Denied: {2, 1}, access.None: {0, 2}} {
		f := newFixture(detail)
		f.record(5)
		f.record(2, refused)
		f.flush(t)
		got := f.all(t, Filter{}, 100)
		counts := 0
		for _, e := range got {
			if e.Counted {
				counts++
			}
		}
		assert.Equal(t, want.counts, counts, detail)
		assert.Len(t, got, want.counts+want.lines, detail)
		assert.EqualValues(t, 7, requests(got), detail)
	}
}

func TestCountsGrowWhileTheirMinuteLastsAndAreOneEntry(t *testing.T) {
	f := newFixture(access.Denied)
	f.now = epoch.Truncate(time.Minute)
	var id string
	for i := range 6 {
		f.record(10)
		f.flush(t)
		got := f.all(t, Filter{}, 10)
		require.Len(t, got, 1)
		assert.EqualValues(t, 10*(i+1), got[0].Requests)
		if id != "" {
			assert.Equal(t, id, got[0].ID, "it stays the same entry")
		}
		id = got[0].ID
		f.now = f.now.Add(9 * time.Second)
	}
}

func TestARestartLosesNothingThatWasFlushedAndCountsNothingTwice(t *testing.T) {
	f := newFixture(access.Denied)
	f.record(10)
	f.record(3, refused)
	f.flush(t)
	f.record(100)
	f.collect() // and never flushed
	f.now = f.now.Add(time.Microsecond)
	f.open()
	f.record(5)
	f.record(2, refused)
	f.flush(t)
	assert.EqualValues(t, 20, requests(f.all(t, Filter{}, 100)))
}

func TestWhatCouldNotBeWrittenIsWrittenLaterAndNothingTwice(t *testing.T) {
	f := newFixture(access.Denied)
	const rounds, keys = 20, 40
	for round := range rounds {
		f.store.fail = round%4 != 3
		for k := range keys {
			f.record(2, key(fmt.Sprintf("key_%d", k)))
			f.record(1, refused, key(fmt.Sprintf("key_%d", k)))
		}
		f.collect()
		assert.Equal(t, f.store.fail, errors.Is(f.Flush(t.Context()), errDisk))
		f.now = f.now.Add(25 * time.Second)
	}
	got := f.all(t, Filter{}, 500)
	assert.EqualValues(t, 3*rounds*keys, requests(got))
	assert.Zero(t, f.Dropped())
	assert.Empty(t, f.lines)
}

func TestWhatWaitsForABlockedStoreIsBoundedAndTheRestIsCounted(t *testing.T) {
	f := newFixture(access.Denied)
	f.store.fail = true
	recorded := 0
	for round := range 8 {
		for i := range 12_000 {
			f.record(1, refused, key(fmt.Sprintf("key_%d_%d", round, i)))
		}
		recorded += 12_000
		f.collect()
		f.now = f.now.Add(time.Minute)
	}
	require.Error(t, f.Flush(t.Context()))
	assert.Positive(t, f.Dropped())
	assert.LessOrEqual(t, len(f.lines), maxPendingLines)
	assert.LessOrEqual(t, f.rows, maxPendingRows)
	f.store.fail = false
	f.flush(t)
	s := search{size: recorded, patience: patience} // pages would unpack each minute again and again
	require.NoError(t, f.store.Walk(t.Context(), s.bounds(), s.visit))
	s.endMinute()
	assert.EqualValues(t, recorded, requests(s.entries), "what has no line is counted")
}

func TestFiltersSelectAndPagesJoin(t *testing.T) {
	f := newFixture(access.Denied)
	for i := range 200 {
		f.record(1, refused, key(fmt.Sprintf("key_%d", i%7)))
		f.record(1, key(fmt.Sprintf("key_%d", i%7)), func(r *access.Request) { r.KeyType = identity.SystemKey })
		f.record(1, stranger)
		f.record(1, key("key_0"), func(r *access.Request) { r.Endpoint, r.Outcome = "logs", access.Failed })
		f.now = f.now.Add(7 * time.Second)
		if i%3 == 0 {
			f.flush(t)
		}
	}
	f.flush(t)
	everything := f.all(t, Filter{}, 500)
	assert.EqualValues(t, 800, requests(everything))
	middle := epoch.Add(10 * time.Minute)
	for name, filter := range map[string]Filter{
		"all":      {},
		"key":      {KeyID: "key_3"},
		"keys":     {Keys: map[string]bool{"key_1": true, "key_2": true}},
		"no keys":  {Keys: map[string]bool{}},
		"strange":  {Type: NoKey},
		"system":   {Type: "system"},
		"user":     {Type: "user"},
		"refused":  {Outcome: access.Refused},
		"failed":   {Outcome: access.Failed},
		"endpoint": {Endpoint: "logs"},
		"from":     {From: middle},
		"to":       {To: middle},
		"between":  {From: middle, To: middle.Add(3 * time.Minute), KeyID: "key_3", Outcome: access.Refused},
		"ahead":    {From: f.now.Add(time.Hour)},
	} {
		var want []string
		for i := range everything {
			if filter.matches(&everything[i]) {
				want = append(want, everything[i].ID)
			}
		}
		for _, size := range []int{1, 3, 50, 500} {
			var got []string
			for _, e := range f.all(t, filter, size) {
				got = append(got, e.ID)
			}
			assert.Equal(t, want, got, "%s in pages of %d", name, size)
			for _, scan := range []int{1, 40, 1000} {
				got = nil
				for _, e := range f.from(t, filter, store.Page{Limit: size, Scan: scan}) {
					got = append(got, e.ID)
				}
				assert.Equal(t, want, got, "%s in pages of %d that look at %d", name, size, scan)
			}
		}
	}
	between := f.all(t, Filter{From: middle, To: middle.Add(3 * time.Minute), Outcome: access.Refused}, 10)
	require.NotEmpty(t, between)
	for _, e := range between {
		assert.False(t, e.Time.Before(middle))
		assert.True(t, e.Time.Before(middle.Add(3*time.Minute)))
	}
}

func TestACursorIsOfItsFilterAlone(t *testing.T) {
	f := newFixture(access.All)
	f.record(10)
	f.flush(t)
	page, err := f.List(t.Context(), Filter{}, store.Page{Limit: 2})
	require.NoError(t, err)
	_, err = f.List(t.Context(), Filter{KeyID: "key_a"}, store.Page{Cursor: page.Next})
	require.ErrorIs(t, err, store.ErrBadCursor)
	_, err = f.List(t.Context(), Filter{}, store.Page{Cursor: "garbage"})
	assert.ErrorIs(t, err, store.ErrBadCursor)
}

func TestALongSearchGivesUpAndGoesOnWithItsCursor(t *testing.T) {
	f := newFixture(access.None)
	// Minutes of another key, each a block to pass over.
	const minutes = 2 * patience / (1 + unpackCost)
	groups := make([][]kv.Entry, 0, minutes+1)
	other := "key_0"
	for n := 1; shardOf(other) != shardOf("key_a"); n++ {
		other = fmt.Sprintf("key_%d", n)
	}
	r := access.Request{Group: access.Group{KeyID: other}, Volume: access.Volume{Requests: 1}}
	value := encodeBlock(true, 1, func(int) record { return record{group: &r.Group, volume: &r.Volume} })
	for i := range minutes {
		at := place{epoch.Unix()/60 + int64(i), shardOf(other)}
		groups = append(groups, []kv.Entry{f.entry(at, 1, 0, value)})
	}
	wanted := access.Request{Group: access.Group{KeyID: "key_a"}, Volume: access.Volume{Requests: 1}}
	groups = append(groups, []kv.Entry{f.entry(place{epoch.Unix()/60 - 1, shardOf("key_a")}, 1, 0,
		encodeBlock(true, 1, func(int) record { return record{group: &wanted.Group, volume: &wanted.Volume} }))})
	_, err := f.store.Write(t.Context(), groups)
	require.NoError(t, err)
	page, err := f.List(t.Context(), Filter{KeyID: "key_a"}, store.Page{})
	require.NoError(t, err)
	assert.Empty(t, page.Entries)
	assert.NotEmpty(t, page.Next, "there is more to look at")
	assert.Len(t, f.all(t, Filter{KeyID: "key_a"}, 10), 1)
}

func TestAPageLooksNoFurtherThanItIsAskedTo(t *testing.T) {
	f := newFixture(access.Denied)
	for range 10 {
		f.record(1)
		f.flush(t)
		f.now = f.now.Add(time.Minute)
	}
	page, err := f.List(t.Context(), Filter{}, store.Page{Scan: 1})
	require.NoError(t, err)
	assert.Len(t, page.Entries, 1, "a minute at least")
	assert.NotEmpty(t, page.Next)
	page, err = f.List(t.Context(), Filter{Endpoint: "logs"}, store.Page{Scan: 3 * unpackCost})
	require.NoError(t, err)
	assert.Empty(t, page.Entries)
	assert.NotEmpty(t, page.Next)
	page, err = f.List(t.Context(), Filter{}, store.Page{Scan: 3 * unpackCost})
	require.NoError(t, err)
	assert.Len(t, page.Entries, 3)
}

func TestBlocksFitHoweverLittleIsAlike(t *testing.T) {
	f := newFixture(access.Denied)
	random := func(n int) string {
		text := make([]byte, n)
		for i := range text {
			text[i] = byte(' ' + rand.IntN(95))
		}
		return string(text)
	}
	const requests = 3000
	for range requests {
		f.record(1, refused, func(r *access.Request) { r.UserAgent, r.Reason = random(maxUserAgent), random(30) })
		f.record(1, func(r *access.Request) { r.UserAgent, r.Endpoint = random(maxUserAgent), random(200) })
	}
	f.store.largest = 0
	f.flush(t)
	assert.LessOrEqual(t, f.store.largest, kv.MaxValue)
	assert.Len(t, f.all(t, Filter{}, 500), 2*requests)
}

func TestWhatClientsSendIsKeptClean(t *testing.T) {
	f := newFixture(access.All)
	f.record(1, func(r *access.Request) { r.UserAgent = "bad\xff " + strings.Repeat("ü", 500) })
	f.record(1, func(r *access.Request) { r.UserAgent = "key px_live_secret" })
	f.flush(t)
	for _, e := range f.all(t, Filter{}, 10) {
		assert.LessOrEqual(t, len(e.UserAgent), maxUserAgent)
		assert.NotContains(t, e.UserAgent, "secret")
		assert.NotContains(t, e.UserAgent, "\xff")
	}
}

func TestEntriesAreForgottenAfterTheirRetention(t *testing.T) {
	f := newFixture(access.Denied)
	at := place{minute: epoch.Unix() / 60}
	e := f.entry(at, 1, 0, []byte("x"))
	assert.Equal(t, epoch.Truncate(time.Minute).Add(time.Minute+30*24*time.Hour), e.ExpiresAt)
}

func TestADamagedBlockCostsNoMoreThanItself(t *testing.T) {
	f := newFixture(access.Denied)
	f.record(3)
	f.flush(t)
	_, err := f.store.Write(t.Context(), [][]kv.Entry{{f.entry(place{minute: epoch.Unix() / 60}, 99, 0, []byte("garbage"))}})
	require.NoError(t, err)
	assert.EqualValues(t, 3, requests(f.all(t, Filter{}, 10)))
}
