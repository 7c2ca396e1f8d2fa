package apikeyauthextension

import (
	"cmp"
	"mime"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/otlpgate/otlpgate/internal/identity"
)

const (
	contentTypeProtobuf = "application/x-protobuf"
	contentTypeJSON     = "application/json"
)

// writeRefusal answers as OTLP/HTTP prescribes: a google.rpc.Status in the
// request's own content type, JSON for any that is not OTLP's.
func writeRefusal(w http.ResponseWriter, r *http.Request, refusal *identity.Refusal) {
	h := w.Header()
	status := refusal.HTTPStatus()
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="otlpgate"`) // RFC 9110, section 11.6.1
	}
	if refusal.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64(refusal.RetryAfter/time.Second), 10))
	}
	writeMessage(w, r, status, refusal.GRPCStatus().Proto())
}

func writeMessage(w http.ResponseWriter, r *http.Request, status int, m proto.Message) {
	contentType, marshal := contentTypeJSON, protojson.Marshal
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && mediaType == contentTypeProtobuf {
		contentType, marshal = contentTypeProtobuf, proto.Marshal
	}
	body, err := marshal(m)
	if err != nil { // only for text that is not UTF-8, which our messages are not
		http.Error(w, http.StatusText(status), status)
		return
	}
	w.Header().Del("Content-Encoding") // of an answer that this one replaces
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone: nobody to tell
}

// httpAnswer lets the receiver's answer through, unless the pipeline has
// recorded in the admission something that the receiver cannot say: that part
// of the request was rejected, or why all of it was refused.
type httpAnswer struct {
	http.ResponseWriter
	request   *http.Request
	admission *identity.Admission
	signal    identity.Signal

	status   int  // what was written; 0: nothing yet
	replaced bool // the receiver's body is dropped
}

// statusOr returns the status that was written, or a default.
func (a *httpAnswer) statusOr(status int) int { return cmp.Or(a.status, status) }

// Unwrap serves http.ResponseController.
func (a *httpAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *httpAnswer) WriteHeader(status int) {
	if a.status != 0 {
		return
	}
	if status < http.StatusOK { // informational: the answer is still to come
		a.ResponseWriter.WriteHeader(status)
		return
	}
	a.status = status
	if failed(status) && a.request.Context().Err() == nil { // as in leave
		a.admission.Tab.Fail()
	}
	setLimitHeaders(a.Header(), a.admission, a.signal)
	if refusal := a.admission.Refused(); refusal != nil && status >= http.StatusBadRequest {
		a.replaced = true
		writeRefusal(a.ResponseWriter, a.request, refusal)
		return
	}
	if answer := partialSuccess(a.signal, a.admission); answer != nil && status == http.StatusOK {
		a.replaced = true
		writeMessage(a.ResponseWriter, a.request, status, answer)
		return
	}
	a.ResponseWriter.WriteHeader(status)
}

// failed reports whether a status says that the pipeline failed, so that the
// sender will repeat the request. The processor tells of failures itself; this
// is for pipelines without one. What the sender has done wrong is not among
// them: a request that cannot be read is a request.
func failed(status int) bool {
	return status >= http.StatusInternalServerError || status == http.StatusTooManyRequests
}

func (a *httpAnswer) Write(body []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if a.replaced {
		return len(body), nil
	}
	return a.ResponseWriter.Write(body)
}

// Flush implements http.Flusher where the server does.
func (a *httpAnswer) Flush() {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	_ = http.NewResponseController(a.ResponseWriter).Flush() // as a server without it would
}
