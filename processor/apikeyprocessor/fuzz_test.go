package apikeyprocessor

import (
	"errors"
	"testing"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pprofile"

	"github.com/otlpgate/otlpgate/internal/identity"
)

func FuzzTraces(f *testing.F)   { fuzz(f, identity.Traces) }
func FuzzMetrics(f *testing.F)  { fuzz(f, identity.Metrics) }
func FuzzLogs(f *testing.F)     { fuzz(f, identity.Logs) }
func FuzzProfiles(f *testing.F) { fuzz(f, identity.Profiles) }

// fuzz lets a key of some projects send arbitrary OTLP. Whatever it sends,
// nothing but the tags is under reserved names in what comes out, nothing of
// another project is, and every item is accounted for.
func fuzz(f *testing.F, signal identity.Signal) {
	f.Helper()
	f.Add(marshal(f, generated(signal)))
	f.Add(marshal(f, projects(signal, "mine", "theirs", "", "default")))
	f.Add(marshal(f, everyLevel(signal, func(m pcommon.Map) { spoof(f, m) })))
	if signal == identity.Profiles {
		pd, profile, add := aProfile("apikey.id", "x")
		profile.AttributeIndices().Append(add(0, "spoofed"), add(2, "spoofed"), add(1, "kept"), 7, -1)
		f.Add(marshal(f, pd))
	}
	gate := &fakeGate{}
	p := startedBehind(f, gate, func(c *Config) { c.Attributes.Owner = "tenant.id" })
	f.Fuzz(func(t *testing.T, b []byte) {
		data, err := unmarshal(signal, b)
		if err != nil {
			t.Skip()
		}
		before := itemsOf(data)
		a := identity.NewAdmission(aKey(ofProjects("mine", "default")), gate)
		if err := process(client.NewContext(t.Context(), client.Info{Auth: a}), p, data); err != nil {
			var refusal *identity.Refusal
			if !errors.As(err, &refusal) || refusal.Reason != identity.ProjectNotAllowed || a.Refused() != refusal {
				t.Fatalf("refused with %v, recorded %v", err, a.Refused())
			}
			return
		}
		if after := itemsOf(data); before != after+int(a.Rejected(signal).Items) {
			t.Fatalf("of %d items %d passed and %d were rejected", before, after, a.Rejected(signal).Items)
		}
		requireHonest(t, data)
		if pd, ok := data.(pprofile.Profiles); !ok || marshalable(pd) {
			requireHonest(t, forwarded(t, data))
		}
	})
}

// marshalable leaves out what pdata makes no request of: attributes without a
// name.
func marshalable(pd pprofile.Profiles) bool {
	c := pprofile.NewProfiles()
	pd.CopyTo(c)
	b, err := new(pprofile.ProtoMarshaler).MarshalProfiles(c)
	if err != nil {
		return false
	}
	_, err = new(pprofile.ProtoUnmarshaler).UnmarshalProfiles(b)
	return err == nil
}

func requireHonest(t *testing.T, data any) {
	t.Helper()
	tags := map[string]string{"apikey.id": "key_1", "apikey.name": "ingest", "tenant.id": "usr_1"}
	record := recordLevel[signalOf(data)]
	walk(data, func(level string, attrs []attr) {
		found := under(attrs, "apikey", "tenant.id")
		if level != record {
			if len(found) > 0 {
				t.Fatalf("%s has %q", level, found)
			}
			return
		}
		if len(found) != len(tags) {
			t.Fatalf("%s has %q", level, found)
		}
		for _, a := range attrs[len(attrs)-len(tags):] {
			if a.value.AsString() != tags[a.key] {
				t.Fatalf("%s has %s=%q", level, a.key, a.value.AsString())
			}
		}
	})
	for _, project := range projectsOf(data) {
		if project != "mine" && project != "default" && project != "" {
			t.Fatalf("project %q passed", project)
		}
	}
}
