package limit_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/limit"
)

func TestLimitsAreValidWithinTheBounds(t *testing.T) {
	for _, window := range []limit.Window{limit.MinWindow, limit.Window(time.Minute), limit.LongWindow, limit.MaxWindow} {
		for _, n := range []int64{1, 100, limit.MaxMax} {
			for on := limit.Ingest; on <= limit.API; on++ {
				require.NoError(t, limit.Limit{On: on, Unit: limit.Requests, Max: n, Window: window}.Validate())
			}
			for on := limit.Ingest; on <= limit.Profiles; on++ {
				require.NoError(t, limit.Limit{On: on, Unit: limit.Items, Max: n, Window: window}.Validate())
				require.NoError(t, limit.Limit{On: on, Unit: limit.Bytes, Max: n, Window: window}.Validate())
			}
		}
	}
}

func TestABadLimitIsToldEveryRuleThatItBreaks(t *testing.T) {
	good := limitOf(100, time.Minute)
	for _, c := range []struct {
		spoil func(*limit.Limit)
		want  []string
	}{
		{func(l *limit.Limit) { l.On = 0 }, []string{"on: missing: must be one of ingest, traces, metrics, logs, profiles, api"}},
		{func(l *limit.Limit) { l.On = limit.API + 1 }, []string{"on: "}},
		{func(l *limit.Limit) { l.Unit = 0 }, []string{"unit: missing: must be one of requests, items, bytes"}},
		{func(l *limit.Limit) { l.Unit = limit.Bytes + 1 }, []string{"unit: "}},
		{func(l *limit.Limit) { l.On, l.Unit = limit.API, limit.Items }, []string{"unit: items are not counted on api: use requests"}},
		{func(l *limit.Limit) { l.On, l.Unit = limit.API, limit.Bytes }, []string{"unit: bytes are not counted on api: use requests"}},
		{func(l *limit.Limit) { l.Max = 0 }, []string{"max: 0 is out of range: must be 1 to 9007199254740992"}},
		{func(l *limit.Limit) { l.Max = -5 }, []string{"max: -5 is out of range"}},
		{func(l *limit.Limit) { l.Max = limit.MaxMax + 1 }, []string{"max: 9007199254740993 is out of range"}},
		{func(l *limit.Limit) { l.Window = 0 }, []string{"window: 0s is out of range: must be 1s to 31d"}},
		{func(l *limit.Limit) { l.Window = limit.MinWindow - 1 }, []string{"window: 999.999999ms is out of range"}},
		{func(l *limit.Limit) { l.Window = limit.MaxWindow + 1 }, []string{"window: 744h0m0.000000001s is out of range"}},
		{func(l *limit.Limit) { *l = limit.Limit{} }, []string{"on: ", "unit: ", "max: ", "window: "}},
	} {
		l := good
		c.spoil(&l)
		err := l.Validate()
		require.Error(t, err, "%+v", l)
		for _, want := range c.want {
			require.ErrorContains(t, err, want)
		}
		lines, ok := err.(interface{ Unwrap() []error })
		require.True(t, ok)
		require.Len(t, lines.Unwrap(), len(c.want), "%v", err)
	}
}

func TestAListOfLimitsHoldsEachOnlyOnceAndNotTooMany(t *testing.T) {
	minute, hour := limitOf(100, time.Minute), limitOf(100, time.Hour)
	traces := minute
	traces.On = limit.Traces
	items := minute
	items.Unit = limit.Items
	require.NoError(t, limit.ValidateLimits(nil))
	require.NoError(t, limit.ValidateLimits([]limit.Limit{minute, hour, traces, items}))

	twice := minute
	twice.Max = 7
	err := limit.ValidateLimits([]limit.Limit{hour, minute, traces, twice})
	require.EqualError(t, err, "limits::3: limits::1 is on the same ingest requests in 1m: keep one of them")

	var many []limit.Limit
	for i := range limit.MaxLimits {
		many = append(many, limitOf(1, time.Duration(i+1)*time.Second))
	}
	require.NoError(t, limit.ValidateLimits(many))
	err = limit.ValidateLimits(append(many, hour))
	require.EqualError(t, err, "limits: 17 are too many: at most 16")
}

func TestLimitsHaveText(t *testing.T) {
	require.Equal(t, "100 requests in 1m on ingest", limitOf(100, time.Minute).String())
	data, err := json.Marshal(limitOf(100, 36*time.Hour))
	require.NoError(t, err)
	require.JSONEq(t, `{"on": "ingest", "unit": "requests", "max": 100, "window": "36h"}`, string(data))
	var back limit.Limit
	require.NoError(t, json.Unmarshal(data, &back))
	require.Equal(t, limitOf(100, 36*time.Hour), back)
}

func TestNamesOfTrafficAndUnitsRoundTripAndOthersAreRefused(t *testing.T) {
	for _, name := range []string{"ingest", "traces", "metrics", "logs", "profiles", "api"} {
		var on limit.Traffic
		require.NoError(t, on.UnmarshalText([]byte(name)))
		require.Equal(t, name, on.String())
	}
	for _, name := range []string{"requests", "items", "bytes"} {
		var unit limit.Unit
		require.NoError(t, unit.UnmarshalText([]byte(name)))
		require.Equal(t, name, unit.String())
	}
	for _, name := range []string{"", "Ingest", "trace", "everything"} {
		var on limit.Traffic
		require.EqualError(t, on.UnmarshalText([]byte(name)), fmt.Sprintf("unknown traffic %q: must be one of ingest, traces, metrics, logs, profiles, api", name))
		var unit limit.Unit
		require.EqualError(t, unit.UnmarshalText([]byte(name)), fmt.Sprintf("unknown unit %q: must be one of requests, items, bytes", name))
	}
	require.Empty(t, limit.Traffic(0).String())
	require.Empty(t, limit.Traffic(99).String())
	require.Empty(t, limit.Unit(99).String())
}

func TestWindowsHaveAShortTextThatRoundTrips(t *testing.T) {
	for text, d := range map[string]time.Duration{
		"1s": time.Second, "30s": 30 * time.Second, "90s": 90 * time.Second, "1m": time.Minute, "90m": 90 * time.Minute,
		"1h": time.Hour, "6h": 6 * time.Hour, "36h": 36 * time.Hour, "1d": 24 * time.Hour, "31d": 744 * time.Hour,
		"1.5s": 1500 * time.Millisecond, "1h0m0.000000001s": time.Hour + 1, "0s": 0, "-1m0s": -time.Minute,
	} {
		w := limit.Window(d)
		require.Equal(t, text, w.String())
		var back limit.Window
		require.NoError(t, back.UnmarshalText([]byte(text)))
		require.Equal(t, w, back)
	}
}

func TestWindowsCanBeWrittenInOtherWays(t *testing.T) {
	for text, d := range map[string]time.Duration{
		"60s": time.Minute, "1h30m": 90 * time.Minute, "24h": 24 * time.Hour, "0d": 0, "1.5h": 90 * time.Minute, "1000ms": time.Second,
	} {
		w, err := limit.ParseWindow(text)
		require.NoError(t, err)
		require.Equal(t, limit.Window(d), w)
	}
}

func TestBadTextOfAWindowIsToldWhatIsRight(t *testing.T) {
	for _, text := range []string{"", "5", "d", "-1d", "+1d", "1.5d", "1d12h", "1w", "one minute", "99999999d", "1 m", "1d "} {
		w, err := limit.ParseWindow(text)
		require.EqualError(t, err, fmt.Sprintf("window %q: must be a number and a unit such as 30s, 1m, 6h or 31d", text))
		require.Zero(t, w)
	}
}

func TestWindowsFromAnHourOnOutliveTheProcess(t *testing.T) {
	require.False(t, limit.Window(time.Hour-1).Long())
	require.True(t, limit.Window(time.Hour).Long())
}
