package apikeyprocessor

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otlpgate/otlpgate/internal/identity"
)

const projectName = "openinference.project.name"

func TestRequestWithRefusedProjectsAloneIsRefusedWhole(t *testing.T) {
	h := newHarness(t)
	for _, signal := range identity.Signals() {
		t.Run(signal.String(), func(t *testing.T) {
			refusal := h.sendRefused(t, aKey(ofProjects("mine")), projects(signal, "theirs", "other", "theirs"))
			assert.Equal(t, identity.ProjectNotAllowed, refusal.Reason)
			assert.Equal(t, codes.PermissionDenied, status.Code(refusal))
			assert.True(t, consumererror.IsPermanent(refusal))
			assert.Equal(t, `this API key has no access to project "theirs", "other": send to a project of the key, or ask its owner to add this one`, refusal.Message)
		})
	}
}

func TestRefusedProjectsAreDroppedAndTheRestPassesTagged(t *testing.T) {
	h := newHarness(t)
	for _, signal := range identity.Signals() {
		t.Run(signal.String(), func(t *testing.T) {
			a := h.admit(aKey(ofProjects("mine", "ours")))
			h.received = nil
			items := []int{3, 2, 0, 4, 1}
			names := []string{"mine", "theirs", "other", "ours", "theirs"}
			require.NoError(t, h.consume(a.in(t), resources(signal, len(names), func(i int, m pcommon.Map) int {
				m.PutStr(projectName, names[i])
				return items[i]
			})))
			require.Len(t, h.received, 1)
			assert.Equal(t, 7, itemsOf(h.received[0]))
			assert.Equal(t, []string{"mine", "ours"}, projectsOf(h.received[0]))
			walk(h.received[0], func(level string, attrs []attr) {
				if level == recordLevel[signal] {
					assert.Equal(t, map[string]any{"apikey.id": "key_1", "apikey.name": "ingest"}, raw(t, attrs))
				}
			})
			assert.Nil(t, a.Refused())
			rejection := a.Rejected(signal)
			assert.EqualValues(t, 3, rejection.Items)
			assert.Contains(t, rejection.Message, `"theirs", "other"`)
		})
	}
}

// projectsOf lists the projects that telemetry names as text.
func projectsOf(data any) []string {
	var names []string
	walk(data, func(level string, attrs []attr) {
		for _, a := range attrs {
			if level == "resource" && a.key == projectName {
				names = append(names, a.value.AsString())
			}
		}
	})
	return names
}

func TestProjectOfAResource(t *testing.T) {
	text := func(name string) func(pcommon.Map) {
		return func(m pcommon.Map) { m.PutStr(projectName, name) }
	}
	nested := func(name string) func(pcommon.Map) {
		return func(m pcommon.Map) {
			m.PutEmptyMap("openinference").PutEmptyMap("project").PutStr("name", name)
		}
	}
	all := func(parts ...func(pcommon.Map)) func(pcommon.Map) {
		return func(m pcommon.Map) {
			for _, part := range parts {
				part(m)
			}
		}
	}
	for name, test := range map[string]struct {
		allowed []string
		fill    func(pcommon.Map)
		refused string // the project named in the refusal, empty if allowed
	}{
		"any, without restriction":     {nil, text("x"), ""},
		"named":                        {[]string{"a", "b"}, text("b"), ""},
		"other":                        {[]string{"a", "b"}, text("c"), "c"},
		"upper case is another":        {[]string{"a"}, text("A"), "A"},
		"space is another":             {[]string{"a"}, text("a "), "a "},
		"prefix is another":            {[]string{"ab"}, text("a"), "a"},
		"absent is default, allowed":   {[]string{"default"}, all(), ""},
		"absent is default, refused":   {[]string{"a"}, all(), "default"},
		"empty is default, allowed":    {[]string{"default"}, text(""), ""},
		"empty is default, refused":    {[]string{"a"}, text(""), "default"},
		"no value is default":          {[]string{"a"}, func(m pcommon.Map) { m.PutEmpty(projectName) }, "default"},
		"number, refused":              {[]string{"a"}, func(m pcommon.Map) { m.PutInt(projectName, 5) }, "5"},
		"number, could be default":     {[]string{"5"}, func(m pcommon.Map) { m.PutInt(projectName, 5) }, "default"},
		"number, all it could be":      {[]string{"5", "default"}, func(m pcommon.Map) { m.PutInt(projectName, 5) }, ""},
		"bool, refused":                {[]string{"a", "default"}, func(m pcommon.Map) { m.PutBool(projectName, true) }, "true"},
		"list, refused":                {[]string{"a", "default"}, func(m pcommon.Map) { m.PutEmptySlice(projectName).AppendEmpty().SetStr("a") }, `["a"]`},
		"map, refused":                 {[]string{"a", "default"}, func(m pcommon.Map) { m.PutEmptyMap(projectName).PutStr("a", "a") }, `{"a":"a"}`},
		"nested, refused":              {[]string{"default"}, nested("theirs"), "theirs"},
		"nested, could be default":     {[]string{"a"}, nested("a"), "default"},
		"nested, all it could be":      {[]string{"a", "default"}, nested("a"), ""},
		"nested against flat":          {[]string{"a"}, all(text("a"), nested("theirs")), "theirs"},
		"nested like flat":             {[]string{"a"}, all(text("a"), nested("a")), ""},
		"partly nested":                {[]string{"a"}, all(text("a"), func(m pcommon.Map) { m.PutEmptyMap("openinference.project").PutStr("name", "theirs") }), "theirs"},
		"below the name is none":       {[]string{"a"}, all(text("a"), func(m pcommon.Map) { m.PutStr(projectName+".x", "theirs") }), ""},
		"nested without a name":        {[]string{"a"}, all(text("a"), func(m pcommon.Map) { m.PutEmptyMap("openinference").PutStr("span", "x") }), ""},
		"other attributes say nothing": {[]string{"a"}, all(text("a"), func(m pcommon.Map) { m.PutStr("project", "theirs") }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			data := func() any {
				return resources(identity.Logs, 1, func(_ int, m pcommon.Map) int { test.fill(m); return 1 })
			}
			key := aKey(ofProjects(test.allowed...))
			if test.refused == "" {
				assert.Equal(t, 1, itemsOf(h.send(t, key, data())))
				return
			}
			assert.Equal(t, refusedProjects{test.refused}.message(), h.sendRefused(t, key, data()).Message)
		})
	}
}

func TestEveryOccurrenceOfTheProjectMustBeAllowed(t *testing.T) {
	h := newHarness(t)
	for _, signal := range identity.Signals() {
		for name, test := range map[string]struct {
			values  [2]string
			allowed []string
			refused bool
		}{
			"first refused":     {[2]string{"theirs", "mine"}, []string{"mine"}, true},
			"second refused":    {[2]string{"mine", "theirs"}, []string{"mine"}, true},
			"both allowed":      {[2]string{"mine", "ours"}, []string{"mine", "ours"}, false},
			"empty is default":  {[2]string{"", "mine"}, []string{"mine"}, true},
			"empty and default": {[2]string{"", "mine"}, []string{"mine", "default"}, false},
		} {
			t.Run(signal.String()+"/"+name, func(t *testing.T) {
				data := repeated(t, resources(signal, 1, func(_ int, m pcommon.Map) int {
					m.PutStr(projectName, test.values[0])
					m.PutStr(unrepeated(projectName), test.values[1])
					return 1
				}), projectName)
				if test.refused {
					assert.Equal(t, identity.ProjectNotAllowed, h.sendRefused(t, aKey(ofProjects(test.allowed...)), data).Reason)
				} else {
					h.send(t, aKey(ofProjects(test.allowed...)), data)
				}
			})
		}
	}
}

// unrepeated returns a stand-in for an attribute name, which pdata does not let
// occur twice in a map. repeated puts the name in its place, as a sender could.
func unrepeated(name string) string { return name[:len(name)-1] + "?" }

func repeated(tb testing.TB, data any, names ...string) any {
	tb.Helper()
	b := marshal(tb, data)
	for _, name := range names {
		require.Contains(tb, string(b), unrepeated(name))
		b = bytes.ReplaceAll(b, []byte(unrepeated(name)), []byte(name))
	}
	data, err := unmarshal(signalOf(data), b)
	require.NoError(tb, err)
	return data
}

func TestRefusedProjectsAreNamedWithinBounds(t *testing.T) {
	hostile := []string{
		strings.Repeat("x", 10<<20), "line\r\nX-Injected: 1", "\x00\x1b[31m", "\xff\xfe" + strings.Repeat("\xf0\x9f", 500),
		strings.Repeat("\U0010FFFF", 1000), "\u202eevil", `"quoted"`,
	}
	for i := range hostile {
		hostile[i] += string(rune('a' + i))
	}
	for i := range 1000 {
		hostile = append(hostile, strings.Repeat("p", 100)+string(rune('a'+i)))
	}
	h := newHarness(t)
	for shift := range 7 {
		names := append(hostile[shift:], hostile[:shift]...)
		refusal := h.sendRefused(t, aKey(ofProjects("mine")), projects(identity.Traces, names...))
		assert.Less(t, len(refusal.Message), 3*10*maxNameLetters+300)
		assert.True(t, utf8.ValidString(refusal.Message), "%q", refusal.Message)
		assert.NotContains(t, refusal.Message, "\n")
		assert.NotContains(t, refusal.Message, "\x1b")
		assert.NotContains(t, refusal.Message, "\u202e")
		assert.Contains(t, refusal.Message, ", …: send to")
		assert.Len(t, refusal.GRPCStatus().Details(), 1)
	}
}

func TestLongProjectNamesAreCutBetweenLetters(t *testing.T) {
	for name, want := range map[string]string{
		"":                        "",
		strings.Repeat("ä", 64):   strings.Repeat("ä", 64),
		strings.Repeat("ä", 65):   strings.Repeat("ä", 64) + "…",
		strings.Repeat("\xff", 9): strings.Repeat("\xff", 9),
	} {
		assert.Equal(t, want, shorten(name))
	}
}

func TestRequestsWithoutItemsPassUnlessRefused(t *testing.T) {
	h := newHarness(t)
	for _, signal := range identity.Signals() {
		t.Run(signal.String(), func(t *testing.T) {
			none := func(int, pcommon.Map) int { return 0 }
			assert.Zero(t, itemsOf(h.send(t, aKey(), resources(signal, 0, none))))
			assert.Zero(t, itemsOf(h.send(t, aKey(ofProjects("mine")), resources(signal, 0, none))))
			assert.Zero(t, itemsOf(h.send(t, aKey(ofProjects("default")), resources(signal, 2, none))))
			h.sendRefused(t, aKey(ofProjects("mine")), resources(signal, 2, none))

			// Nothing allowed is left but an empty resource.
			refusal := h.sendRefused(t, aKey(ofProjects("mine")), resources(signal, 2, func(i int, m pcommon.Map) int {
				m.PutStr(projectName, []string{"mine", "theirs"}[i])
				return i
			}))
			assert.Equal(t, identity.ProjectNotAllowed, refusal.Reason)
		})
	}
}

func TestProjectAttributeIsConfigurable(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.ProjectAttribute = "service.name" })
	data := resources(identity.Traces, 1, func(_ int, m pcommon.Map) int { m.PutStr("service.name", "mine"); return 1 })
	h.send(t, aKey(ofProjects("mine")), data)
	h.sendRefused(t, aKey(ofProjects("mine")), projects(identity.Traces, "mine"))
}
