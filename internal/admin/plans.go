package admin

import (
	"context"
	"slices"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/limit"
)

// ListPlans implements api.StrictServerInterface.
func (s *service) ListPlans(context.Context, api.ListPlansRequestObject) (api.ListPlansResponseObject, error) {
	list := api.ListPlans200JSONResponse{Data: []api.Plan{}}
	for _, name := range s.plans.Names() {
		plan, _ := s.plans.Plan(name)
		list.Data = append(list.Data, api.Plan{
			Name: name, Limits: orEmpty(plan.Limits), Concurrency: orUnbounded(plan.Concurrency),
			Builtin: isBuiltin(name, plan), Default: name == s.plans.Default(),
		})
	}
	return list, nil
}

// isBuiltin reports whether the plan is as it would be without configuration.
func isBuiltin(name string, plan limit.Plan) bool {
	builtin, ok := limit.BuiltinPlans()[name]
	return ok && builtin.Concurrency == plan.Concurrency && slices.Equal(builtin.Limits, plan.Limits)
}

// orUnbounded shows zero, which is any number, as null.
func orUnbounded(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}
