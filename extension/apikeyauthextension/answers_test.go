package apikeyauthextension

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/pprofile/pprofileotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/throttle"
)

const projectAttribute = "openinference.project.name"

// telemetryOf is one item of a signal for each project.
func telemetryOf(signal identity.Signal, projects ...string) any {
	if len(projects) == 0 {
		projects = []string{""}
	}
	td, md, ld, pd := ptrace.NewTraces(), pmetric.NewMetrics(), plog.NewLogs(), pprofile.NewProfiles()
	for _, project := range projects {
		rs, rm, rl, rp := td.ResourceSpans().AppendEmpty(), md.ResourceMetrics().AppendEmpty(), ld.ResourceLogs().AppendEmpty(), pd.ResourceProfiles().AppendEmpty()
		if project != "" {
			rs.Resource().Attributes().PutStr(projectAttribute, project)
			rm.Resource().Attributes().PutStr(projectAttribute, project)
			rl.Resource().Attributes().PutStr(projectAttribute, project)
			rp.Resource().Attributes().PutStr(projectAttribute, project)
		}
		rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty().SetName("work")
		rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(1)
		rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("hello")
		rp.ScopeProfiles().AppendEmpty().Profiles().AppendEmpty().Samples().AppendEmpty()
	}
	switch signal {
	case identity.Metrics:
		return md
	case identity.Logs:
		return ld
	case identity.Profiles:
		return pd
	default:
		return td
	}
}

// answer is what a sender sees.
type answer struct {
	code     codes.Code // of the google.rpc.Status; OK where there is none
	http     int        // 0 over gRPC
	header   http.Header
	message  string
	reason   string // of its ErrorInfo
	numbers  map[string]string
	retry    time.Duration
	rejected int64
	why      string // of a partial success
}

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

// sender sends telemetry with headers over one transport.
type sender struct {
	name string
	send func(t *testing.T, f *fixture, data any, headers map[string]string) answer
}

var senders = []sender{
	{"grpc", sendGRPC},
	{"http protobuf", func(t *testing.T, f *fixture, data any, h map[string]string) answer {
		return sendHTTP(t, f, contentTypeProtobuf, data, h)
	}},
	{"http json", func(t *testing.T, f *fixture, data any, h map[string]string) answer {
		return sendHTTP(t, f, contentTypeJSON, data, h)
	}},
}

func sendGRPC(t *testing.T, f *fixture, data any, headers map[string]string) (a answer) {
	t.Helper()
	ctx := metadata.NewOutgoingContext(t.Context(), metadata.New(headers))
	var err error
	var header metadata.MD
	keep := grpc.Header(&header)
	switch data := data.(type) {
	case ptrace.Traces:
		var r ptraceotlp.ExportResponse
		r, err = ptraceotlp.NewGRPCClient(f.grpc).Export(ctx, ptraceotlp.NewExportRequestFromTraces(data), keep)
		if err == nil {
			a.rejected, a.why = r.PartialSuccess().RejectedSpans(), r.PartialSuccess().ErrorMessage()
		}
	case pmetric.Metrics:
		var r pmetricotlp.ExportResponse
		r, err = pmetricotlp.NewGRPCClient(f.grpc).Export(ctx, pmetricotlp.NewExportRequestFromMetrics(data), keep)
		if err == nil {
			a.rejected, a.why = r.PartialSuccess().RejectedDataPoints(), r.PartialSuccess().ErrorMessage()
		}
	case plog.Logs:
		var r plogotlp.ExportResponse
		r, err = plogotlp.NewGRPCClient(f.grpc).Export(ctx, plogotlp.NewExportRequestFromLogs(data), keep)
		if err == nil {
			a.rejected, a.why = r.PartialSuccess().RejectedLogRecords(), r.PartialSuccess().ErrorMessage()
		}
	case pprofile.Profiles:
		var r pprofileotlp.ExportResponse
		r, err = pprofileotlp.NewGRPCClient(f.grpc).Export(ctx, pprofileotlp.NewExportRequestFromProfiles(data), keep)
		if err == nil {
			a.rejected, a.why = r.PartialSuccess().RejectedProfiles(), r.PartialSuccess().ErrorMessage()
		}
	}
	a.fromStatus(status.Convert(err))
	a.header = http.Header{}
	for name, values := range header {
		a.header[http.CanonicalHeaderKey(name)] = values
	}
	return a
}

// message is a request or answer of OTLP in either encoding.
type message interface {
	MarshalProto() ([]byte, error)
	MarshalJSON() ([]byte, error)
}

func requestOf(data any) (path string, m message) {
	switch data := data.(type) {
	case pmetric.Metrics:
		return "/v1/metrics", pmetricotlp.NewExportRequestFromMetrics(data)
	case plog.Logs:
		return "/v1/logs", plogotlp.NewExportRequestFromLogs(data)
	case pprofile.Profiles:
		return "/v1development/profiles", pprofileotlp.NewExportRequestFromProfiles(data)
	default:
		return "/v1/traces", ptraceotlp.NewExportRequestFromTraces(data.(ptrace.Traces))
	}
}

func sendHTTP(t *testing.T, f *fixture, contentType string, data any, headers map[string]string) (a answer) {
	t.Helper()
	path, m := requestOf(data)
	encode := m.MarshalProto
	if contentType == contentTypeJSON {
		encode = m.MarshalJSON
	}
	body, err := encode()
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+f.httpAddress+path, bytes.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", contentType)
	if strings.HasSuffix(path, "profiles") {
		r.Header.Set(pprofileotlp.DevelopmentVersionHeader, pprofileotlp.DevelopmentVersion)
	}
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	a = answer{http: resp.StatusCode, header: resp.Header}
	require.Equal(t, contentType, resp.Header.Get("Content-Type"), "the answer is in the request's content type: %s", text)
	if resp.StatusCode == http.StatusOK {
		a.rejected, a.why = partialOf(t, data, contentType, text)
		return a
	}
	var st spb.Status
	if contentType == contentTypeJSON {
		require.NoError(t, protojson.Unmarshal(text, &st), "%s", text)
	} else {
		require.NoError(t, proto.Unmarshal(text, &st))
	}
	a.fromStatus(status.FromProto(&st))
	return a
}

func partialOf(t *testing.T, data any, contentType string, body []byte) (int64, string) {
	t.Helper()
	decode := func(m interface {
		UnmarshalProto([]byte) error
		UnmarshalJSON([]byte) error
	},
	) {
		if contentType == contentTypeJSON {
			require.True(t, json.Valid(body), "%s", body)
			require.NoError(t, m.UnmarshalJSON(body))
			return
		}
		require.NoError(t, m.UnmarshalProto(body))
	}
	switch data.(type) {
	case pmetric.Metrics:
		r := pmetricotlp.NewExportResponse()
		decode(r)
		return r.PartialSuccess().RejectedDataPoints(), r.PartialSuccess().ErrorMessage()
	case plog.Logs:
		r := plogotlp.NewExportResponse()
		decode(r)
		return r.PartialSuccess().RejectedLogRecords(), r.PartialSuccess().ErrorMessage()
	case pprofile.Profiles:
		r := pprofileotlp.NewExportResponse()
		decode(r)
		return r.PartialSuccess().RejectedProfiles(), r.PartialSuccess().ErrorMessage()
	default:
		r := ptraceotlp.NewExportResponse()
		decode(r)
		return r.PartialSuccess().RejectedSpans(), r.PartialSuccess().ErrorMessage()
	}
}

func bearer(secret string) map[string]string {
	return map[string]string{"authorization": "Bearer " + secret}
}

// refusals are the rows of the table of answers that need no special set-up:
// what is sent, and what is answered.
func refusals(t *testing.T, f *fixture) map[string]struct {
	headers map[string]string
	code    codes.Code
	http    int
	reason  identity.Reason
} {
	t.Helper()
	type row = struct {
		headers map[string]string
		code    codes.Code
		http    int
		reason  identity.Reason
	}
	good := f.key(t)
	broken := []byte(good)
	broken[len(broken)-1] ^= 1
	unauthenticated := func(h map[string]string, reason identity.Reason) row {
		return row{h, codes.Unauthenticated, http.StatusUnauthorized, reason}
	}
	return map[string]row{
		"no credential": unauthenticated(nil, identity.NoCredential),
		"malformed":     unauthenticated(bearer("px_live_short"), identity.MalformedCredential),
		"bad checksum":  unauthenticated(bearer(string(broken)), identity.MalformedCredential),
		"not a bearer":  unauthenticated(map[string]string{"authorization": "Basic Zm9vOmJhcg=="}, identity.MalformedCredential),
		"unknown":       unauthenticated(bearer(credential.Format{}.Mint(credential.Live).Reveal()), identity.UnknownKey),
		"two different": unauthenticated(map[string]string{"authorization": "Bearer " + good, "x-api-key": f.key(t)}, identity.ConflictingKeys),
		"revoked":       unauthenticated(bearer(f.key(t, func(k *store.Key) { k.RevokedAt = time.Now() })), identity.RevokedKey),
		"expired":       unauthenticated(bearer(f.key(t, func(k *store.Key) { k.ExpiresAt = time.Now().Add(-time.Second) })), identity.ExpiredKey),
		"owner does not exist": unauthenticated(bearer(f.key(t, func(k *store.Key) {
			k.Type, k.OwnerID, k.Role = identity.UserKey, "user_gone", ""
		})), identity.DisabledKey),
		"missing scope": {
			bearer(f.key(t, func(k *store.Key) { k.Scopes = []identity.Scope{identity.TracesRead} })),
			codes.PermissionDenied, http.StatusForbidden, identity.MissingScope,
		},
		"address not allowed": {
			bearer(f.key(t, func(k *store.Key) { k.AllowedIPs = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")} })),
			codes.PermissionDenied, http.StatusForbidden, identity.AddressNotAllowed,
		},
		"every project refused": {
			bearer(f.key(t, func(k *store.Key) { k.Projects = []string{"other"} })),
			codes.PermissionDenied, http.StatusForbidden, identity.ProjectNotAllowed,
		},
	}
}

func TestEveryRefusalHasItsStatusAtEveryDoor(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		for _, s := range senders {
			t.Run(d.String()+"/"+s.name, func(t *testing.T) {
				f := newFixture(t, fixtureOptions{doors: d})
				for name, row := range refusals(t, f) {
					for _, signal := range identity.Signals() {
						t.Run(name+"/"+signal.String(), func(t *testing.T) {
							a := s.send(t, f, telemetryOf(signal), row.headers)
							assert.Equal(t, row.code, a.code)
							if a.http != 0 {
								assert.Equal(t, row.http, a.http)
							}
							assert.NotContains(t, a.message, "rpc error")
							for _, secret := range row.headers {
								assert.NotContains(t, a.message, strings.TrimPrefix(secret, "Bearer "))
							}
							assert.Zero(t, f.received())
							// The collector's own error handler, which answers
							// for `auth:` over HTTP, keeps the text alone.
							if a.http == http.StatusUnauthorized && d.auth {
								return
							}
							assert.Equal(t, string(row.reason), a.reason)
							if a.http == http.StatusUnauthorized {
								assert.Equal(t, `Bearer realm="otlpgate"`, a.header.Get("WWW-Authenticate"))
							}
						})
					}
				}
			})
		}
	}
}

func TestAGoodKeyPassesEveryDoorInEveryHeader(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		for _, s := range senders {
			t.Run(d.String()+"/"+s.name, func(t *testing.T) {
				f := newFixture(t, fixtureOptions{doors: d})
				id, secret := f.keyRecord(t)
				want := 0
				for _, headers := range []map[string]string{
					bearer(secret),
					{"authorization": "bEaReR " + secret},
					{"api_key": secret},
					{"x-api-key": secret},
					{"x-api-key": secret, "authorization": "Bearer " + secret},
				} {
					for _, signal := range identity.Signals() {
						a := s.send(t, f, telemetryOf(signal), headers)
						require.Equal(t, codes.OK, a.code, a.message)
						want++
					}
				}
				assert.Equal(t, want, f.received())
				span := f.traces.AllTraces()[0].ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
				assert.Equal(t, map[string]any{"apikey.id": id, "apikey.name": "test key"}, span.Attributes().AsRaw())
			})
		}
	}
}

func TestAKeyPassesFromItsAllowedAddress(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		for _, s := range senders {
			t.Run(d.String()+"/"+s.name, func(t *testing.T) {
				f := newFixture(t, fixtureOptions{doors: d})
				secret := f.key(t, func(k *store.Key) { k.AllowedIPs = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
				for range 2 { // from the store, then from memory
					a := s.send(t, f, telemetryOf(identity.Traces), bearer(secret))
					assert.Equal(t, codes.OK, a.code, a.message)
					f.awaitCached(t, secret)
				}
			})
		}
	}
}

func TestEachSignalNeedsItsOwnScope(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		for _, s := range senders {
			t.Run(d.String()+"/"+s.name, func(t *testing.T) {
				f := newFixture(t, fixtureOptions{doors: d})
				for _, granted := range identity.Signals() {
					secret := f.key(t, func(k *store.Key) { k.Scopes = []identity.Scope{identity.Scope(granted.String() + ":write")} })
					for _, sent := range identity.Signals() {
						a := s.send(t, f, telemetryOf(sent), bearer(secret))
						want := codes.PermissionDenied
						if sent == granted {
							want = codes.OK
						}
						assert.Equal(t, want, a.code, "%s with %s:write", sent, granted)
					}
				}
			})
		}
	}
}

func TestPartlyRefusedProjectsAreAnsweredAsPartialSuccess(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		for _, s := range senders {
			t.Run(d.String()+"/"+s.name, func(t *testing.T) {
				f := newFixture(t, fixtureOptions{doors: d})
				secret := f.key(t, func(k *store.Key) { k.Projects = []string{"mine"} })
				for i, signal := range identity.Signals() {
					a := s.send(t, f, telemetryOf(signal, "mine", "theirs", ""), bearer(secret))
					require.Equal(t, codes.OK, a.code, a.message)
					assert.Equal(t, i+1, f.received(), "what is allowed passes")
					if !d.middlewares {
						continue // nobody is there to say it
					}
					assert.EqualValues(t, 2, a.rejected)
					assert.Contains(t, a.why, `"theirs"`)
				}
			})
		}
	}
}

func TestAReceiverWithoutTheGateIsRefusedByTheProcessor(t *testing.T) {
	for _, s := range senders {
		t.Run(s.name, func(t *testing.T) {
			f := newFixture(t, fixtureOptions{doors: neither})
			a := s.send(t, f, telemetryOf(identity.Traces), bearer(f.key(t)))
			assert.Equal(t, codes.Unauthenticated, a.code)
			assert.Contains(t, a.message, "authenticator: apikeyauth")
			assert.Zero(t, f.received())
		})
	}
}

func TestWithoutAnyProcessorTheDoorRefusesKeysThatMaySendNothing(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		for _, s := range senders {
			t.Run(d.String()+"/"+s.name, func(t *testing.T) {
				f := newFixture(t, fixtureOptions{doors: d, noProcessor: true})
				secret := f.key(t, func(k *store.Key) { k.Scopes = []identity.Scope{identity.TracesRead} })
				for range 2 { // from the store, then from memory
					a := s.send(t, f, telemetryOf(identity.Traces), bearer(secret))
					assert.NotEqual(t, codes.OK, a.code)
					assert.Zero(t, f.received())
					f.awaitCached(t, secret)
				}
			})
		}
	}
}

func TestAStoreOutageIsRetryable(t *testing.T) {
	for _, d := range []doors{both, middlewaresOnly} {
		for _, s := range senders {
			t.Run(d.String()+"/"+s.name, func(t *testing.T) {
				f := newFixture(t, fixtureOptions{doors: d})
				held, other := f.key(t), f.key(t)
				require.Equal(t, codes.OK, s.send(t, f, telemetryOf(identity.Traces), bearer(held)).code)
				f.awaitCached(t, held)
				require.NoError(t, f.extension.store.Close())

				assert.Equal(t, codes.OK, s.send(t, f, telemetryOf(identity.Traces), bearer(held)).code, "what is held in memory is served")
				a := s.send(t, f, telemetryOf(identity.Traces), bearer(other))
				assert.Equal(t, codes.Unavailable, a.code)
				assert.GreaterOrEqual(t, a.retry, time.Second)
				assert.NotZero(t, f.log.FilterMessageSnippet("cannot check a key").Len(), "the operator is told why")
				assert.NotContains(t, fmt.Sprint(f.log.All()), other)
				if a.http != 0 {
					assert.Equal(t, http.StatusServiceUnavailable, a.http)
					assert.Equal(t, "5", a.header.Get("Retry-After"))
				}
			})
		}
	}
}

func TestAServerNeverSeenBehindTheMiddlewareFailsClosedInAnOutage(t *testing.T) {
	f := newFixture(t, fixtureOptions{doors: authOnly, noProcessor: true})
	require.NoError(t, f.extension.store.Close())
	a := sendHTTP(t, f, contentTypeProtobuf, telemetryOf(identity.Traces), bearer(f.mint()))
	assert.Equal(t, http.StatusUnauthorized, a.http)
	assert.Zero(t, f.received())
}

func TestGuessingIsSlowedDownWithoutHarmingKeysInUse(t *testing.T) {
	for _, s := range senders {
		t.Run(s.name, func(t *testing.T) {
			f := newFixture(t, fixtureOptions{doors: both})
			held := f.key(t)
			require.Equal(t, codes.OK, s.send(t, f, telemetryOf(identity.Traces), bearer(held)).code)
			f.awaitCached(t, held)
			var last answer
			for range throttle.DefaultBurst + 100 {
				last = s.send(t, f, telemetryOf(identity.Traces), bearer(f.mint()))
				if last.code != codes.Unauthenticated {
					break
				}
			}
			assert.Equal(t, codes.ResourceExhausted, last.code)
			assert.GreaterOrEqual(t, last.retry, time.Second)
			if last.http != 0 {
				assert.Equal(t, http.StatusTooManyRequests, last.http)
			}
			assert.Equal(t, codes.OK, s.send(t, f, telemetryOf(identity.Traces), bearer(held)).code)
		})
	}
}

// awaitCached waits until the key is served from memory, where it is put
// asynchronously.
func (f *fixture) awaitCached(t testing.TB, secret string) {
	t.Helper()
	parsed, err := credential.Format{}.Parse(secret)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, _, ok := f.extension.keyring.Cached(parsed.Digest())
		return ok
	}, 5*time.Second, time.Millisecond)
}

func (f *fixture) mint() string { return credential.Format{}.Mint(credential.Live).Reveal() }
