package web

import (
	"net/http"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

func (p *pages) listPlans(w http.ResponseWriter, r *http.Request) {
	plans, err := p.plans(r)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	p.render(w, r, http.StatusOK, "plans", struct {
		frame
		Plans []client.Plan
	}{p.frame(r, "Plans", "/plans"), plans})
}
