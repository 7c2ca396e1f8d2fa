package apikeyauthextension

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/extension"

	"github.com/otlpgate/otlpgate/extension/apikeyauthextension/internal/metadata"
	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/alert"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/insight"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/session"
)

// NewFactory returns the factory of the apikeyauth extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(metadata.Type, createDefaultConfig, create, metadata.ExtensionStability)
}

func createDefaultConfig() component.Config {
	admin := confighttp.NewDefaultServerConfig()
	admin.NetAddr.Endpoint = "localhost:4319"
	admin.ReadTimeout = 30 * time.Second // of a request, whose body may come slowly
	rules := alert.DefaultRules()
	return &Config{
		Storage:      StorageConfig{Directory: "./otlpgate-data"},
		Credentials:  CredentialsConfig{Headers: credential.DefaultHeaders(), Prefix: credential.DefaultPrefix},
		Cache:        CacheConfig{MaxKeys: 100_000, NegativeTTL: 10 * time.Second},
		EarlyRefusal: true,
		DefaultPlan:  limit.DefaultPlan,
		Limits:       LimitsConfig{OverLimitStatus: http.StatusTooManyRequests, FlushInterval: 10 * time.Second},
		Usage:        UsageConfig{FlushInterval: 10 * time.Second, Retention: Span(insight.DefaultUsageRetention)},
		AccessLog:    AccessLogConfig{Detail: access.Denied, Retention: Span(insight.DefaultLogRetention)},
		Alerts: AlertsConfig{
			UnusedAfter:       Span(rules.UnusedAfter),
			ErrorRate:         ErrorRateConfig{Over: Percent(rules.ErrorRate), MinRequests: rules.MinRequests, Window: Span(rules.RateWindow)},
			ExpiringWithin:    Span(rules.ExpiringWithin),
			OldSecretWithin:   Span(rules.OldSecretWithin),
			UnexpectedCountry: rules.UnexpectedCountry,
			Alertmanager:      confighttp.NewDefaultClientConfig(),
			Webhook:           confighttp.NewDefaultClientConfig(),
		},
		Admin: AdminConfig{
			ServerConfig: admin,
			UI:           UIConfig{Enabled: true, SessionIdle: session.DefaultIdle, SessionMax: session.DefaultAbsolute},
		},
	}
}

func create(_ context.Context, set extension.Settings, cfg component.Config) (extension.Extension, error) {
	return newExtension(set, cfg.(*Config))
}
