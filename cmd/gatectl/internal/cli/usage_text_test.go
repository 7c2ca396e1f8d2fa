package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

func TestUsageText(t *testing.T) {
	t.Parallel()
	id := "key_a"
	counts := client.UsageCounts{Requests: 1234, Accepted: 1200, Refused: 30, Failed: 4, Items: 56_789, RefusedItems: 12, Bytes: 2_500_000}
	few := client.UsageCounts{Requests: 1, Accepted: 1, Items: 2, Bytes: 3}
	u := &client.Usage{
		KeyID: &id, From: noon.Add(-2 * time.Hour), To: noon.Add(90 * time.Second), Step: client.UsageStepHour,
		Totals: counts, ErrorRate: 34.0 / 1234, Refusals: client.Refusals{"rate_limited": 10, "missing_scope": 20, "expired_key": 10},
		ByEndpoint: []client.UsageByEndpoint{{Endpoint: "traces\x1b", Counts: counts}},
		ByCountry:  []client.UsageByCountry{{Country: "DE", Requests: 1000, Errors: 4}, {Country: "ZZ", Requests: 234, Errors: 30}},
		Buckets:    []client.UsageBucket{{Start: noon.Add(-2 * time.Hour), Counts: few}, {Start: noon, Counts: counts}},
	}
	assert.Equal(t, `key         key_a
from        2026-11-24 10:00 UTC
to          2026-11-24 12:01:30 UTC
requests    1,234: 1,200 accepted, 30 refused, 4 failed
error rate  2.8%
items       56,789, and 12 refused
bytes       2.5 MB

REFUSED FOR    REQUESTS
missing_scope        20
expired_key          10
rate_limited         10

ENDPOINT    REQUESTS  REFUSED  FAILED   ITEMS   BYTES
traces\x1b     1,234       30       4  56,789  2.5 MB

COUNTRY  REQUESTS  ERRORS
DE          1,000       4
unknown       234      30

HOUR (UTC)        REQUESTS  REFUSED  FAILED   ITEMS    BYTES
2026-11-24 10:00         1        0       0       2  3 bytes
2026-11-24 12:00     1,234       30       4  56,789   2.5 MB
`, usageText(u, false, false))
	drawn := usageText(u, true, true)
	assert.Contains(t, drawn, "  ▏\n")
	assert.Contains(t, drawn, "  "+strings.Repeat("█", blocksWidth)+"\n")
	assert.Contains(t, drawn, "\x1b[31m30\x1b[0m")
}

func TestUsageOfNothingHasNoTables(t *testing.T) {
	t.Parallel()
	assert.Equal(t, `from        2026-11-24 12:00 UTC
to          2026-11-24 12:00:00 UTC
requests    none
error rate  0.0%
items       0
bytes       0 bytes
`, usageText(&client.Usage{From: noon, To: noon, Step: client.UsageStepDay}, true, false))
}

func TestLittleIsNotNothing(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "0.0%", percentText(0))
	assert.Equal(t, "<0.1%", percentText(0.0001))
	assert.Equal(t, "0.1%", percentText(0.001))
	assert.Equal(t, "100.0%", percentText(1))
	assert.Empty(t, blocks(0))
	assert.Equal(t, "▏", blocks(0.00001))
	assert.Equal(t, "██████████", blocks(0.5))
	assert.Equal(t, "█████▌", blocks(0.275))
	assert.Equal(t, strings.Repeat("█", blocksWidth), blocks(7))
	assert.Equal(t, "0", rateText(0))
	assert.Equal(t, "<0.01", rateText(0.001))
	assert.Equal(t, "0.25", rateText(0.25))
	assert.Equal(t, "12.3", rateText(12.34))
	assert.Equal(t, "1,234", rateText(1234.4))
}

// An error rate stands out where its alert fires.
func TestHighErrorRatesStandOut(t *testing.T) {
	t.Parallel()
	assert.Empty(t, errorRateCell(0.05).color)
	assert.Equal(t, red, errorRateCell(0.051).color)
}
