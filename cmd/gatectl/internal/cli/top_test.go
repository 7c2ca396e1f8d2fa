package cli

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// busyView is of 100 seconds and as many keys as are asked for.
func busyView(keys int) *topView {
	v := &topView{server: "http://localhost:4319", firing: 2, usage: client.TopUsage{
		From: noon, To: noon.Add(100 * time.Second), Keys: keys + 1, DroppedLines: 1500,
		Total:     client.UsageCounts{Requests: 12_340, Accepted: 11_340, Refused: 1000, Items: 1_000_000, Bytes: 50_000_000},
		Strangers: client.UsageCounts{Requests: 20},
	}}
	kind := client.KeyTypeSystem
	for i := range keys {
		name := fmt.Sprintf("key number %d", i)
		v.usage.Data = append(v.usage.Data, client.TopKey{
			KeyID: fmt.Sprintf("key_%020d", i), Name: &name, Type: &kind,
			Counts: client.UsageCounts{Requests: 1000, Items: 20_000, Bytes: 1_500_000}, ErrorRate: 0.125,
			Refusals:    client.Refusals{"rate_limited": 120, "missing_scope": 5},
			Quota:       &client.Quota{On: "traces", Unit: "requests", Max: 1000, Used: 870, Window: "1m"},
			Concurrency: &client.Concurrency{Max: 10, UnderWay: 3},
		})
	}
	return v
}

func TestTopIsSummedUpAndListed(t *testing.T) {
	t.Parallel()
	v := busyView(1)
	assert.Equal(t, `otlpgate at http://localhost:4319  2026-11-24 12:01:40 UTC, rates of the last 1m 40s
requests 123/s  items 10,000/s  bytes 500.0 kB/s  refused 8.1%  failed 0.0%
strangers 0.20/s  keys in use 2  2 alerts firing  lines dropped 1,500

KEY           ID                        TYPE    REQ/S  ITEMS/S  BYTES/S  ERRORS  TOP REFUSAL       NEAREST LIMIT                       UNDER WAY
key number 0  key_00000000000000000000  system   10.0      200  15.0 kB   12.5%  rate_limited 120  87% of 1,000 traces requests in 1m  3 of 10
`, v.text(false))
	colored := v.text(true)
	for _, want := range []string{
		"\x1b[33m87% of 1,000 traces requests in 1m\x1b[0m", "\x1b[31m12.5%\x1b[0m", "\x1b[31m2 alerts firing\x1b[0m",
		"\x1b[33mlines dropped 1,500\x1b[0m", "\x1b[31mrefused 8.1%\x1b[0m", "\x1b[1mKEY\x1b[0m",
	} {
		assert.Contains(t, colored, want)
	}
}

func TestAKeyThatIsNoMoreIsShownByItsID(t *testing.T) {
	t.Parallel()
	v := busyView(0)
	v.usage.Data = []client.TopKey{{KeyID: "key_gone", Counts: client.UsageCounts{Requests: 1}}}
	assert.Regexp(t, `\n(key_gone  ){2}- +0\.01 +0  0 bytes +0\.0%  - +- +-\n$`, v.text(false))
}

func TestAQuietTopHasNoTable(t *testing.T) {
	t.Parallel()
	v := &topView{server: "http://x", firing: -1, usage: client.TopUsage{From: noon, To: noon}}
	assert.Equal(t, `otlpgate at http://x  2026-11-24 12:00:00 UTC, rates of the last 1s
requests 0/s  items 0/s  bytes 0 bytes/s  refused 0.0%  failed 0.0%
strangers 0/s  keys in use 0  alerts unknown
`, v.text(false))
	v.firing, v.more = 500, true
	assert.Contains(t, v.text(false), "more than 500 alerts firing")
	v.firing, v.more = 0, false
	assert.Contains(t, v.text(false), "no alerts")
}

var sequences = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestTopFitsEveryTerminal(t *testing.T) {
	t.Parallel()
	for _, keys := range []int{0, 1, 9} {
		v := busyView(keys)
		v.trouble = strings.Repeat("out of order ", 30)
		for width := range 160 {
			for _, height := range []int{1, 7, 24} {
				lines := v.screen(width, height, true)
				require.LessOrEqual(t, len(lines), height)
				for _, l := range lines {
					require.LessOrEqual(t, utf8.RuneCountInString(sequences.ReplaceAllString(l, "")), width, "%d×%d: %q", width, height, l)
				}
			}
		}
		assert.Len(t, v.screen(80, 24, false), min(24, 6+keys))
	}
}

// What matters least goes first.
func TestNarrowTerminalsShowFewerColumns(t *testing.T) {
	t.Parallel()
	v := busyView(3)
	for width, want := range map[int]string{
		200: "KEY ID TYPE REQ/S ITEMS/S BYTES/S ERRORS TOP REFUSAL NEAREST LIMIT UNDER WAY",
		140: "KEY ID REQ/S ITEMS/S BYTES/S ERRORS TOP REFUSAL NEAREST LIMIT UNDER WAY",
		100: "KEY REQ/S ITEMS/S BYTES/S ERRORS TOP REFUSAL NEAREST LIMIT",
		80:  "KEY REQ/S ITEMS/S ERRORS NEAREST LIMIT",
		30:  "KEY REQ/S ERRORS",
		22:  "KEY REQ/S",
		2:   "K…",
	} {
		lines := v.screen(width, 24, false)
		assert.Equal(t, want, strings.Join(strings.Fields(lines[4]), " "), width)
	}
}

func TestNamesControlNoScreen(t *testing.T) {
	t.Parallel()
	v := busyView(1)
	hostile := "a\x1b[2Jb\nc"
	v.usage.Data[0].Name, v.trouble = &hostile, hostile
	v.usage.Data[0].Refusals = client.Refusals{hostile: 1}
	for _, l := range v.screen(300, 24, false) {
		assert.NotContains(t, l, "\x1b")
		assert.NotContains(t, l, "\n")
	}
	assert.NotContains(t, v.text(false), "\x1b")
}

// terminal is one that remembers what was drawn.
type terminal struct {
	mu            sync.Mutex
	text          bytes.Buffer
	drawn         chan string
	width, height int
}

// Write implements io.Writer.
func (s *terminal) Write(b []byte) (int, error) {
	s.mu.Lock()
	s.text.Write(b)
	s.mu.Unlock()
	s.drawn <- string(b)
	return len(b), nil
}

func (s *terminal) size() (width, height int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.width, s.height
}

func (s *terminal) resize(width, height int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.width, s.height = width, height
}

// session is a top that runs on a terminal.
type session struct {
	*terminal
	live             *liveTop
	answers          chan topAnswer
	keys             chan byte
	refresh, measure chan time.Time
	ended            chan error
	end              context.CancelFunc
}

func startSession(t *testing.T) *session {
	s := &session{
		terminal: &terminal{drawn: make(chan string, 100), width: 80, height: 24},
		answers:  make(chan topAnswer), keys: make(chan byte), refresh: make(chan time.Time), measure: make(chan time.Time),
		ended: make(chan error, 1),
	}
	s.live = &liveTop{
		read: func(ctx context.Context) (*topView, error) {
			select {
			case a := <-s.answers:
				return a.view, a.err
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
		out: s, size: s.size, now: func() time.Time { return noon },
		keys: s.keys, refresh: s.refresh, measure: s.measure,
	}
	ctx, end := context.WithCancel(t.Context())
	s.end = end
	t.Cleanup(end)
	go func() { s.ended <- s.live.run(ctx, busyView(1)) }()
	assert.Equal(t, takeScreen, <-s.drawn)
	assert.Contains(t, <-s.drawn, "key number 0")
	return s
}

func TestTopIsDrawnAnewAndGivesTheScreenBack(t *testing.T) {
	t.Parallel()
	s := startSession(t)
	s.refresh <- noon
	s.refresh <- noon // while the first is under way
	s.answers <- topAnswer{view: busyView(2)}
	drawn := <-s.drawn
	assert.Contains(t, drawn, "key number 1")
	assert.True(t, strings.HasPrefix(drawn, cursorHome), "it is written over what is there")
	assert.True(t, strings.HasSuffix(drawn, clearBelow))

	s.measure <- noon
	s.resize(20, 3)
	s.measure <- noon
	drawn = <-s.drawn
	assert.True(t, strings.HasPrefix(drawn, clearScreen))
	assert.Equal(t, 2, strings.Count(drawn, "\n"))

	s.keys <- 'x'
	s.keys <- 'q'
	require.NoError(t, <-s.ended)
	assert.Equal(t, giveScreen, <-s.drawn)
	assert.Empty(t, s.drawn)
}

func TestTopOutlivesARestart(t *testing.T) {
	t.Parallel()
	c := &connection{url: "http://x"}
	s := startSession(t)
	s.refresh <- noon
	s.answers <- topAnswer{err: c.apiFailure("read", &client.Error{Problem: client.Problem{Status: 503, Code: "x", Detail: "closed for now"}, RetryAfter: time.Hour})}
	drawn := <-s.drawn
	assert.Contains(t, drawn, "closed for now")
	assert.Contains(t, drawn, "key number 0", "what was known is shown still")
	s.refresh <- noon // asks nobody, as the server wants it
	s.keys <- ctrlC
	require.NoError(t, <-s.ended)
	assert.Equal(t, giveScreen, <-s.drawn)
}

func TestTopEndsWhereItMayNotAsk(t *testing.T) {
	t.Parallel()
	c := &connection{url: "http://x"}
	s := startSession(t)
	s.refresh <- noon
	s.answers <- topAnswer{err: c.apiFailure("read", &client.Error{Problem: client.Problem{Status: http.StatusForbidden, Code: "not_permitted", Detail: "no more"}})}
	require.ErrorContains(t, <-s.ended, "no more")
	assert.Equal(t, giveScreen, <-s.drawn)
}

func TestTopEndsWithItsContextWhileItReads(t *testing.T) {
	t.Parallel()
	s := startSession(t)
	s.refresh <- noon
	s.end()
	require.NoError(t, <-s.ended)
	last := ""
	for len(s.drawn) > 0 {
		last = <-s.drawn
	}
	assert.Equal(t, giveScreen, last)
}

func TestAPanicGivesTheScreenBack(t *testing.T) {
	t.Parallel()
	s := &terminal{drawn: make(chan string, 10)}
	live := &liveTop{out: s, size: func() (int, int) { panic("size") }}
	assert.Panics(t, func() { _ = live.run(t.Context(), busyView(1)) })
	assert.True(t, strings.HasSuffix(s.text.String(), giveScreen))
}
