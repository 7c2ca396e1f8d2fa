package apikeyprocessor

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/testdata"

	"github.com/otlpgate/otlpgate/internal/identity"
)

// eachTagging runs a test for every signal and tag level.
func eachTagging(t *testing.T, test func(t *testing.T, signal identity.Signal, level TagLevel, tagged string)) {
	t.Helper()
	for _, signal := range identity.Signals() {
		for level, tagged := range map[TagLevel]string{TagRecord: recordLevel[signal], TagResource: "resource", TagNone: ""} {
			t.Run(signal.String()+"/"+string(level), func(t *testing.T) { test(t, signal, level, tagged) })
		}
	}
}

// requireAttributes checks the attributes of every level: base, and the tags at
// the tagged level.
func requireAttributes(t *testing.T, data any, base map[string]any, tagged string, tags map[string]any) {
	t.Helper()
	levels := map[string]int{}
	walk(data, func(level string, attrs []attr) {
		if len(attrs) == 0 && (level == "location" || level == "mapping") {
			return // the empty entry that comes first
		}
		want := maps.Clone(base)
		if level == tagged {
			maps.Copy(want, tags)
		}
		require.Equal(t, want, raw(t, attrs), level)
		levels[level]++
	})
	require.Equal(t, map[identity.Signal]map[string]int{
		identity.Traces:   {"resource": 1, "scope": 1, "span": 1, "event": 1, "link": 1},
		identity.Metrics:  {"resource": 1, "scope": 1, "metadata": 6, "point": 5, "exemplar": 4},
		identity.Logs:     {"resource": 1, "scope": 1, "record": 1},
		identity.Profiles: {"resource": 1, "scope": 1, "profile": 1, "sample": 1, "location": 1, "mapping": 1},
	}[signalOf(data)], levels)
}

func TestEveryPartOfTheIdentityIsTaggedAtTheLevel(t *testing.T) {
	everyPart := AttributesConfig{
		ID: "apikey.id", Name: "apikey.name", Type: "apikey.type",
		Environment: "deployment.kind", Owner: "tenant.id", Plan: "tenant.plan",
	}
	sent := map[string]any{"http.method": "GET", "n": int64(1)}
	eachTagging(t, func(t *testing.T, signal identity.Signal, level TagLevel, tagged string) {
		t.Helper()
		h := newHarness(t, tagging(level), func(c *Config) { c.Attributes = everyPart })
		data := func() any {
			return everyLevel(signal, func(m pcommon.Map) { require.NoError(t, m.FromRaw(sent)) })
		}
		tags := map[string]any{
			"apikey.id": "key_1", "apikey.name": "ingest", "apikey.type": "user",
			"deployment.kind": "live", "tenant.id": "usr_1", "tenant.plan": "pro",
		}
		requireAttributes(t, h.send(t, aKey(), data()), sent, tagged, tags)

		system := aKey(func(id *identity.Identity) { id.KeyType, id.OwnerID, id.KeyName = identity.SystemKey, "", "" })
		tags["apikey.type"] = "system"
		delete(tags, "tenant.id")
		delete(tags, "apikey.name")
		requireAttributes(t, h.send(t, system, data()), sent, tagged, tags)
	})
}

func TestPartsWithoutANameAreNotTagged(t *testing.T) {
	eachTagging(t, func(t *testing.T, signal identity.Signal, level TagLevel, tagged string) {
		t.Helper()
		h := newHarness(t, tagging(level), func(c *Config) { c.Attributes = AttributesConfig{Plan: "plan"} })
		got := h.send(t, aKey(), everyLevel(signal, func(m pcommon.Map) { m.PutBool("kept", true) }))
		requireAttributes(t, got, map[string]any{"kept": true}, tagged, map[string]any{"plan": "pro"})
	})
}

// spoof sets what a sender may not set, and what looks like it but is allowed.
// It returns what is allowed.
func spoof(tb testing.TB, m pcommon.Map) map[string]any {
	tb.Helper()
	allowed := map[string]any{
		"apikeys": "a", "apikey_id": "b", "APIKEY.id": "c", "my.apikey.id": "d", "api": "e", ".apikey.id": "f",
		"tenant.idx": "g", "tenants": map[string]any{"id": "h"}, "my": map[string]any{"tenant.id": "i"},
		"list": []any{map[string]any{"apikey.id": "j"}}, "tenant.name": "k", "": "l",
	}
	require.NoError(tb, m.FromRaw(allowed))
	m.PutStr("apikey.id", "spoofed")
	m.PutStr(unrepeated("apikey.id"), "spoofed again")
	m.PutInt("apikey.name", 7)
	m.PutStr("apikey.unheard.of", "spoofed")
	m.PutStr("apikey.", "spoofed")
	m.PutStr("apikey", "spoofed")
	nested := m.PutEmptyMap(unrepeated("apikey"))
	nested.PutStr("id", "spoofed")
	nested.PutEmptyMap("x").PutStr("y", "spoofed")
	m.PutStr("tenant.id", "spoofed")
	m.PutStr("tenant.id.more", "spoofed")
	tenant := m.PutEmptyMap("tenant")
	tenant.PutStr("id", "spoofed")
	tenant.PutStr("kept", "m")
	tenant.PutEmptyMap("id.x").PutStr("y", "spoofed")
	tenant.PutEmptyMap("deep").PutStr("id", "n")
	m.PutEmptyMap(unrepeated("tenant")).PutEmptyMap("id").PutStr("x", "spoofed")
	allowed["tenant"] = map[string]any{"kept": "m", "deep": map[string]any{"id": "n"}}
	return allowed
}

// spoofsPerMap is how many of them are taken out of each map.
const spoofsPerMap = 12

func TestSpoofedAttributesAreTakenOutAtEveryLevel(t *testing.T) {
	eachTagging(t, func(t *testing.T, signal identity.Signal, level TagLevel, tagged string) {
		t.Helper()
		h := newHarness(t, tagging(level), func(c *Config) { c.Attributes.Owner = "tenant.id" })
		var allowed map[string]any
		maps := 0
		data := everyLevel(signal, func(m pcommon.Map) { allowed = spoof(t, m); maps++ })
		data = repeated(t, data, "apikey.id", "apikey", "tenant")
		got := h.send(t, aKey(), data)

		tags := map[string]any{"apikey.id": "key_1", "apikey.name": "ingest", "tenant.id": "usr_1"}
		requireLevels(t, got, allowed, tagged, tags)
		if signal != identity.Profiles { // their texts stay behind in the string table, without a reference
			require.NotContains(t, string(marshal(t, got)), "spoofed")
		}
		requireCount(t, h, "otelcol_apikey_spoofed_attributes", map[string]int64{signal.String(): int64(maps * spoofsPerMap)})
	})
}

// requireLevels is requireAttributes where "tenant" occurs twice, the second
// time as an empty map.
func requireLevels(t *testing.T, data any, base map[string]any, tagged string, tags map[string]any) {
	t.Helper()
	visited := 0
	walk(data, func(level string, attrs []attr) {
		if len(attrs) == 0 {
			return
		}
		visited++
		want := maps.Clone(base)
		if level == tagged {
			maps.Copy(want, tags)
		}
		first := map[string]any{}
		for _, a := range attrs {
			if _, again := first[a.key]; again {
				require.Equal(t, "tenant", a.key, level)
				require.Empty(t, a.value.AsRaw(), level)
				continue
			}
			first[a.key] = a.value.AsRaw()
		}
		require.Equal(t, want, first, level)
	})
	require.Positive(t, visited)
}

// generated is the collector's own sample telemetry.
func generated(signal identity.Signal) any {
	const items = 7
	switch signal {
	case identity.Traces:
		return testdata.GenerateTraces(items)
	case identity.Metrics:
		return testdata.GenerateMetrics(items)
	case identity.Logs:
		return testdata.GenerateLogs(items)
	default:
		return testdata.GenerateProfiles(items)
	}
}

func TestNothingElseIsChanged(t *testing.T) {
	eachTagging(t, func(t *testing.T, signal identity.Signal, level TagLevel, tagged string) {
		t.Helper()
		h := newHarness(t, tagging(level))
		for name, data := range map[string]any{
			"generated":   generated(signal),
			"every level": everyLevel(signal, func(m pcommon.Map) { m.PutEmptySlice("list").AppendEmpty().SetEmptyBytes().Append(1) }),
		} {
			before := marshal(t, data)
			got := h.send(t, aKey(ofProjects("default")), data)
			tags := 0
			walk(got, func(at string, attrs []attr) {
				if at == tagged {
					tags += len(under(attrs, "apikey"))
				}
			})
			if level == TagNone {
				assert.Zero(t, tags, name)
			} else {
				assert.Positive(t, tags, name)
			}
			removeTags(got)
			want, err := unmarshal(signal, before)
			require.NoError(t, err)
			assert.Equal(t, marshal(t, want), marshal(t, got), name)
		}
	})
}

// removeTags undoes what the processor is to add, and nothing else. It relies on
// tags being last.
func removeTags(data any) {
	ours := func(key string, _ pcommon.Value) bool { return key == "apikey.id" || key == "apikey.name" }
	everyMap(data, func(m pcommon.Map) { m.RemoveIf(ours) })
	pd, ok := data.(pprofile.Profiles)
	if !ok {
		return
	}
	dic := pd.Dictionary()
	table, sent := dic.AttributeTable(), 0
	for sent < table.Len() && len(under([]attr{entryOf(dic, sent)}, "apikey")) == 0 {
		sent++
	}
	i := 0
	table.RemoveIf(func(pprofile.KeyValueAndUnit) bool { i++; return i > sent })
	kept := dic.StringTable().AsRaw()
	for len(kept) > 0 && (kept[len(kept)-1] == "apikey.id" || kept[len(kept)-1] == "apikey.name") {
		kept = kept[:len(kept)-1]
	}
	dic.StringTable().FromRaw(kept)
	for _, rp := range pd.ResourceProfiles().All() {
		for _, sp := range rp.ScopeProfiles().All() {
			for _, profile := range sp.Profiles().All() {
				profile.AttributeIndices().RemoveIf(func(i int32) bool { return int(i) >= sent })
			}
		}
	}
}
