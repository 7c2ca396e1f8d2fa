package web

import (
	"net/http"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// topMinutes is how much of the past the busiest keys are of: all that the API tells.
const topMinutes = 15

// usagePage is the data of the page of the usage of all keys.
type usagePage struct {
	frame
	Usage usageView
	Top   *client.TopUsage // nil where nobody knows
}

// Share is how much of the requests of these minutes one key sent, in percent.
func (u usagePage) Share(k client.TopKey) int { return share(k.Counts.Requests, u.Top.Total.Requests) }

func (p *pages) showUsage(w http.ResponseWriter, r *http.Request) {
	chosen := periodOf(r.URL.Query().Get("period"))
	from := chosen.from(p.now())
	answer, err := p.api.GetUsageWithResponse(r.Context(), &client.GetUsageParams{From: &from, Step: &chosen.Step})
	usage, err := called(answer, err)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	page := usagePage{frame: p.frame(r, "Usage", "/usage"), Usage: newUsageView(usage.JSON200, chosen)}
	minutes, most := topMinutes, 10
	busy, err := p.api.GetTopUsageWithResponse(r.Context(), &client.GetTopUsageParams{Minutes: &minutes, Limit: &most})
	if top, err := called(busy, err); err == nil {
		page.Top = top.JSON200
	}
	p.render(w, r, http.StatusOK, "usage", page)
}
