package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func TestProgressLine(t *testing.T) {
	t.Parallel()
	for want, g := range map[string]*progress{
		"backing up  [####      ]  45 %  45,000 of 100,000 records  12.3 MB  3s left": {doing: "backing up", records: 45_000, total: 100_000, bytes: 12_300_000, started: noon.Add(-2450 * time.Millisecond)},
		"backing up  45,000 records  12.3 MB":                                         {doing: "backing up", records: 45_000, bytes: 12_300_000, started: noon.Add(-time.Minute)},
		"restoring  [#####     ]  50 %  7 records  1.0 MB of 2.0 MB  10s left":        {doing: "restoring", records: 7, bytes: 1_000_000, totalBytes: 2_000_000, started: noon.Add(-10 * time.Second)},
		"importing  [          ]  0 %  0 of 1,234,567 keys":                           {doing: "importing", unit: "keys", total: 1_234_567, started: noon.Add(-time.Hour)},
		"importing  [##########]  100 %  9 of 9 keys":                                 {doing: "importing", unit: "keys", records: 9, total: 8, started: noon.Add(-time.Hour)},
		"verifying  [#####     ]  50 %  1 of 2 records":                               {doing: "verifying", records: 1, total: 2, started: noon.Add(-999 * time.Millisecond)},
		"verifying  [#         ]  10 %  10 of 100 records  1m 30s left":               {doing: "verifying", records: 10, total: 100, started: noon.Add(-10 * time.Second)},
		"verifying  [#         ]  10 %  10 of 100 records  1h 30m left":               {doing: "verifying", records: 10, total: 100, started: noon.Add(-10 * time.Minute)},
		"verifying  [#         ]  10 %  10 of 100 records  the server asks to wait 7s": {
			doing: "verifying", records: 10, total: 100, started: noon.Add(-time.Minute), waiting: noon.Add(6100 * time.Millisecond),
		},
		"reading": {doing: "reading", started: noon},
	} {
		assert.Equal(t, want, g.line(noon))
	}
}

func TestProgressIsOneLineThatIsTakenAway(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	now := noon
	g := &progress{out: &out, doing: "restoring", now: func() time.Time { return now }}
	g.setBytes(2000)
	g.setRecords(7) // too soon to be shown
	now = now.Add(progressEvery)
	g.addRecord()
	g.clear()
	assert.Equal(t, "\r\x1b[Krestoring  2.0 kB\r\x1b[Krestoring  8 records  2.0 kB\r\x1b[K", out.String())
}

// A line that wraps could not be written anew.
func TestProgressFitsTheTerminal(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	g := &progress{out: &out, doing: "backing up", now: func() time.Time { return noon }, columns: func() int { return 20 }}
	g.setTotal(1_000_000)
	assert.Equal(t, "\r\x1b[Kbacking up  [     …", out.String())
}

func TestGroupedDigits(t *testing.T) {
	t.Parallel()
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1_000_000: "1,000,000", 123_456: "123,456"} {
		assert.Equal(t, want, groupDigits(n))
	}
}
