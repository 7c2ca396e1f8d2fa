package web

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otlpgate/otlpgate/internal/identity"
)

func TestNumbersAreWrittenForPeople(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 999: "999", 1000: "1,000", 9999: "9,999", 10_000: "10k", 12_345: "12.3k", 123_456: "123k", 999_499: "999k", 999_999: "1M",
		1_234_567: "1.23M", 45_600_000: "45.6M", 9_067_377_090: "9.07G", -12_345: "-12.3k", math.MaxInt64: "9.22E",
	} {
		assert.Equal(t, want, count(n), n)
	}
	for n, want := range map[int64]string{0: "0", 12: "12", 1234: "1,234", 1234567: "1,234,567", -1234: "-1,234", 100: "100"} {
		assert.Equal(t, want, grouped(n), n)
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 5 << 20: "5 MiB", 3 << 40: "3 TiB"} {
		assert.Equal(t, want, byteSize(n), n)
	}
	for part, want := range map[float64]string{0: "0%", 1: "100%", 0.5: "50%", 0.0123: "1.2%", 0.0001: "<0.1%", 0.99999: ">99.9%", 0.05: "5%"} {
		assert.Equal(t, want, percent(part), part)
	}
	assert.Equal(t, "1 line", plural(1, "line", "lines"))
	assert.Equal(t, "1,200 lines", plural(1200, "line", "lines"))
}

func TestTimesAreWrittenAsTheirDistance(t *testing.T) {
	now := time.Date(2026, 7, 1, 9, 30, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0: "just now", 9 * time.Second: "just now", 42 * time.Second: "42 s ago", 5 * time.Minute: "5 min ago", 47 * time.Hour: "47 h ago",
		48 * time.Hour: "2 days ago", 90 * 24 * time.Hour: "3 months ago", 800 * 24 * time.Hour: "2 years ago",
		-5 * time.Minute: "in 5 min", -50 * 24 * time.Hour: "in 50 days",
	} {
		assert.Equal(t, want, ago(now.Add(-d), now), d)
	}
}

func TestWindowsAreWrittenForPeople(t *testing.T) {
	for window, want := range map[string]string{"1m": "minute", "5m": "5 minutes", "1h": "hour", "1d": "day", "31d": "31 days", "1s": "second", "": "", "x": "x", "1h30m": "1h30m"} {
		assert.Equal(t, want, windowText(window), window)
	}
}

func TestCountriesHaveNames(t *testing.T) {
	for code, want := range map[string]string{"DE": "Germany", "US": "United States", "ZZ": "Unknown", "": "", "XX<": "XX<"} {
		assert.Equal(t, want, countryName(code), code)
	}
}

func TestBackquotesAreCode(t *testing.T) {
	assert.Equal(t, []piece{{"run ", false}, {"gatectl logs", true}, {" now", false}}, proseOf("run `gatectl logs` now"))
	assert.Equal(t, []piece{{"a", false}, {"b", false}}, proseOf("a`b"), "one alone is none")
	assert.Equal(t, []piece{{"", false}}, proseOf(""))
}

func TestEveryScopeIsOffered(t *testing.T) {
	var offered []identity.Scope
	for _, group := range scopeGroups {
		for _, info := range group.Scopes {
			offered = append(offered, info.Scope)
			assert.NotEmpty(t, info.Description)
		}
	}
	var all []identity.Scope
	for _, info := range identity.Scopes() {
		all = append(all, info.Scope)
	}
	assert.ElementsMatch(t, all, offered)
}

func TestAllReasonsCanBeRead(t *testing.T) {
	assert.Equal(t, "over a rate limit", reasonText(string(identity.RateLimited)))
	assert.Equal(t, "missing scope", reasonText(string(identity.MissingScope)))
	assert.Equal(t, "too many at once", reasonText(string(identity.ConcurrencyExceeded)))
}

func TestChangesAreWrittenForPeople(t *testing.T) {
	for _, test := range []struct {
		value any
		want  string
	}{
		{nil, ""},
		{"text", "text"},
		{true, "true"},
		{float64(5_000_000), "5000000"},
		{[]any{"a", "b"}, "a; b"},
		{[]any{map[string]any{"on": "ingest", "max": float64(1_000_000), "none": nil}}, "max 1000000 · on ingest"},
	} {
		assert.Equal(t, test.want, plain(test.value))
	}
	assert.LessOrEqual(t, len([]rune(plain(strings.Repeat("ü", 10_000)))), longestChange+1)
}
