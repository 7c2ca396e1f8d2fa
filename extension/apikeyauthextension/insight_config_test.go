package apikeyauthextension

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBadSettingsOfInsightNameTheSettingTheValueTheRuleAndTheRemedy(t *testing.T) {
	for config, want := range map[string]string{
		"usage: {flush_interval: 1h}":                        "usage: flush_interval: 1h0m0s is out of range: must be 1s to 10m",
		"usage: {retention: 30d}":                            "usage: retention: 30d is out of range: must be 35d to 3650d",
		"usage: {retention: long}":                           `"long" is no length of time: must be a number and a unit such as 30s, 12h or 30d`,
		"access_log: {detail: some}":                         `access_log: detail: unknown detail "some": must be denied, all or none`,
		"access_log: {retention: 1m}":                        "access_log: retention: 1m is out of range: must be 1h to 3650d",
		"alerts: {unused_after: -1h}":                        "alerts: unused_after: -1h",
		"alerts: {expiring_within: 99999d}":                  "no length of time",
		"alerts: {old_secret_within: 9999d}":                 "alerts: old_secret_within: 9999d is out of range",
		"alerts: {error_rate: {over: 5}}":                    "alerts::error_rate: over: 5 is no part of a whole: must be a percentage, such as 5%",
		"alerts: {error_rate: {over: 101%}}":                 `"101%" is no percentage: must be 0% to 100%, such as 5%`,
		"alerts: {error_rate: {over: NaN%}}":                 "is no percentage",
		"alerts: {error_rate: {min_requests: 0}}":            "alerts::error_rate: min_requests: 0 is too few to judge by: must be at least 1",
		"alerts: {error_rate: {window: 2d}}":                 "alerts::error_rate: window: 2d is out of range: must be 1m to 20h",
		"alerts: {alertmanager: {endpoint: localhost:9093}}": "alertmanager::endpoint: must begin with http:// or https:// and name a host, such as http://localhost:9093",
		"alerts: {webhook: {endpoint: ftp://example.com}}":   "webhook::endpoint: must begin with http:// or https:// and name a host, such as https://example.com/otlpgate",
	} {
		_, err := decodeYAML(t, config)
		require.Error(t, err, config)
		assert.Contains(t, err.Error(), want, config)
	}
}

func TestSpansAndPercentagesAreWrittenAsTheyAreRead(t *testing.T) {
	for text, want := range map[string]time.Duration{"0s": 0, "30d": 30 * day, "12h": 12 * time.Hour, "1h30m": 90 * time.Minute} {
		var s Span
		require.NoError(t, s.UnmarshalText([]byte(text)))
		assert.Equal(t, Span(want), s)
		var again Span
		written, err := s.MarshalText()
		require.NoError(t, err)
		require.NoError(t, again.UnmarshalText(written))
		assert.Equal(t, s, again)
	}
	var p Percent
	require.NoError(t, p.UnmarshalText([]byte("12.5 %")))
	assert.InDelta(t, 0.125, float64(p), 1e-12)
	written, err := p.MarshalText()
	require.NoError(t, err)
	assert.Equal(t, "12.5%", string(written))
}
