package apikeyauthextension

import (
	"context"
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/identity"
)

// visit is what a door knows of a request besides the verdict on it.
type visit struct {
	signal    identity.Signal
	transport access.Transport
	userAgent string
}

func grpcVisit(ctx context.Context, signal identity.Signal) visit {
	return visit{signal, access.GRPC, first(metadata.ValueFromIncomingContext(ctx, "user-agent"))}
}

func httpVisit(r *http.Request, signal identity.Signal) visit {
	return visit{signal, access.HTTP, r.UserAgent()}
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// ending is how a request ended that was let in.
type ending struct {
	status   int
	reason   string // why it came to nothing; empty where it did not
	requests int64  // of a stream; 0 means 1
	bytes    int64  // of the body
}

// recordRefusal records a request that a door turns away, once.
func (e *gateExtension) recordRefusal(ctx context.Context, v verdict, at visit) {
	var r access.Request
	switch {
	case v.admission == nil:
		r = describeDenied(v.denial, at)
	case v.admission.Settle():
		r = describe(v.admission, at)
		r.RefusedItems = v.admission.Result().RefusedItems
	default:
		return
	}
	r.Outcome, r.Reason, r.Status = access.Refused, string(v.refusal.Reason), v.refusal.HTTPStatus()
	e.record(ctx, &r)
}

// recordMessage records a message of a stream that is turned away.
func (e *gateExtension) recordMessage(ctx context.Context, a *identity.Admission, refusal *identity.Refusal, at visit) {
	r := describe(a, at)
	r.Outcome, r.Reason, r.Status = access.Refused, string(refusal.Reason), refusal.HTTPStatus()
	e.record(ctx, &r)
}

// recordEnd records the end of a request that was let in, once. What the
// processor has refused counts as refused, unless the answer was that all is
// well.
func (e *gateExtension) recordEnd(ctx context.Context, a *identity.Admission, at visit, end ending) {
	if !a.Settle() {
		return
	}
	result := a.Result()
	if at.signal == identity.SignalUnknown {
		at.signal = result.Signal
	}
	r := describe(a, at)
	r.Requests, r.Bytes, r.RefusedItems = end.requests, end.bytes, result.RefusedItems
	if !a.Measured {
		r.Bytes = result.Bytes
	}
	if result.Failed && end.reason == access.InvalidRequest { // so says a component, of what the receiver could read
		end.reason = access.PipelineFailed
	}
	switch {
	case result.Refusal != nil && end.reason != "":
		r.Outcome, r.Reason, r.Status = access.Refused, string(result.Refusal.Reason), result.Refusal.HTTPStatus()
	case end.reason != "":
		r.Outcome, r.Reason, r.Status = access.Failed, end.reason, end.status
	default:
		r.Outcome, r.Status, r.Items = access.Accepted, end.status, result.Items
	}
	e.record(ctx, &r)
}

// recordUnseen records a request whose answer no door of ours has seen: by what
// the processor has noted, if there is one.
func (e *gateExtension) recordUnseen(a *identity.Admission, at visit) {
	end := ending{status: http.StatusOK}
	if result := a.Result(); result.Failed || result.Refusal != nil {
		end = ending{status: http.StatusServiceUnavailable, reason: access.PipelineFailed}
	}
	e.recordEnd(context.Background(), a, at, end)
}

// recordUnread records a request that did not come as far as the middleware: what
// lies between only ends those whose encoding it cannot read.
func (e *gateExtension) recordUnread(a *identity.Admission, at visit) {
	e.recordEnd(context.Background(), a, at, ending{status: http.StatusBadRequest, reason: access.InvalidRequest})
}

// recordAfter lets a request be recorded when its context ends, unless a door claims
// it that sees its answer. Read says that the receiver is next. It is no function,
// for which a method would be allocated.
func (e *gateExtension) recordAfter(ctx context.Context, a *identity.Admission, at visit, read bool) {
	e.unrecorded.add()
	a.EndWith(ctx, func() { //nolint:contextcheck // the context has ended
		defer e.unrecorded.done()
		if read {
			e.recordUnseen(a, at)
		} else {
			e.recordUnread(a, at)
		}
	})
}

// claim takes over what recordAfter began.
func (e *gateExtension) claim(a *identity.Admission) {
	if a.Claim() {
		e.unrecorded.done()
	}
}

func (e *gateExtension) record(ctx context.Context, r *access.Request) {
	e.telemetry.countRequest(ctx, r)
	e.books.Record(r)
}

// recordCall records a call of the admin API.
func (e *gateExtension) recordCall(r *access.Request) {
	e.telemetry.countCall(context.Background(), r)
	e.books.Record(r)
}

func describe(a *identity.Admission, at visit) access.Request {
	r := describeVisit(a.Arrival, at)
	r.SetKey(a.Identity)
	return r
}

func describeDenied(d *identity.Denial, at visit) access.Request {
	r := describeVisit(d.Arrival, at)
	r.SetDenied(d)
	return r
}

func describeVisit(arrival identity.Arrival, at visit) access.Request {
	return access.Request{
		Group:   access.Group{Endpoint: at.signal.String(), Transport: at.transport, Address: arrival.Address},
		Arrived: arrival.At, UserAgent: at.userAgent,
	}
}

// endingOf translates what a gRPC handler returned.
func endingOf(ctx context.Context, err error) ending {
	if err == nil {
		return ending{status: http.StatusOK}
	}
	code := status.Code(err)
	end := ending{status: statusOfCode(code), reason: access.PipelineFailed}
	switch {
	case ctx.Err() != nil:
		end.reason, end.status = access.Canceled, statusClientGone
	case code == codes.InvalidArgument || code == codes.Unimplemented:
		end.reason = access.InvalidRequest
	}
	return end
}

// endingOfStatus translates an HTTP status.
func endingOfStatus(ctx context.Context, code int) ending {
	end := ending{status: code}
	switch {
	case code < http.StatusBadRequest:
	case ctx.Err() != nil:
		end.reason, end.status = access.Canceled, statusClientGone
	case failed(code):
		end.reason = access.PipelineFailed
	default:
		end.reason = access.InvalidRequest
	}
	return end
}

// statusClientGone is what nginx and others log where there was nobody to
// answer.
const statusClientGone = 499

// statusOfCode maps a code as OTLP/HTTP does.
func statusOfCode(code codes.Code) int {
	switch code {
	case codes.OK:
		return http.StatusOK
	case codes.Canceled:
		return statusClientGone
	case codes.InvalidArgument:
		return http.StatusBadRequest
	case codes.Unauthenticated:
		return http.StatusUnauthorized
	case codes.PermissionDenied:
		return http.StatusForbidden
	case codes.ResourceExhausted:
		return http.StatusTooManyRequests
	case codes.Unimplemented:
		return http.StatusNotFound
	case codes.Unavailable:
		return http.StatusServiceUnavailable
	case codes.DeadlineExceeded:
		return http.StatusGatewayTimeout
	default:
		return http.StatusInternalServerError
	}
}
