package apikeyprocessor

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otlpgate/otlpgate/internal/identity"
)

// hundredSpans is a request as exporters send it: 100 spans of 10 attributes.
func hundredSpans(b *testing.B, project string) []byte {
	b.Helper()
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "checkout")
	rs.Resource().Attributes().PutStr(projectName, project)
	ss := rs.ScopeSpans().AppendEmpty()
	for range 100 {
		span := ss.Spans().AppendEmpty()
		span.SetName("GET /")
		for i := range 10 {
			span.Attributes().PutStr(fmt.Sprintf("http.request.attribute.%d", i), "value")
		}
	}
	return marshal(b, td)
}

// benchmark processes the request anew each time: what is tagged already would
// be cheaper.
func benchmark(b *testing.B, key *identity.Identity, refused bool, configure ...func(*Config)) {
	b.Helper()
	gate := &fakeGate{}
	p := startedBehind(b, gate, configure...)
	request := hundredSpans(b, "mine")
	unmarshaler := ptrace.ProtoUnmarshaler{}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		td, err := unmarshaler.UnmarshalTraces(request)
		require.NoError(b, err)
		ctx := client.NewContext(b.Context(), client.Info{Auth: identity.NewAdmission(key, gate)})
		b.StartTimer()
		if _, err := p.processTraces(ctx, td); (err != nil) != refused {
			b.Fatal(err)
		}
	}
}

func BenchmarkTag100Spans(b *testing.B)         { benchmark(b, aKey(), false) }
func BenchmarkTag100SpansResource(b *testing.B) { benchmark(b, aKey(), false, tagging(TagResource)) }
func BenchmarkTag100SpansNone(b *testing.B)     { benchmark(b, aKey(), false, tagging(TagNone)) }

func BenchmarkTag100SpansOfAProject(b *testing.B) {
	benchmark(b, aKey(ofProjects("ours", "mine")), false)
}

func BenchmarkRefuseProject(b *testing.B) { benchmark(b, aKey(ofProjects("ours")), true) }

func BenchmarkRefuseScope(b *testing.B) {
	benchmark(b, aKey(func(id *identity.Identity) { id.Scopes = 0 }), true)
}
