package admin

import (
	"context"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/alert"
	"github.com/otlpgate/otlpgate/internal/store"
)

// Alerts tells what is amiss with keys, as AccessLog does what became of requests.
type Alerts interface {
	List(ctx context.Context, filter alert.Filter, page store.Page) (alert.Page, error)
}

// ListAlerts implements api.StrictServerInterface.
func (s *service) ListAlerts(ctx context.Context, request api.ListAlertsRequestObject) (api.ListAlertsResponseObject, error) {
	keys, err := s.ownKeys(ctx)
	if err != nil {
		return nil, err
	}
	if s.alerts == nil {
		return nil, problemNoInsight()
	}
	p := request.Params
	page, err := s.alerts.List(ctx, alert.Filter{
		State: alert.State(value(p.State)), Kind: alert.Kind(value(p.Kind)), KeyID: value(p.KeyID), Keys: keys, Viewer: callerIn(ctx).OwnerID,
	}, store.Page{Limit: value(p.Limit), Cursor: value(p.Cursor)})
	if err != nil {
		return nil, fromInsight("list alerts", err)
	}
	list := api.ListAlerts200JSONResponse{Data: make([]api.Alert, 0, len(page.Alerts)), NextCursor: orNull(page.Next)}
	for i := range page.Alerts {
		list.Data = append(list.Data, alertView(&page.Alerts[i]))
	}
	return list, nil
}

func alertView(a *alert.Alert) api.Alert {
	return api.Alert{
		ID: a.ID, Kind: api.AlertKind(a.Kind), State: api.AlertState(a.State), Severity: api.AlertSeverity(a.Severity),
		KeyID: a.KeyID, KeyName: a.KeyName, KeyType: a.KeyType, OwnerID: orNull(a.OwnerID), Subject: orNull(a.Subject),
		Summary: a.Summary, Description: a.Description,
		StartedAt: a.StartedAt, ResolvedAt: orNever(a.ResolvedAt), UpdatedAt: a.UpdatedAt,
	}
}
