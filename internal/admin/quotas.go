package admin

import (
	"context"

	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

// showQuotas adds to the view of a key what the key has spent. Where that
// cannot be read the key is shown without: whoever looks at a key in trouble
// must not be kept from it by its counts.
func (s *service) showQuotas(ctx context.Context, view *api.Key, k *store.Key) {
	if s.state == nil {
		return
	}
	state, err := s.state(ctx, k.ID, s.plans.Policy(k.Plan, k.Limits))
	if err != nil {
		s.log.Error("admin API: read what a key has spent", zap.String("key", k.ID), zap.String("cause", s.redact(err.Error())))
		return
	}
	view.Quotas = make([]api.Quota, len(state.Quotas))
	for i, q := range state.Quotas {
		view.Quotas[i] = quotaView(q)
	}
	if state.Concurrency > 0 {
		view.Concurrency = &api.Concurrency{Max: state.Concurrency, UnderWay: state.UnderWay}
	}
}

func quotaView(q limit.Quota) api.Quota {
	return api.Quota{
		On: q.On, Unit: q.Unit, Max: q.Max, Window: q.Window,
		Used: q.Used, Remaining: q.Remaining(), ResetAt: q.ResetAt.UTC(),
	}
}
