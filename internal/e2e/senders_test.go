package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pprofile/pprofileotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // what exporters compress with
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

type headers map[string]string

// answer is what a sender sees.
type answer struct {
	code     codes.Code // of the google.rpc.Status; OK where there is none
	http     int        // 0 over gRPC
	header   http.Header
	message  string
	reason   string            // of its ErrorInfo
	numbers  map[string]string // of its ErrorInfo
	retry    time.Duration
	rejected int64
	why      string // of a partial success
}

func (a *answer) fromError(err error) { a.fromStatus(status.Convert(err)) }

func (a *answer) fromStatus(st *status.Status) {
	a.code, a.message = st.Code(), st.Message()
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			a.reason, a.numbers = d.GetReason(), d.GetMetadata()
		case *errdetails.RetryInfo:
			a.retry = d.GetRetryDelay().AsDuration()
		}
	}
}

// sender sends one request over one transport, in its bare bones: it shows all
// of the answer, and can send what no exporter would.
type sender struct {
	name string
	send func(t *testing.T, c *collector, s signal, m message, h headers) answer
}

var senders = []sender{
	{"grpc", sendGRPC},
	{"http protobuf", sendProtobuf},
	{"http json", sendJSON},
}

// raw is the codec of messages that are encoded already.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

var _ encoding.CodecV2 = raw{}

func dialGRPC(t testing.TB, v *vault, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(raw{})), grpc.WithUnaryInterceptor(v.recordGRPC))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return conn
}

// recordGRPC lets the vault hear the answers.
func (v *vault) recordGRPC(ctx context.Context, method string, req, resp any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, o ...grpc.CallOption) error {
	var header, trailer metadata.MD
	err := invoke(ctx, method, req, resp, conn, append(o, grpc.Header(&header), grpc.Trailer(&trailer))...)
	v.saw("an answer over gRPC", fmt.Sprintf("%v %v %v %v", err, status.Convert(err).Proto(), header, trailer))
	return err
}

func sendGRPC(t *testing.T, c *collector, s signal, m message, h headers) (a answer) {
	t.Helper()
	return sendGRPCWith(t, c, s, m, h)
}

// callTimeout is the deadline of a call over gRPC. It is short enough, like those
// of exporters, for the call to be refused before decoding.
const callTimeout = 25 * time.Second

func sendGRPCWith(t *testing.T, c *collector, s signal, m message, h headers, o ...grpc.CallOption) (a answer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(metadata.NewOutgoingContext(t.Context(), metadata.New(h)), callTimeout)
	defer cancel()
	var body []byte
	var header metadata.MD
	err := c.conn.Invoke(ctx, s.method, marshalProto(t, m), &body, append(o, grpc.Header(&header))...)
	a.fromError(err)
	a.header = http.Header{}
	for name, values := range header {
		a.header[http.CanonicalHeaderKey(name)] = values
	}
	if err == nil {
		a.rejected, a.why, err = s.partial(body, false)
		require.NoError(t, err)
	}
	return a
}

// sendUnreadable sends what is no message over gRPC.
func sendUnreadable(t *testing.T, c *collector, h headers) (a answer) {
	t.Helper()
	var body []byte
	a.fromError(c.conn.Invoke(metadata.NewOutgoingContext(t.Context(), metadata.New(h)), traces.method, []byte("\xff\xff"), &body))
	return a
}

const (
	protobufType = "application/x-protobuf"
	jsonType     = "application/json"
)

func sendProtobuf(t *testing.T, c *collector, s signal, m message, h headers) answer {
	t.Helper()
	return sendHTTP(t, c, s, protobufType, marshalProto(t, m), h)
}

func sendJSON(t *testing.T, c *collector, s signal, m message, h headers) answer {
	t.Helper()
	body, err := m.MarshalJSON()
	require.NoError(t, err)
	return sendHTTP(t, c, s, jsonType, body, h)
}

func sendHTTP(t *testing.T, c *collector, s signal, contentType string, body []byte, h headers) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.httpAddress+s.path, bytes.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", contentType)
	if s.name == profiles.name {
		r.Header.Set(pprofileotlp.DevelopmentVersionHeader, pprofileotlp.DevelopmentVersion)
	}
	for name, value := range h {
		r.Header.Set(name, value)
	}
	got := doHTTP(t, c.admin.http, r)
	require.Equal(t, contentType, got.header.Get("Content-Type"), "the answer is in the request's content type: %d %s", got.status, got.body)
	return parseHTTP(t, s, got, contentType == jsonType)
}

// parseHTTP reads an answer of OTLP/HTTP.
func parseHTTP(t *testing.T, s signal, r reply, json bool) answer {
	t.Helper()
	a := answer{http: r.status, header: r.header}
	if r.status == http.StatusOK {
		var err error
		a.rejected, a.why, err = s.partial([]byte(r.body), json)
		require.NoError(t, err, "%q", r.body)
		return a
	}
	var st spb.Status
	if json {
		require.NoError(t, protojson.Unmarshal([]byte(r.body), &st), "%s", r.body)
	} else {
		require.NoError(t, proto.Unmarshal([]byte(r.body), &st), "%q", r.body)
	}
	a.fromStatus(status.FromProto(&st))
	return a
}

func doHTTP(t testing.TB, c *http.Client, r *http.Request) reply {
	t.Helper()
	resp, err := c.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return reply{resp.StatusCode, resp.Header, string(body)}
}

// recorder lets the vault hear the answers over HTTP, but for the one that shows
// a key to its owner.
type recorder struct {
	vault *vault
	next  http.RoundTripper
}

func (r recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.next.RoundTrip(req)
	if err != nil {
		r.vault.saw("an error over HTTP", err.Error())
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	where := fmt.Sprintf("the answer to %s %s", req.Method, req.URL.Path)
	r.vault.saw(where, fmt.Sprint(resp.Header))
	if !showsKey(req, resp) {
		r.vault.saw(where, string(body))
	}
	return resp, nil
}

// showsKey reports whether an answer is one that makes a key.
func showsKey(req *http.Request, resp *http.Response) bool {
	rotated := resp.StatusCode == http.StatusOK && strings.HasSuffix(req.URL.Path, "/rotate")
	return resp.StatusCode == http.StatusCreated || rotated
}

// CloseIdleConnections serves http.Client.
func (r recorder) CloseIdleConnections() {
	if c, ok := r.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
