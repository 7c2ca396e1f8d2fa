package web

import (
	"net/http"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// alertView is an alert as pages show it.
type alertView struct{ client.Alert }

// Firing reports whether it has not been resolved.
func (a alertView) Firing() bool { return a.State == client.AlertStateFiring }

// kindTitles are what people call the kinds of alerts.
var kindTitles = map[client.AlertKind]string{
	client.AlertKindKeyUnused: "Unused key", client.AlertKindErrorRate: "Error rate", client.AlertKindUnexpectedCountry: "Unexpected country",
	client.AlertKindKeyExpiring: "Expiring key", client.AlertKindOldSecretUsed: "Old secret in use",
}

// Title is what people call its kind.
func (a alertView) Title() string { return kindTitles[a.Kind] }

func alertViews(list []client.Alert) []alertView {
	views := make([]alertView, len(list))
	for i := range list {
		views[i] = alertView{list[i]}
	}
	return views
}

func (p *pages) listAlerts(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	state := query.Get("state")
	if !query.Has("state") {
		state = string(client.AlertStateFiring)
	}
	answer, err := p.api.ListAlertsWithResponse(r.Context(), &client.ListAlertsParams{
		State: orNil(client.AlertState(state)), Kind: parameter[client.AlertKind](query, "kind"), Cursor: parameter[string](query, "cursor"),
	})
	list, err := called(answer, err)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	p.render(w, r, http.StatusOK, "alerts", struct {
		frame
		Alerts      []alertView
		State, Kind string
		Kinds       map[client.AlertKind]string
		Next        string
	}{p.frame(r, "Alerts", "/alerts"), alertViews(list.JSON200.Data), state, query.Get("kind"), kindTitles, nextPage(r, list.JSON200.NextCursor)})
}
