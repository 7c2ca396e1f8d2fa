package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/client"
	"github.com/otlpgate/otlpgate/internal/credential"
)

// fakeLog is an access log as the admin API serves it, with a clock of its own.
type fakeLog struct {
	*httptest.Server
	t       *testing.T
	mu      sync.Mutex // for what breaks connections off
	now     time.Time
	records []client.AccessRecord
	dropped int64
	page    int // how many records a page has at most
	asked   int
	queries []string
	failing func(http.ResponseWriter) // nil: the log can be read
}

func newFakeLog(t *testing.T) *fakeLog {
	l := &fakeLog{t: t, now: noon, page: maxPage}
	l.Server = httptest.NewServer(http.HandlerFunc(l.serve))
	t.Cleanup(l.Close)
	return l
}

func (l *fakeLog) serve(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	l.queries = append(l.queries, r.URL.RawQuery)
	w.Header().Set("Date", l.now.UTC().Format(http.TimeFormat))
	if l.failing != nil {
		l.failing(w)
		return
	}
	from, _ := time.Parse(time.RFC3339Nano, r.URL.Query().Get("from"))
	offset, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	found := []client.AccessRecord{}
	for _, record := range l.records {
		start := from
		if record.Counted {
			start = from.Truncate(time.Minute)
		}
		if !record.Time.Before(start) {
			found = append(found, record)
		}
	}
	slices.SortFunc(found, func(a, b client.AccessRecord) int {
		return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(b.ID, a.ID))
	})
	found = found[min(offset, len(found)):]
	answer := client.AccessList{Data: found, Dropped: l.dropped}
	if size := min(limit, l.page); len(found) > size {
		next := strconv.Itoa(offset + size)
		answer.Data, answer.NextCursor = found[:size], &next
	}
	w.Header().Set("Content-Type", "application/json")
	assert.NoError(l.t, json.NewEncoder(w).Encode(answer))
}

// line adds the line of a request that ended so long ago.
func (l *fakeLog) line(id string, ago time.Duration) {
	l.records = append(l.records, client.AccessRecord{ID: id, Time: l.now.Add(-ago), Requests: 1, Outcome: "refused"})
}

// count counts requests of the current minute under an id.
func (l *fakeLog) count(id string, requests int64) {
	for i := range l.records {
		if r := &l.records[i]; r.ID == id {
			r.Requests += requests
			return
		}
	}
	l.records = append(l.records, client.AccessRecord{ID: id, Time: l.now.Truncate(time.Minute), Counted: true, Requests: requests, Outcome: "accepted"})
}

// program returns one that speaks with the log, and whose clock is wrong.
func (l *fakeLog) program() (p *program, out, notes *bytes.Buffer) {
	out, notes = &bytes.Buffer{}, &bytes.Buffer{}
	environment := map[string]string{urlVariable: l.URL, keyVariable: credential.Format{}.Mint(credential.Sys).Reveal()}
	p = &program{
		stdin: strings.NewReader(""), stdout: out, stderr: notes,
		getenv: func(name string) string { return environment[name] }, now: func() time.Time { return l.now.Add(3 * time.Hour) },
	}
	p.flags.timeout, p.flags.keyHeader = defaultTimeout, authorization
	return p, out, notes
}

func (l *fakeLog) follower(f *logsFlags, since *time.Time) *follower {
	p, _, _ := l.program()
	c, err := p.connect()
	require.NoError(l.t, err)
	return &follower{flags: f, c: c, since: since, now: p.now, seen: map[string]time.Time{}}
}

// look returns the ids of what a look shows, of counts with how many they are.
func look(t *testing.T, f *follower) []string {
	t.Helper()
	l, err := f.look(t.Context())
	require.NoError(t, err)
	ids := []string{}
	for _, e := range l.entries {
		if e.Counted {
			e.ID += fmt.Sprintf(" x%d", e.Requests)
		}
		ids = append(ids, e.ID)
	}
	return ids
}

func TestAFollowerShowsTheNewestAndThenWhatComesOnceEach(t *testing.T) {
	t.Parallel()
	l := newFakeLog(t)
	l.page = 2
	for i := range 9 {
		l.line(fmt.Sprintf("old%d", i), time.Duration(90-i)*time.Second)
	}
	l.line("near", time.Second)
	f := l.follower(&logsFlags{pageFlags: pageFlags{limit: 2}}, nil)
	assert.Equal(t, []string{"old8", "near"}, look(t, f))
	assert.Less(t, l.asked, 5, "what is older than matters is not read")
	assert.Empty(t, look(t, f))
	l.line("b", 0)
	l.line("a", 3*time.Second)
	l.now = l.now.Add(2 * time.Second)
	assert.Equal(t, []string{"a", "b"}, look(t, f))
	assert.Empty(t, look(t, f))
	assert.Contains(t, l.queries[len(l.queries)-1], "from=")
}

func TestRecordsThatComeLateAreShownAndThoseBeforeTheBeginningAreNot(t *testing.T) {
	t.Parallel()
	l := newFakeLog(t)
	l.page = 2
	for i := range 5 {
		l.line(fmt.Sprintf("before%d", i), time.Duration(i)*time.Second)
	}
	f := l.follower(&logsFlags{pageFlags: pageFlags{limit: 1}}, nil)
	assert.Equal(t, []string{"before0"}, look(t, f))
	l.line("late", 10*time.Second)
	l.now = l.now.Add(2 * time.Second)
	assert.Equal(t, []string{"late"}, look(t, f))
	assert.Empty(t, look(t, f))
}

func TestCountsAreShownWhenTheyGrowNoMore(t *testing.T) {
	t.Parallel()
	l := newFakeLog(t)
	l.count("old", 7)
	l.now = l.now.Add(74 * time.Second)
	l.count("new", 1)
	f := l.follower(&logsFlags{pageFlags: pageFlags{limit: 10}}, nil)
	assert.Empty(t, look(t, f), "the minute of the old one is over, but not for long enough")
	l.count("old", 1)
	l.now = l.now.Add(time.Second)
	assert.Equal(t, []string{"old x8"}, look(t, f))
	for range 20 {
		l.now = l.now.Add(2 * time.Second)
		l.count("new", 1)
		assert.Empty(t, look(t, f))
	}
	l.now = noon.Add(134 * time.Second)
	assert.Empty(t, look(t, f))
	l.now = noon.Add(135 * time.Second)
	assert.Equal(t, []string{"new x21"}, look(t, f))
	assert.Empty(t, look(t, f))
}

func TestAFollowerBeginsWhereItIsToldTo(t *testing.T) {
	t.Parallel()
	l := newFakeLog(t)
	l.line("long ago", time.Hour)
	l.line("here", time.Minute)
	since := l.now.Add(-10 * time.Minute)
	assert.Equal(t, []string{"here"}, look(t, l.follower(&logsFlags{pageFlags: pageFlags{limit: 10}}, &since)))
	all := l.follower(&logsFlags{pageFlags: pageFlags{limit: 0, all: true}}, nil)
	assert.Equal(t, []string{"long ago", "here"}, look(t, all))
	none := l.follower(&logsFlags{}, nil)
	assert.Empty(t, look(t, none))
	l.now = l.now.Add(time.Second)
	l.line("next", 0)
	assert.Equal(t, []string{"next"}, look(t, none))
	soon := l.now.Add(-time.Second)
	late := l.follower(&logsFlags{}, &soon)
	look(t, late)
	l.line("too old", 2*time.Second)
	assert.Empty(t, look(t, late))
}

func TestAClockThatIsSetBackRepeatsNothing(t *testing.T) {
	t.Parallel()
	l := newFakeLog(t)
	l.line("old", 20*time.Second)
	f := l.follower(&logsFlags{pageFlags: pageFlags{limit: 10}}, nil)
	assert.Equal(t, []string{"old"}, look(t, f))
	l.now = noon.Add(-time.Minute)
	assert.Empty(t, look(t, f))
	assert.Empty(t, look(t, f))
	l.now = noon.Add(2 * time.Second)
	l.line("new", time.Second)
	assert.Equal(t, []string{"new"}, look(t, f))
}

// Whatever comes, in whatever order, a follower shows each line once and each
// count once, as it was in the end.
func TestNoRecordIsMissedOrRepeated(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, 0))
		l := newFakeLog(t)
		l.page = 1 + random.IntN(20)
		f := l.follower(&logsFlags{pageFlags: pageFlags{limit: random.IntN(3)}}, nil)
		shown := map[string]int{}
		step := func(d time.Duration) {
			l.now = l.now.Add(d)
			if random.IntN(4) == 0 { // an outage
				l.failing = func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }
				_, err := f.look(t.Context())
				require.Error(t, err)
				l.failing = nil
				return
			}
			for _, id := range look(t, f) {
				shown[id]++
			}
		}
		require.Empty(t, look(t, f))
		for i := range 120 {
			for j := range random.IntN(4) {
				// A record may come as late as one flush.
				l.line(fmt.Sprintf("line %d/%d", i, j), time.Duration(random.Int64N(int64(10*time.Second))))
			}
			l.count(fmt.Sprintf("count %s %d", l.now.Format("15:04"), random.IntN(3)), 1+random.Int64N(3))
			step(time.Duration(1+random.IntN(9)) * time.Second)
		}
		for range 200 {
			step(2 * time.Second)
		}
		want := map[string]int{}
		for _, r := range l.records {
			id := r.ID
			if r.Counted {
				id += fmt.Sprintf(" x%d", r.Requests)
			}
			want[id] = 1
		}
		require.Equal(t, want, shown, "seed %d", seed)
		require.Less(t, len(f.seen), 50, "what is out of reach is forgotten")
	}
}

func TestARestartIsToldOnceAndLosesNothing(t *testing.T) {
	t.Parallel()
	l := newFakeLog(t)
	p, out, notes := l.program()
	l.line("first", time.Second)
	ctx, end := context.WithCancel(t.Context())
	defer end()
	f := &logsFlags{pageFlags: pageFlags{limit: 10}, output: &choice{value: asJSON}}
	c, err := p.connect()
	require.NoError(t, err)
	w := &follower{flags: f, c: c, now: p.now, seen: map[string]time.Time{}}
	printer := logPrinter{p: p, json: true}
	var pauses []time.Duration
	turns := []func(){
		func() { l.failing = func(http.ResponseWriter) { panic(http.ErrAbortHandler) } },
		func() { l.line("during", 0) },
		func() {
			l.failing = func(w http.ResponseWriter) {
				w.Header().Set("Content-Type", "application/problem+json")
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(http.StatusTooManyRequests)
				io.WriteString(w, `{"type":"t","title":"t","status":429,"code":"rate_limited","detail":"wait"}`)
			}
		},
		func() { l.failing, l.dropped = nil, 3 },
		func() { l.line("after", 0) },
		func() { l.dropped = 1 },
		end,
	}
	v := vigil{p: p, interval: 2 * time.Second, pause: func(ctx context.Context, d time.Duration) error {
		pauses = append(pauses, d)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.now = l.now.Add(d)
		turns[0]()
		turns = turns[1:]
		return ctx.Err()
	}}
	require.NoError(t, v.keep(ctx, func(ctx context.Context) error {
		found, err := w.look(ctx)
		if err != nil {
			return err
		}
		return printer.show(&found)
	}))
	assert.Equal(t, []string{"first", "during", "after"}, idsOf(t, out.String()))
	assert.Equal(t, 1, strings.Count(notes.String(), "trying again until it answers"), notes)
	assert.Equal(t, 1, strings.Count(notes.String(), "answers again"), notes)
	assert.Equal(t, 1, strings.Count(notes.String(), "3 lines had no room"), notes)
	assert.Equal(t, 1, strings.Count(notes.String(), "1 line had no room"), "it counts anew after a restart")
	assert.Equal(t, 7*time.Second, pauses[3], "as the server asks")
}

// idsOf reads JSON Lines.
func idsOf(t *testing.T, lines string) []string {
	t.Helper()
	var ids []string
	for line := range strings.Lines(lines) {
		var r client.AccessRecord
		require.NoError(t, json.Unmarshal([]byte(line), &r), line)
		ids = append(ids, r.ID)
	}
	return ids
}

func TestWhatDoesNotPassEndsAVigil(t *testing.T) {
	t.Parallel()
	c := &connection{url: "http://x"}
	problem := func(status int, code string) error {
		return c.apiFailure("x", &client.Error{Problem: client.Problem{Status: status, Code: code}})
	}
	for name, test := range map[string]struct {
		err           error
		first, passes bool // before the first answer, and after it
	}{
		"unavailable":        {problem(503, "insight_unavailable"), true, true},
		"a proxy's":          {problem(502, ""), true, true},
		"over a limit":       {problem(429, "rate_limited"), true, true},
		"a defect":           {problem(500, "internal_error"), false, true},
		"cursor":             {problem(400, "invalid_cursor"), false, true},
		"reset":              {c.transportFailure("x", io.ErrUnexpectedEOF), false, true},
		"revoked":            {problem(401, "revoked_key"), false, false},
		"not permitted":      {problem(403, "not_permitted"), false, false},
		"no such key":        {problem(404, "key_not_found"), false, false},
		"broken rule":        {problem(400, "invalid_request"), false, false},
		"not the API itself": {c.strangerFailure("x", "200 OK"), false, false},
		"a full disk":        {refuse("", "write"), false, false},
	} {
		assert.Equal(t, test.first, passes(test.err, false), name)
		assert.Equal(t, test.passes, passes(test.err, true), name)
	}
}

func TestFollowedRecordsStandInColumnsAndControlNothing(t *testing.T) {
	t.Parallel()
	p, out, _ := newFakeLog(t).program()
	printer := logPrinter{p: p}
	hostile, key, reason, country := "curl\x1b[2J", "key_a", "rate_limited", "ZZ"
	entry := func(r client.AccessRecord) *found { return &found{entries: []accessEntry{{AccessRecord: r}}} }
	require.NoError(t, printer.show(&found{}))
	assert.Empty(t, out.String())
	require.NoError(t, printer.show(entry(client.AccessRecord{
		Time: noon, KeyID: &key, KeyName: &hostile, Endpoint: "traces", Outcome: "refused", Reason: &reason, Status: 429,
		Requests: 1, DurationMs: 0.25, UserAgent: &hostile, Country: &country,
	})))
	require.NoError(t, printer.show(entry(client.AccessRecord{
		Time: noon, Counted: true, Hint: &hostile, Endpoint: "m", Outcome: "accepted", Status: 200, Requests: 12345, Items: 7, Bytes: 1500, DurationMs: 1500,
	})))
	lines := strings.Split(out.String(), "\n")
	require.Len(t, lines, 4)
	assert.Regexp(t, `^TIME \(UTC\) +KEY +NAME +ENDPOINT +OUTCOME +STATUS  REQUESTS  ITEMS +BYTES +TOOK  ADDRESS  COUNTRY  USER AGENT$`, lines[0])
	assert.Regexp(t, `^2026-11-24 12:00:00  key_a  curl\\x1b\[2J  traces +refused: rate_limited +429 +1 +0 +0 bytes +0\.\dms  - +unknown  curl\\x1b\[2J$`, lines[1])
	assert.Regexp(t, `^2026-11-24 12:00     -      curl\\x1b\[2J  m +accepted +200 +12,345 +7 +1.5 kB +1.5s  - +- +-$`, lines[2])
	printer.json = true
	out.Reset()
	require.NoError(t, printer.show(&found{entries: []accessEntry{{raw: json.RawMessage("{ \"userAgent\":\n\"\u202e\" }")}}}))
	line := `{"userAgent":"\u202e"}` + "\n"
	assert.Equal(t, line, out.String())
}

func TestShortPagesAreNotTheLast(t *testing.T) {
	t.Parallel()
	l := newFakeLog(t)
	l.page = 0 // empty pages, up to the third question
	l.line("a", 0)
	p, out, _ := l.program()
	f := &logsFlags{pageFlags: pageFlags{limit: 5}, output: &choice{value: asJSON}}
	l.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.asked == 2 {
			l.page = maxPage
		}
		l.serve(w, r)
	})
	require.NoError(t, p.listLogs(t.Context(), f))
	assert.Contains(t, out.String(), `"id": "a"`)
	assert.Contains(t, out.String(), `"dropped": 0`)
	assert.Equal(t, 3, l.asked)
}
