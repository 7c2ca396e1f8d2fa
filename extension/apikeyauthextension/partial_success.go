package apikeyauthextension

import (
	collogspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	colprofilespb "go.opentelemetry.io/proto/otlp/collector/profiles/v1development"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/otlpgate/otlpgate/internal/identity"
)

// partialSuccess returns the OTLP answer that says what the pipeline rejected
// of signal, nil where it rejected nothing or the answer is not OTLP's.
func partialSuccess(signal identity.Signal, a *identity.Admission) proto.Message {
	rejected := a.Rejected(signal)
	if rejected.Items == 0 {
		return nil
	}
	switch signal {
	case identity.Traces:
		return &coltracepb.ExportTraceServiceResponse{PartialSuccess: &coltracepb.ExportTracePartialSuccess{
			RejectedSpans: rejected.Items, ErrorMessage: rejected.Message,
		}}
	case identity.Metrics:
		return &colmetricspb.ExportMetricsServiceResponse{PartialSuccess: &colmetricspb.ExportMetricsPartialSuccess{
			RejectedDataPoints: rejected.Items, ErrorMessage: rejected.Message,
		}}
	case identity.Logs:
		return &collogspb.ExportLogsServiceResponse{PartialSuccess: &collogspb.ExportLogsPartialSuccess{
			RejectedLogRecords: rejected.Items, ErrorMessage: rejected.Message,
		}}
	case identity.Profiles:
		return &colprofilespb.ExportProfilesServiceResponse{PartialSuccess: &colprofilespb.ExportProfilesPartialSuccess{
			RejectedProfiles: rejected.Items, ErrorMessage: rejected.Message,
		}}
	case identity.SignalUnknown:
	}
	return nil
}
