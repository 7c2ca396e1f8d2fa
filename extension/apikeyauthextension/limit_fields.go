package apikeyauthextension

import (
	"net/http"
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/otlpgate/otlpgate/internal/identity"
)

// setLimitHeaders tells the sender how much of its limits is left. The
// admission is nil where no key was recognized.
func setLimitHeaders(h http.Header, a *identity.Admission, signal identity.Signal) {
	if a == nil {
		return
	}
	for _, f := range a.Tab.Fields(signal.Traffic()) {
		h.Set(f.Name, f.Value)
	}
}

// limitMetadata is the same for gRPC.
func limitMetadata(a *identity.Admission, signal identity.Signal) metadata.MD {
	if a == nil {
		return nil
	}
	fields := a.Tab.Fields(signal.Traffic())
	if len(fields) == 0 {
		return nil
	}
	md := make(metadata.MD, len(fields))
	for _, f := range fields {
		md[strings.ToLower(f.Name)] = []string{f.Value}
	}
	return md
}
