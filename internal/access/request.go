// Package access knows what became of requests. Doors record each request when
// it has ended, which costs next to nothing and takes no lock that all requests
// share; from there what was recorded is taken now and then, as counts of
// requests that are alike, and as lines of single ones.
package access

import (
	"net/netip"
	"time"

	"github.com/otlpgate/otlpgate/internal/identity"
)

// Outcome is what became of a request.
type Outcome string

// Accepted requests were let in and taken over by what is behind the gate, or
// carried out by the admin API, be it that some of their items were refused.
// Refused ones the gate turned away, and Failed ones it let in, but they came to
// nothing behind it.
const (
	Accepted Outcome = "accepted"
	Refused  Outcome = "refused"
	Failed   Outcome = "failed"
)

// Outcomes lists them.
func Outcomes() []Outcome { return []Outcome{Accepted, Refused, Failed} }

// Why requests failed over OTLP; those of the admin API have its problem codes.
// Refused ones have an identity.Reason.
const (
	// PipelineFailed means that a component behind the gate returned an error.
	PipelineFailed = "pipeline_failed"
	// InvalidRequest means that the receiver could not read the request.
	InvalidRequest = "invalid_request"
	// Canceled means that the sender went away before the answer.
	Canceled = "canceled"
)

// Transport is how a request came.
type Transport string

// The transports.
const (
	GRPC Transport = "grpc"
	HTTP Transport = "http"
)

// Group is what requests that are counted together have in common. It is
// comparable.
type Group struct {
	// Minute is when they ended, in Unix minutes.
	Minute int64
	// KeyID is the key that was presented, whether it let them in or not; empty
	// where there was none that exists.
	KeyID string
	// KeyType is empty where KeyID is.
	KeyType identity.KeyType
	// Secret tells the secrets of one key apart.
	Secret [8]byte
	// Hint is what people may see of a key that does not exist; empty elsewhere.
	Hint string
	// Endpoint is the signal, as in "traces", "telemetry" where that is not
	// known; or the call of the admin API, as in "GET /api/v1/api-keys/{id}".
	Endpoint  string
	Transport Transport
	Outcome   Outcome
	// Reason says why they were refused or failed; empty where they were accepted.
	Reason string
	// Status is that of the answer over HTTP. Over gRPC it is the one that
	// OTLP/HTTP has for the answer's code.
	Status int
	// Address is that of the client behind any trusted proxies; invalid where
	// unknown.
	Address netip.Addr
}

// SetKey sets the key that was presented.
func (g *Group) SetKey(id *identity.Identity) {
	g.KeyID, g.KeyType, g.Secret = id.KeyID, id.KeyType, id.SecretInfo.Ref
}

// SetDenied sets what is known of a key that was refused.
func (g *Group) SetDenied(d *identity.Denial) {
	g.Hint = d.Hint
	if d.Key != nil {
		g.SetKey(d.Key)
	}
}

// UnknownCountry is where addresses are whose country is not known: CLDR's code for
// an unknown region, which ISO 3166-1 leaves to its users.
const UnknownCountry = "ZZ"

// Volume is how much there was.
type Volume struct {
	Requests int64
	// Items are the spans, data points, log records and samples of profiles that
	// passed the gate in requests that were accepted.
	Items int64
	// RefusedItems are those that the gate turned away, as far as it saw them: of
	// a request that is refused before it is decoded nobody knows its items.
	RefusedItems int64
	// Bytes are those of the bodies, decompressed, as far as they were read.
	Bytes int64
	// Duration is how long the requests were under way, together.
	Duration time.Duration
}

// Add adds another volume.
func (v *Volume) Add(w *Volume) {
	v.Requests += w.Requests
	v.Items += w.Items
	v.RefusedItems += w.RefusedItems
	v.Bytes += w.Bytes
	v.Duration += w.Duration
}

// Less returns what is left without another volume.
func (v *Volume) Less(w *Volume) Volume {
	return Volume{
		v.Requests - w.Requests, v.Items - w.Items, v.RefusedItems - w.RefusedItems, v.Bytes - w.Bytes, v.Duration - w.Duration,
	}
}

// Request is one request as it ended, or several of one stream. Its minute is
// that of At.
type Request struct {
	Group
	Volume
	Arrived   time.Time
	At        time.Time
	UserAgent string
	// Country is where the address is, an ISO 3166 code or UnknownCountry; empty until
	// somebody has looked it up.
	Country string
}

// Count is how much there was of the requests of a group.
type Count struct {
	Group
	Volume
	// UserAgent is that of one of them.
	UserAgent string
	Country   string
	// Logged are those of the requests that have a line of their own.
	Logged Volume
}
