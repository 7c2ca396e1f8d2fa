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
	"github.com/otlpgate/otlpgate/internal/credential"
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
	return &Config{
		Storage:      StorageConfig{Directory: "./otlpgate-data"},
		Credentials:  CredentialsConfig{Headers: credential.DefaultHeaders(), Prefix: credential.DefaultPrefix},
		Cache:        CacheConfig{MaxKeys: 100_000, NegativeTTL: 10 * time.Second},
		EarlyRefusal: true,
		DefaultPlan:  limit.DefaultPlan,
		Limits:       LimitsConfig{OverLimitStatus: http.StatusTooManyRequests, FlushInterval: 10 * time.Second},
		Usage:        UsageConfig{FlushInterval: 10 * time.Second, Retention: Span(400 * day)},
		AccessLog:    AccessLogConfig{Detail: access.Denied, Retention: Span(30 * day)},
		Alerts: AlertsConfig{
			UnusedAfter:       Span(30 * day),
			ErrorRate:         ErrorRateConfig{Over: 0.05, MinRequests: 100, Window: Span(time.Hour)},
			ExpiringWithin:    Span(14 * day),
			OldSecretWithin:   Span(day),
			UnexpectedCountry: true,
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
