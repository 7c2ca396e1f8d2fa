package apikeyauthextension

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"

	"github.com/otlpgate/otlpgate/internal/alert"
	"github.com/otlpgate/otlpgate/internal/kv"
)

// startAlerts judges keys from now on.
func (e *gateExtension) startAlerts(ctx context.Context, host component.Host, store kv.Store) error {
	c := &e.config.Alerts
	alertmanager, err := e.receiver(ctx, host, &c.Alertmanager)
	if err != nil {
		return fmt.Errorf("alerts::alertmanager: %w", err)
	}
	webhook, err := e.receiver(ctx, host, &c.Webhook)
	if err != nil {
		return fmt.Errorf("alerts::webhook: %w", err)
	}
	e.alerts = alert.New(alert.Options{
		Rules: c.rules(), Store: store, Keys: e.store, LastUses: e.uses.latest.LastUses, Usage: e.books,
		Alertmanager: alertmanager, Webhook: webhook,
		Now: e.now, Observe: e.telemetry.countDelivery, Logger: e.settings.Logger,
	})
	e.books.Listen(e.alerts.Note)
	return e.alerts.Start(ctx)
}

// receiver returns whom to tell, nil where nobody is configured.
func (e *gateExtension) receiver(ctx context.Context, host component.Host, c *confighttp.ClientConfig) (*alert.Receiver, error) {
	if c.Endpoint == "" {
		return nil, nil
	}
	client, err := c.ToClient(ctx, host.GetExtensions(), e.settings.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &alert.Receiver{URL: c.Endpoint, Client: client}, nil
}

func (c *AlertsConfig) rules() alert.Rules {
	return alert.Rules{
		UnusedAfter: time.Duration(c.UnusedAfter),
		ErrorRate:   float64(c.ErrorRate.Over), MinRequests: c.ErrorRate.MinRequests, RateWindow: time.Duration(c.ErrorRate.Window),
		ExpiringWithin: time.Duration(c.ExpiringWithin), OldSecretWithin: time.Duration(c.OldSecretWithin),
		UnexpectedCountry: c.UnexpectedCountry,
	}
}
