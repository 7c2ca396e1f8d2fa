package limit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseLimitReadsWhatPeopleWrite(t *testing.T) {
	for text, want := range map[string]Limit{
		"ingest:requests:100/1m":  {On: Ingest, Unit: Requests, Max: 100, Window: Window(time.Minute)},
		"traces:items:5000000/1d": {On: Traces, Unit: Items, Max: 5_000_000, Window: Window(24 * time.Hour)},
	} {
		got, err := ParseLimit(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{
		"", "ingest", "ingest:requests:100", "ingest:requests:x/1m", "ingest:requests:100/1y", "all:requests:1/1m",
		"ingest:calls:1/1m", "ingest:requests:0/1m", "ingest:requests:-1/1m", "api:items:1/1m", "ingest:requests:1/60d",
		"ingest:requests:1/1m/1m", "ingest:requests:99999999999999999999/1m",
	} {
		_, err := ParseLimit(text)
		assert.Error(t, err, text)
	}
}

func FuzzParseLimit(f *testing.F) {
	f.Add("ingest:requests:100/1m")
	f.Fuzz(func(t *testing.T, text string) {
		if l, err := ParseLimit(text); err == nil {
			assert.NoError(t, l.Validate())
		}
	})
}
