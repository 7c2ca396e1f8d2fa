package apikeyprocessor

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otlpgate/otlpgate/internal/identity"
)

// otherAuth is what another authenticator extension would put there.
type otherAuth struct{}

func (otherAuth) GetAttribute(string) any     { return "key_1" }
func (otherAuth) GetAttributeNames() []string { return []string{"key_id"} }

func TestRequestsWithoutIdentityAreRefused(t *testing.T) {
	for name, auth := range map[string]client.AuthData{
		"no identity":                    nil,
		"identity of another gate":       identity.NewAdmission(aKey(), &fakeGate{processors: 1}),
		"identity of an unknown gate":    identity.NewAdmission(aKey(), nil),
		"auth data of another extension": otherAuth{},
	} {
		for _, signal := range identity.Signals() {
			t.Run(name+"/"+signal.String(), func(t *testing.T) {
				h := newHarness(t)
				err := h.consume(client.NewContext(t.Context(), client.Info{Auth: auth}), projects(signal, "default"))
				assert.Equal(t, codes.Unauthenticated, status.Code(err))
				assert.True(t, consumererror.IsPermanent(err))
				assert.ErrorContains(t, err, "`auth: {authenticator: apikeyauth}`")
				assert.Empty(t, h.received)
				if a, ok := auth.(*identity.Admission); ok {
					assert.Nil(t, a.Refused(), "another gate's admission is not ours to change")
				}
			})
		}
	}
}

func TestEachSignalNeedsItsScope(t *testing.T) {
	writes := map[identity.Signal]identity.Scope{
		identity.Traces: identity.TracesWrite, identity.Metrics: identity.MetricsWrite,
		identity.Logs: identity.LogsWrite, identity.Profiles: identity.ProfilesWrite,
	}
	h := newHarness(t)
	for _, signal := range identity.Signals() {
		t.Run(signal.String(), func(t *testing.T) {
			only := aKey(func(id *identity.Identity) { id.Scopes = identity.NewScopeSet(writes[signal]) })
			h.send(t, only, projects(signal, "default"))

			others := aKey(func(id *identity.Identity) {
				id.Scopes = 0
				for other, scope := range writes {
					if other != signal {
						id.Scopes |= identity.NewScopeSet(scope)
					}
				}
			})
			refusal := h.sendRefused(t, others, projects(signal, "default"))
			assert.Equal(t, identity.MissingScope, refusal.Reason)
			assert.Equal(t, codes.PermissionDenied, status.Code(refusal))
			assert.True(t, consumererror.IsPermanent(refusal))
			assert.Contains(t, refusal.Message, signal.String()+":write")

			none := aKey(func(id *identity.Identity) { id.Scopes = identity.Viewer.Scopes() })
			assert.Equal(t, identity.MissingScope, h.sendRefused(t, none, projects(signal, "default")).Reason)
		})
	}
}

func TestRefusalRecordedAtTheDoorIsAnswered(t *testing.T) {
	h := newHarness(t)
	for _, refusal := range []*identity.Refusal{
		identity.NewRefusal(identity.AddressNotAllowed, "not from there"),
		identity.NewRetryableRefusal(identity.TooManyFailures, "later", 1500*time.Millisecond),
	} {
		for _, signal := range identity.Signals() {
			t.Run(string(refusal.Reason)+"/"+signal.String(), func(t *testing.T) {
				a := h.admit(aKey(func(id *identity.Identity) { id.Scopes = 0 }))
				a.Refuse(refusal)
				err := h.consume(a.in(t), projects(signal, "default"))
				assert.Same(t, refusal, err)
				assert.Same(t, refusal, a.Refused())
				assert.Empty(t, h.received)
			})
		}
	}
}

func TestFanOutDoesNotDoubleTheRejectedCount(t *testing.T) {
	for _, signal := range identity.Signals() {
		t.Run(signal.String(), func(t *testing.T) {
			gate := &fakeGate{}
			one, other := startedBehind(t, gate), startedBehind(t, gate)
			a := identity.NewAdmission(aKey(ofProjects("mine")), gate)
			require.NoError(t, process(admitted{a}.in(t), one, projects(signal, "mine", "theirs", "theirs")))
			first := a.Rejected(signal)
			require.NoError(t, process(admitted{a}.in(t), other, projects(signal, "mine", "theirs", "theirs")))
			assert.EqualValues(t, 2, first.Items)
			assert.Equal(t, first, a.Rejected(signal))
		})
	}
}

func TestStartRegistersWithTheGate(t *testing.T) {
	assert.Equal(t, len(identity.Signals()), newHarness(t).gate.processors)
}

func TestStartFailsWithoutTheGate(t *testing.T) {
	p := &apiKeyProcessor{config: createDefaultConfig().(*Config)}
	assert.ErrorContains(t, p.start(t.Context(), fakeHost{}), "no apikeyauth extension runs")
}

func TestProcessorsTellThatTheyMutate(t *testing.T) {
	h := newHarness(t)
	assert.True(t, h.traces.Capabilities().MutatesData)
	assert.True(t, h.metrics.Capabilities().MutatesData)
	assert.True(t, h.logs.Capabilities().MutatesData)
	assert.True(t, h.profiles.Capabilities().MutatesData)
}

// Meaningful with -race.
func TestConcurrentUseOfOneAdmission(t *testing.T) {
	const senders = 32
	p := startedBehind(t, &fakeGate{})
	a := identity.NewAdmission(aKey(ofProjects("mine")), p.authenticator)
	ctx := admitted{a}.in(t)
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for _, signal := range identity.Signals() {
				data := projects(signal, "mine", "theirs", "mine")
				if assert.NoError(t, process(ctx, p, data)) {
					assert.Equal(t, 2, itemsOf(data))
				}
			}
		})
	}
	wg.Wait()
	for _, signal := range identity.Signals() {
		assert.EqualValues(t, 1, a.Rejected(signal).Items)
	}
}
