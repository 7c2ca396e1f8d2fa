package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/pprofile/pprofileotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

const projectAttribute = "openinference.project.name"

// signal is a kind of telemetry and how OTLP carries it.
type signal struct {
	name, path, method string
	// request is one item for each project; the empty project is not named.
	request func(projects ...string) message
	// partial reads what an answer says was rejected.
	partial func(body []byte, json bool) (int64, string, error)
}

func (s signal) scope() string { return s.name + ":write" }

// message is a request or answer of OTLP in either encoding.
type message interface {
	MarshalProto() ([]byte, error)
	MarshalJSON() ([]byte, error)
}

type decoder interface {
	UnmarshalProto([]byte) error
	UnmarshalJSON([]byte) error
}

func decode(into decoder, body []byte, json bool) error {
	if json {
		return into.UnmarshalJSON(body)
	}
	return into.UnmarshalProto(body)
}

var (
	traces   = signal{"traces", "/v1/traces", service("trace.v1.Trace"), traceRequest, tracePartial}
	metrics  = signal{"metrics", "/v1/metrics", service("metrics.v1.Metrics"), metricRequest, metricPartial}
	logs     = signal{"logs", "/v1/logs", service("logs.v1.Logs"), logRequest, logPartial}
	profiles = signal{"profiles", "/v1development/profiles", service("profiles.v1development.Profiles"), profileRequest, profilePartial}

	signals = []signal{traces, metrics, logs, profiles}
)

func service(name string) string {
	return fmt.Sprintf("/opentelemetry.proto.collector.%sService/Export", name)
}

func setProject(r pcommon.Resource, project string) {
	if project != "" {
		r.Attributes().PutStr(projectAttribute, project)
	}
}

func orDefault(projects []string) []string {
	if len(projects) == 0 {
		return []string{""}
	}
	return projects
}

func traceRequest(projects ...string) message {
	td := ptrace.NewTraces()
	for _, project := range orDefault(projects) {
		rs := td.ResourceSpans().AppendEmpty()
		setProject(rs.Resource(), project)
		span := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		span.SetName("work")
		span.SetTraceID([16]byte{1})
		span.SetSpanID([8]byte{1})
	}
	return ptraceotlp.NewExportRequestFromTraces(td)
}

func metricRequest(projects ...string) message {
	md := pmetric.NewMetrics()
	for _, project := range orDefault(projects) {
		rm := md.ResourceMetrics().AppendEmpty()
		setProject(rm.Resource(), project)
		m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		m.SetName("work")
		m.SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(1)
	}
	return pmetricotlp.NewExportRequestFromMetrics(md)
}

func samplesRequest(n int) message {
	pd := pprofile.NewProfiles()
	samples := pd.ResourceProfiles().AppendEmpty().ScopeProfiles().AppendEmpty().Profiles().AppendEmpty().Samples()
	for range n {
		samples.AppendEmpty()
	}
	return pprofileotlp.NewExportRequestFromProfiles(pd)
}

func logRequest(projects ...string) message {
	ld := plog.NewLogs()
	for _, project := range orDefault(projects) {
		rl := ld.ResourceLogs().AppendEmpty()
		setProject(rl.Resource(), project)
		rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("work")
	}
	return plogotlp.NewExportRequestFromLogs(ld)
}

func profileRequest(projects ...string) message {
	pd := pprofile.NewProfiles()
	for _, project := range orDefault(projects) {
		rp := pd.ResourceProfiles().AppendEmpty()
		setProject(rp.Resource(), project)
		rp.ScopeProfiles().AppendEmpty().Profiles().AppendEmpty().Samples().AppendEmpty()
	}
	return pprofileotlp.NewExportRequestFromProfiles(pd)
}

func tracePartial(body []byte, json bool) (int64, string, error) {
	r := ptraceotlp.NewExportResponse()
	err := decode(r, body, json)
	return r.PartialSuccess().RejectedSpans(), r.PartialSuccess().ErrorMessage(), err
}

func metricPartial(body []byte, json bool) (int64, string, error) {
	r := pmetricotlp.NewExportResponse()
	err := decode(r, body, json)
	return r.PartialSuccess().RejectedDataPoints(), r.PartialSuccess().ErrorMessage(), err
}

func logPartial(body []byte, json bool) (int64, string, error) {
	r := plogotlp.NewExportResponse()
	err := decode(r, body, json)
	return r.PartialSuccess().RejectedLogRecords(), r.PartialSuccess().ErrorMessage(), err
}

func profilePartial(body []byte, json bool) (int64, string, error) {
	r := pprofileotlp.NewExportResponse()
	err := decode(r, body, json)
	return r.PartialSuccess().RejectedProfiles(), r.PartialSuccess().ErrorMessage(), err
}

func marshalProto(t testing.TB, m message) []byte {
	t.Helper()
	body, err := m.MarshalProto()
	require.NoError(t, err)
	return body
}
