package identity

import (
	"errors"
	"net/http"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Reason is the stable, machine-readable cause of a refusal. It is the label
// of the self-metrics and the reason of the google.rpc.ErrorInfo in answers.
type Reason string

// Why a request is refused.
const (
	NoCredential        Reason = "no_credential"
	MalformedCredential Reason = "malformed_credential"
	ConflictingKeys     Reason = "conflicting_credentials"
	UnknownKey          Reason = "unknown_key"
	RevokedKey          Reason = "revoked_key"
	ExpiredKey          Reason = "expired_key"
	DisabledKey         Reason = "disabled_key"
	NoIdentity          Reason = "no_identity"
	MissingScope        Reason = "missing_scope"
	AddressNotAllowed   Reason = "address_not_allowed"
	ProjectNotAllowed   Reason = "project_not_allowed"
	TooManyFailures     Reason = "too_many_failures"
	KeyUnresolvable     Reason = "key_unresolvable"
	RateLimited         Reason = "rate_limited"
	ConcurrencyExceeded Reason = "concurrency_exceeded"
	LargerThanLimit     Reason = "larger_than_limit"
	LimitsUnavailable   Reason = "limits_unavailable"
)

// codeOf gives each reason its gRPC code; the OTLP specification derives
// whether clients retry from it.
var codeOf = map[Reason]codes.Code{
	NoCredential:        codes.Unauthenticated,
	MalformedCredential: codes.Unauthenticated,
	ConflictingKeys:     codes.Unauthenticated,
	UnknownKey:          codes.Unauthenticated,
	RevokedKey:          codes.Unauthenticated,
	ExpiredKey:          codes.Unauthenticated,
	DisabledKey:         codes.Unauthenticated,
	NoIdentity:          codes.Unauthenticated,
	MissingScope:        codes.PermissionDenied,
	AddressNotAllowed:   codes.PermissionDenied,
	ProjectNotAllowed:   codes.PermissionDenied,
	TooManyFailures:     codes.ResourceExhausted,
	KeyUnresolvable:     codes.Unavailable,
	RateLimited:         codes.ResourceExhausted,
	ConcurrencyExceeded: codes.ResourceExhausted,
	LargerThanLimit:     codes.InvalidArgument,
	LimitsUnavailable:   codes.Unavailable,
}

// httpStatusOf maps the codes above as the OTLP/HTTP specification does.
var httpStatusOf = map[codes.Code]int{
	codes.InvalidArgument:   http.StatusBadRequest,
	codes.Unauthenticated:   http.StatusUnauthorized,
	codes.PermissionDenied:  http.StatusForbidden,
	codes.ResourceExhausted: http.StatusTooManyRequests,
	codes.Unavailable:       http.StatusServiceUnavailable,
}

// errorDomain names this project in google.rpc.ErrorInfo.
const errorDomain = "otlpgate"

// Refusal is the answer to a request that is not let through: an error whose
// text is fit for the caller, with the status of each transport. It never
// contains a credential. Immutable.
type Refusal struct {
	Reason  Reason
	Message string
	// RetryAfter is how long the caller should wait; zero where retrying
	// cannot help. At least a second, since the OTLP receiver truncates it to
	// whole seconds.
	RetryAfter time.Duration

	code     codes.Code        // in place of the reason's own, where it is set
	metadata map[string]string // of the google.rpc.ErrorInfo
}

// NewRefusal refuses for good.
func NewRefusal(reason Reason, message string) *Refusal {
	return &Refusal{Reason: reason, Message: message}
}

// NewRetryableRefusal refuses for now. The wait is rounded up to whole
// seconds, at least one.
func NewRetryableRefusal(reason Reason, message string, wait time.Duration) *Refusal {
	wait = max((wait + time.Second - 1).Truncate(time.Second), time.Second)
	return &Refusal{Reason: reason, Message: message, RetryAfter: wait}
}

// Error returns the message alone: confighttp prints it into the body.
func (r *Refusal) Error() string { return r.Message }

// Code returns the gRPC code. A reason without one is still a refusal: the zero
// code would tell the caller that all is well.
func (r *Refusal) Code() codes.Code {
	if r.code != codes.OK {
		return r.code
	}
	if code, ok := codeOf[r.Reason]; ok {
		return code
	}
	return codes.PermissionDenied
}

// HTTPStatus returns the HTTP status that OTLP/HTTP gives the code.
func (r *Refusal) HTTPStatus() int { return httpStatusOf[r.Code()] }

// GRPCStatus returns the status with a google.rpc.ErrorInfo and, where the
// caller may retry, a google.rpc.RetryInfo: without it exporters treat
// RESOURCE_EXHAUSTED as permanent.
func (r *Refusal) GRPCStatus() *status.Status {
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{
		Reason: string(r.Reason), Domain: errorDomain, Metadata: r.metadata,
	}}
	if r.RetryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(r.RetryAfter)})
	}
	st := status.New(r.Code(), r.Message)
	if detailed, err := st.WithDetails(details...); err == nil {
		return detailed
	}
	return st
}

var errPermanent = consumererror.NewPermanent(errors.New("refused"))

// Unwrap lets consumererror.IsPermanent see that retrying cannot help, so that
// receivers without OTLP statuses answer a client error too.
func (r *Refusal) Unwrap() error {
	if r.RetryAfter > 0 {
		return nil
	}
	return errPermanent
}

// scopeRefusals are made once: a door may have to give them often.
var scopeRefusals = func() (refusals [signalCount]*Refusal) {
	for s := range signalCount {
		need := s.String() + ":write"
		if s == SignalUnknown {
			need = "a :write scope of some signal"
		}
		refusals[s] = NewRefusal(MissingScope,
			"this API key may not send "+s.String()+": it lacks "+need+"; ask its owner to add the scope")
	}
	return refusals
}()

// RefuseScope returns the refusal of a key that may not send signal.
func RefuseScope(signal Signal) *Refusal { return scopeRefusals[signal] }
