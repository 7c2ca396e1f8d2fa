package apikeyprocessor

import (
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pprofile"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	profilespb "go.opentelemetry.io/proto/otlp/profiles/v1development"
	"google.golang.org/protobuf/proto"

	"github.com/otlpgate/otlpgate/internal/identity"
)

// aProfile returns a profile of a request with those strings, and a function
// that adds an attribute to its table.
func aProfile(strings ...string) (pprofile.Profiles, pprofile.Profile, func(key int32, value string) int32) {
	pd := pprofile.NewProfiles()
	pd.Dictionary().StringTable().FromRaw(strings)
	profile := pd.ResourceProfiles().AppendEmpty().ScopeProfiles().AppendEmpty().Profiles().AppendEmpty()
	return pd, profile, func(key int32, value string) int32 {
		table := pd.Dictionary().AttributeTable()
		entry := table.AppendEmpty()
		entry.SetKeyStrindex(key)
		if value != "" {
			entry.Value().SetStr(value)
		}
		return int32(table.Len() - 1)
	}
}

// forwarded returns telemetry as the next collector gets it.
func forwarded(t *testing.T, data any) any {
	t.Helper()
	data, err := unmarshal(signalOf(data), marshal(t, data))
	require.NoError(t, err)
	return data
}

func TestProfileDictionaryKeepsItsEmptyFirstEntries(t *testing.T) {
	for name, table := range map[string][]string{"no tables": nil, "string table": {"", "x"}} {
		t.Run(name, func(t *testing.T) {
			pd, _, _ := aProfile(table...)
			dic := newHarness(t).send(t, aKey(), pd).(pprofile.Profiles).Dictionary()
			assert.Empty(t, dic.StringTable().At(0))
			assert.Zero(t, dic.AttributeTable().At(0).KeyStrindex())
			assert.Equal(t, pcommon.ValueTypeEmpty, dic.AttributeTable().At(0).Value().Type())
		})
	}
}

func TestProfileTagsNeverHaveTheNameAtIndexZero(t *testing.T) {
	pd, _, add := aProfile("apikey.id", "apikey.name")
	add(0, "")
	got := newHarness(t).send(t, aKey(), pd).(pprofile.Profiles)
	walk(got, func(level string, attrs []attr) {
		if level == "profile" {
			assert.Equal(t, map[string]any{"apikey.id": "key_1", "apikey.name": "ingest"}, raw(t, attrs))
		}
	})
	for _, entry := range got.Dictionary().AttributeTable().All() {
		if entry.Value().Type() != pcommon.ValueTypeEmpty {
			assert.NotZero(t, entry.KeyStrindex())
		}
	}
}

func TestProfilesOfARequestShareTheTags(t *testing.T) {
	got := newHarness(t).send(t, aKey(), projects(identity.Profiles, "a", "b", "c")).(pprofile.Profiles)
	assert.Equal(t, 3, got.Dictionary().AttributeTable().Len(), "the empty one and two tags")
}

// The key of the entry leads just behind the strings sent, where the processor
// or an exporter would put the name of a tag.
func TestAttributesOfProfilesCannotBorrowATagsName(t *testing.T) {
	for _, level := range []TagLevel{TagRecord, TagResource, TagNone} {
		t.Run(string(level), func(t *testing.T) {
			pd, profile, add := aProfile("", "innocent")
			add(0, "")
			for ahead := range int32(8) {
				profile.AttributeIndices().Append(add(2+ahead, "spoofed"))
			}
			profile.AttributeIndices().Append(add(1, "kept"))
			pd.ResourceProfiles().At(0).Resource().Attributes().PutStr("x", "apikey.id")
			got := forwarded(t, newHarness(t, tagging(level)).send(t, aKey(), pd))
			walk(got, func(at string, attrs []attr) {
				if at != "profile" {
					return
				}
				want := map[string]any{"innocent": "kept"}
				if level == TagRecord {
					want["apikey.id"], want["apikey.name"] = "key_1", "ingest"
				}
				assert.Equal(t, want, raw(t, attrs))
			})
		})
	}
}

// The same with references to attributes: they must not come to mean the tags.
func TestReferencesBehindTheAttributeTableAreRemoved(t *testing.T) {
	pd, profile, add := aProfile("", "innocent")
	add(0, "")
	ok := add(1, "kept")
	sample, dic := profile.Samples().AppendEmpty(), pd.Dictionary()
	wild := []int32{2, ok, 3, 4, 1000, math.MaxInt32, -1, math.MinInt32, 0}
	for _, indices := range []pcommon.Int32Slice{
		profile.AttributeIndices(), sample.AttributeIndices(),
		dic.LocationTable().AppendEmpty().AttributeIndices(), dic.MappingTable().AppendEmpty().AttributeIndices(),
	} {
		indices.Append(wild...)
	}
	newHarness(t).send(t, aKey(), pd)
	assert.Equal(t, []int32{ok, 0, 2, 3}, profile.AttributeIndices().AsRaw())
	for _, indices := range []pcommon.Int32Slice{
		sample.AttributeIndices(), dic.LocationTable().At(0).AttributeIndices(), dic.MappingTable().At(0).AttributeIndices(),
	} {
		assert.Equal(t, []int32{ok, 0}, indices.AsRaw())
	}
}

func TestReservedEntriesAreGoneFromTheAttributeTable(t *testing.T) {
	for _, level := range []TagLevel{TagRecord, TagResource, TagNone} {
		t.Run(string(level), func(t *testing.T) {
			pd, profile, add := aProfile("", "apikey.id", "apikey.x", "kept")
			profile.AttributeIndices().Append(add(1, "spoofed"), add(2, "spoofed"), add(3, "yes"))
			got := newHarness(t, tagging(level)).send(t, aKey(), pd).(pprofile.Profiles)
			for i := range got.Dictionary().AttributeTable().Len() {
				entry := entryOf(got.Dictionary(), i)
				if len(under([]attr{entry}, "apikey")) > 0 {
					assert.Equal(t, TagRecord, level)
					assert.Contains(t, []string{"key_1", "ingest"}, entry.value.AsString())
				}
			}
		})
	}
}

// Names in profiles may be indices into the string table, deep in values too,
// and pdata neither resolves nor shows them there.
func TestNestedNamesOfProfilesMayBeReferences(t *testing.T) {
	reference := func(name int32, value *commonpb.AnyValue) *commonpb.AnyValue {
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: &commonpb.KeyValueList{
			Values: []*commonpb.KeyValue{{KeyStrindex: name, Value: value}},
		}}}
	}
	text := &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: "spoofed"}}
	for i, value := range []*commonpb.AnyValue{reference(2, text), reference(3, reference(4, text))} {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			b, err := proto.Marshal(&profilespb.ProfilesData{
				Dictionary: &profilespb.ProfilesDictionary{
					StringTable:    []string{"", "tenant", "id.of", "id", "of"},
					AttributeTable: []*profilespb.KeyValueAndUnit{{}, {KeyStrindex: 1, Value: value}},
				},
				ResourceProfiles: []*profilespb.ResourceProfiles{{ScopeProfiles: []*profilespb.ScopeProfiles{{
					Profiles: []*profilespb.Profile{{AttributeIndices: []int32{1}}},
				}}}},
			})
			require.NoError(t, err)
			data, err := unmarshal(identity.Profiles, b)
			require.NoError(t, err)
			h := newHarness(t, func(c *Config) { c.Attributes.Owner = "tenant.id.of" })
			assert.NotContains(t, string(marshal(t, h.send(t, aKey(), data))), "spoofed")
		})
	}
}
