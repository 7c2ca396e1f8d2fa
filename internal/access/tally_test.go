package access

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otlpgate/otlpgate/internal/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 11, 24, 10, 0, 30, 0, time.UTC)

func request(edit ...func(*Request)) *Request {
	r := &Request{
		Group: Group{
			KeyID: "key_a", KeyType: identity.UserKey, Endpoint: "traces", Transport: GRPC, Outcome: Accepted,
			Status: 200, Address: netip.MustParseAddr("192.0.2.1"),
		},
		Volume: Volume{Items: 100, Bytes: 5000, Duration: time.Millisecond},
		At:     epoch, UserAgent: "test/1",
	}
	for _, e := range edit {
		e(r)
	}
	return r
}

func refused(r *Request) { r.Outcome, r.Reason, r.Status, r.Items = Refused, "rate_limited", 429, 0 }

func total(counts []Count) (v Volume) {
	for i := range counts {
		v.Add(&counts[i].Volume)
	}
	return v
}

func TestRequestsThatAreAlikeAreCountedTogether(t *testing.T) {
	tally := NewTally(None)
	for range 1000 {
		tally.Record(request())
	}
	tally.Record(request(refused))
	tally.Record(request(func(r *Request) { r.At = epoch.Add(time.Minute) }))
	taken := tally.Take()
	require.Len(t, taken.Counts, 3)
	assert.Empty(t, taken.Lines)
	for _, c := range taken.Counts {
		if c.Outcome == Accepted && c.Minute == epoch.Unix()/60 {
			assert.Equal(t, Volume{Requests: 1000, Items: 100_000, Bytes: 5_000_000, Duration: time.Second}, c.Volume)
			assert.Equal(t, "test/1", c.UserAgent)
		} else {
			assert.Equal(t, int64(1), c.Requests)
		}
	}
	assert.Empty(t, tally.Take().Counts, "what was taken is forgotten")
}

func TestTheDetailSaysWhoGetsALine(t *testing.T) {
	for detail, want := range map[Detail]int{Denied: 1, All: 2, None: 0} {
		tally := NewTally(detail)
		tally.Record(request())
		tally.Record(request(refused))
		taken := tally.Take()
		assert.Len(t, taken.Lines, want, detail)
		var logged int64
		for _, c := range taken.Counts {
			logged += c.Logged.Requests
		}
		assert.EqualValues(t, want, logged, "a count knows which of its requests have a line")
	}
	assert.ErrorContains(t, Detail("some").Validate(), `"some"`)
	assert.NoError(t, Denied.Validate())
}

func TestNothingIsLostBetweenRecordAndTake(t *testing.T) {
	tally := NewTally(All)
	const workers, each = 8, 5000
	var recording sync.WaitGroup
	for w := range workers {
		recording.Go(func() {
			for i := range each {
				tally.Record(request(func(r *Request) { r.KeyID = fmt.Sprintf("key_%d", (w+i)%50) }))
			}
		})
	}
	var counts []Count
	lines := 0
	for range 100 {
		taken := tally.Take()
		counts, lines = append(counts, taken.Counts...), lines+len(taken.Lines)
	}
	recording.Wait()
	taken := tally.Take()
	counts, lines = append(counts, taken.Counts...), lines+len(taken.Lines)
	assert.Equal(t, int64(workers*each), total(counts).Requests)
	var logged int64
	for _, c := range counts {
		logged += c.Logged.Requests
	}
	assert.EqualValues(t, lines, logged)
	assert.EqualValues(t, workers*each-lines, tally.Dropped())
}

func TestLinesAreBoundedAndThoseWithoutRoomAreCounted(t *testing.T) {
	tally := NewTally(Denied)
	const flood = 200_000
	for i := range flood {
		tally.Record(request(refused, func(r *Request) { r.Reason = strconv.Itoa(i % 100) }))
	}
	taken := tally.Take()
	assert.LessOrEqual(t, len(taken.Lines), maxLines)
	assert.Greater(t, len(taken.Lines), maxLines/2)
	assert.EqualValues(t, flood-len(taken.Lines), tally.Dropped())
	assert.EqualValues(t, flood, total(taken.Counts).Requests, "all are counted")
}

func TestAFloodLeavesRoomForTheLinesOfOthers(t *testing.T) {
	tally := NewTally(Denied)
	for range 10 * maxLines {
		tally.Record(request(refused))
	}
	for range 10 {
		tally.Record(request(refused, func(r *Request) { r.KeyID = "key_other" }))
	}
	others := 0
	for _, l := range tally.Take().Lines {
		if l.KeyID == "key_other" {
			others++
		}
	}
	assert.Equal(t, 10, others)
}

func TestStrangersLeaveRoomForTheLinesOfKeys(t *testing.T) {
	tally := NewTally(Denied)
	for i := range 4 * maxLines {
		tally.Record(request(refused, func(r *Request) {
			r.KeyID, r.Address = "", netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		}))
	}
	for range 10 {
		tally.Record(request(refused))
	}
	lines := tally.Take().Lines
	assert.LessOrEqual(t, len(lines), maxStrangers+10)
	known := 0
	for _, l := range lines {
		if l.KeyID != "" {
			known++
		}
	}
	assert.Equal(t, 10, known)
}

func TestGroupsAreBoundedAndTotalsStayExact(t *testing.T) {
	tally := NewTally(None)
	const strangers, addresses = 3 * maxStrangers, 2 * maxGroups
	for i := range strangers {
		tally.Record(request(refused, func(r *Request) { r.KeyID, r.Hint = "", fmt.Sprintf("px_live_%d", i) }))
	}
	for i := range addresses {
		tally.Record(request(func(r *Request) {
			r.Address = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		}))
	}
	taken := tally.Take()
	assert.Less(t, len(taken.Counts), maxGroups+maxStrangers)
	var known, unknown int64
	for _, c := range taken.Counts {
		if c.KeyID == "" {
			unknown += c.Requests
		} else {
			known += c.Requests
		}
	}
	assert.EqualValues(t, strangers, unknown)
	assert.EqualValues(t, addresses, known)
}

func TestLongUserAgentsAreCut(t *testing.T) {
	tally := NewTally(All)
	tally.Record(request(func(r *Request) { r.UserAgent = strings.Repeat("x", 1<<20) }))
	taken := tally.Take()
	assert.Len(t, taken.Counts[0].UserAgent, maxUserAgent)
	assert.Len(t, taken.Lines[0].UserAgent, maxUserAgent)
}

func TestRecordDoesNotAllocateForGroupsThatItKnows(t *testing.T) {
	tally := NewTally(Denied)
	r := request()
	for range 10_000 { // in every stripe
		tally.Record(r)
	}
	assert.Zero(t, testing.AllocsPerRun(1000, func() { tally.Record(r) }))
}

func BenchmarkRecord(b *testing.B) {
	tally := NewTally(Denied)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r := request()
		for pb.Next() {
			tally.Record(r)
		}
	})
}
