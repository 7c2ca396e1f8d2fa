package identity

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// reasons reads the constants from the source, so that none is forgotten here.
func reasons(t *testing.T) []Reason {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "refusal.go", nil, 0)
	require.NoError(t, err)
	var found []Reason
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Reason" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			found = append(found, Reason(text))
		}
		return true
	})
	return found
}

func TestEveryReasonHasItsStatuses(t *testing.T) {
	type statuses struct {
		code codes.Code
		http int
	}
	unauthenticated, denied := statuses{codes.Unauthenticated, 401}, statuses{codes.PermissionDenied, 403}
	want := map[Reason]statuses{
		NoCredential: unauthenticated, MalformedCredential: unauthenticated, ConflictingKeys: unauthenticated,
		UnknownKey: unauthenticated, RevokedKey: unauthenticated, ExpiredKey: unauthenticated,
		DisabledKey: unauthenticated, NoIdentity: unauthenticated,
		MissingScope: denied, AddressNotAllowed: denied, ProjectNotAllowed: denied,
		TooManyFailures: {codes.ResourceExhausted, 429}, KeyUnresolvable: {codes.Unavailable, 503},
		RateLimited: {codes.ResourceExhausted, 429}, ConcurrencyExceeded: {codes.ResourceExhausted, 429},
		LargerThanLimit: {codes.InvalidArgument, 400}, LimitsUnavailable: {codes.Unavailable, 503},
	}
	all := reasons(t)
	require.GreaterOrEqual(t, len(all), 17)
	seen := map[Reason]bool{}
	for _, reason := range all {
		require.Contains(t, want, reason, "name its statuses here")
		assert.False(t, seen[reason], "%s twice", reason)
		seen[reason] = true
		assert.Regexp(t, "^[a-z]+(_[a-z]+)*$", string(reason))
		_, ok := codeOf[reason]
		assert.True(t, ok, "%s has no code", reason)
		r := NewRefusal(reason, "no")
		got := statuses{r.Code(), r.HTTPStatus()}
		assert.Equal(t, want[reason], got, reason)
	}
	assert.Len(t, all, len(codeOf))
}

// A request must not pass because a reason was forgotten.
func TestRefusalWithoutAKnownReasonStillRefuses(t *testing.T) {
	for _, r := range []*Refusal{{}, NewRefusal("new", "no"), NewRetryableRefusal("new", "no", 0)} {
		assert.Equal(t, 403, r.HTTPStatus())
		assert.Equal(t, codes.PermissionDenied, status.Code(r))
		assert.Error(t, r.GRPCStatus().Err())
	}
}

func TestRefusalsSayWhyToMachines(t *testing.T) {
	for _, reason := range reasons(t) {
		for name, test := range map[string]struct {
			refusal *Refusal
			wait    time.Duration
		}{
			"for good": {NewRefusal(reason, "not so"), 0},
			"for now":  {NewRetryableRefusal(reason, "not so", 90*time.Second), 90 * time.Second},
		} {
			t.Run(string(reason)+" "+name, func(t *testing.T) {
				st := test.refusal.GRPCStatus()
				assert.Equal(t, "not so", st.Message())
				assert.Equal(t, test.refusal.Code(), st.Code())
				details := st.Details()
				info, ok := details[0].(*errdetails.ErrorInfo)
				require.True(t, ok)
				assert.Equal(t, string(reason), info.GetReason())
				assert.Equal(t, "otlpgate", info.GetDomain())
				if test.wait == 0 {
					assert.Len(t, details, 1)
					return
				}
				require.Len(t, details, 2)
				retry, ok := details[1].(*errdetails.RetryInfo)
				require.True(t, ok)
				assert.Equal(t, test.wait, retry.GetRetryDelay().AsDuration())
			})
		}
	}
}

func TestWaitIsRoundedUpToWholeSeconds(t *testing.T) {
	for wait, want := range map[time.Duration]time.Duration{
		math.MinInt64:           time.Second,
		-time.Hour:              time.Second,
		0:                       time.Second,
		1:                       time.Second,
		time.Second:             time.Second,
		time.Second + 1:         2 * time.Second,
		1500 * time.Millisecond: 2 * time.Second,
		31 * 24 * time.Hour:     31 * 24 * time.Hour,
	} {
		assert.Equal(t, want, NewRetryableRefusal(KeyUnresolvable, "later", wait).RetryAfter, wait)
	}
}

func TestRefusalTextIsPlain(t *testing.T) {
	for _, r := range []error{NewRefusal(UnknownKey, "unknown key"), NewRetryableRefusal(TooManyFailures, "unknown key", 0)} {
		assert.EqualError(t, r, "unknown key")
	}
}

func TestReceiversSeeStatusAndPermanenceOfRefusals(t *testing.T) {
	for name, wrap := range map[string]func(error) error{
		"bare":    func(err error) error { return err },
		"wrapped": func(err error) error { return fmt.Errorf("tag: %w", fmt.Errorf("deep: %w", err)) },
		"joined":  func(err error) error { return errors.Join(errors.New("other pipeline"), err) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, reason := range reasons(t) {
				good := wrap(NewRefusal(reason, "no"))
				now := wrap(NewRetryableRefusal(reason, "no", time.Second))
				assert.True(t, consumererror.IsPermanent(good))
				assert.False(t, consumererror.IsPermanent(now))
				for _, err := range []error{good, now} {
					st, ok := status.FromError(err)
					require.True(t, ok)
					assert.Equal(t, NewRefusal(reason, "").Code(), st.Code())
					assert.Equal(t, err.Error(), st.Message())
					assert.NotEmpty(t, st.Details())
					assert.NotContains(t, st.Message(), "rpc error")
				}
			}
		})
	}
}

func TestScopeRefusalsNameTheScope(t *testing.T) {
	for _, signal := range Signals() {
		r := RefuseScope(signal)
		assert.Equal(t, MissingScope, r.Reason)
		assert.Equal(t, fmt.Sprintf("this API key may not send %[1]s: it lacks %[1]s:write; ask its owner to add the scope", signal), r.Message)
		assert.Same(t, r, RefuseScope(signal))
	}
	assert.Contains(t, RefuseScope(SignalUnknown).Message, "may not send telemetry: it lacks a :write scope of some signal")
}
