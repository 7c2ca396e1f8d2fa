package apikeyprocessor

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
)

// charged is a request whose door has charged it.
type charged struct {
	ctx       context.Context //nolint:containedctx // of one test
	admission *identity.Admission
	state     func() limit.State
}

func enterDoor(t *testing.T, issuer any) charged {
	t.Helper()
	counter, now := limit.NewMemory(limit.MemoryOptions{}), time.Now()
	clock := func() time.Time { return now }
	policy := limit.NewPolicy(limit.Plan{
		Limits:      []limit.Limit{{On: limit.Ingest, Unit: limit.Requests, Max: 10, Window: limit.Window(time.Minute)}},
		Concurrency: 1,
	})
	a := identity.NewAdmission(aKey(), issuer)
	a.Tab = limit.NewTab(counter, clock, "key", policy)
	require.Nil(t, a.Enter(t.Context(), limit.Traces))
	return charged{
		ctx:       client.NewContext(t.Context(), client.Info{Auth: a}),
		admission: a,
		state:     func() limit.State { return counter.StateAtHand(now, "key", policy, nil) },
	}
}

func TestARequestThatFailsBehindTheProcessorIsRefunded(t *testing.T) {
	downstream := errors.New("exporting failed")
	for name, tt := range map[string]struct {
		err  error
		used int64
	}{
		"passed": {nil, 1},
		"failed": {downstream, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := enterDoor(t, nil)
			next, err := consumer.NewTraces(func(context.Context, ptrace.Traces) error {
				r.admission.Tab.Close() // the client goes away
				assert.Equal(t, 1, r.state().UnderWay, "and its slot is kept until this returns")
				return tt.err
			})
			require.NoError(t, err)
			watched, err := watchTraces(next)
			require.NoError(t, err)
			assert.Equal(t, tt.err, watched.ConsumeTraces(r.ctx, ptrace.NewTraces()))
			assert.Equal(t, tt.used, r.state().Quotas[0].Used)
			assert.Zero(t, r.state().UnderWay)
		})
	}
}

func TestAPanicBehindTheProcessorIsRefunded(t *testing.T) {
	r := enterDoor(t, nil)
	next, err := consumer.NewTraces(func(context.Context, ptrace.Traces) error { panic("defect") })
	require.NoError(t, err)
	watched, err := watchTraces(next)
	require.NoError(t, err)
	assert.PanicsWithValue(t, "defect", func() { _ = watched.ConsumeTraces(r.ctx, ptrace.NewTraces()) })
	assert.Zero(t, r.state().Quotas[0].Used)
	assert.Zero(t, r.state().UnderWay)
}

func TestARequestThatIsOverIsNotPassedOn(t *testing.T) {
	r := enterDoor(t, nil)
	r.admission.Tab.Close()
	next, err := consumer.NewTraces(func(context.Context, ptrace.Traces) error { t.Error("passed on"); return nil })
	require.NoError(t, err)
	watched, err := watchTraces(next)
	require.NoError(t, err)
	assert.ErrorIs(t, watched.ConsumeTraces(r.ctx, ptrace.NewTraces()), context.Canceled)
}

func TestThePipelineSeesThroughToTheNextConsumersCapabilities(t *testing.T) {
	for _, mutates := range []bool{true, false} {
		next, err := consumer.NewTraces(func(context.Context, ptrace.Traces) error { return nil },
			consumer.WithCapabilities(consumer.Capabilities{MutatesData: mutates}))
		require.NoError(t, err)
		watched, err := watchTraces(next)
		require.NoError(t, err)
		assert.Equal(t, mutates, watched.Capabilities().MutatesData)
	}
}

func TestARefusalOfTheProcessorIsRefunded(t *testing.T) {
	h := newHarness(t)
	r := enterDoor(t, h.gate)
	r.admission.Refuse(identity.RefuseScope(identity.Traces))
	require.Error(t, h.consume(r.ctx, projects(identity.Traces, "default")))
	assert.Zero(t, r.state().Quotas[0].Used)
}
