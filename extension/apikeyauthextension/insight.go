package apikeyauthextension

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/geo"
	"github.com/otlpgate/otlpgate/internal/insight"
	"github.com/otlpgate/otlpgate/internal/kv"
	"github.com/otlpgate/otlpgate/internal/kv/badgerkv"
)

// insightStore is where usage, access logs and alerts are kept.
type insightStore interface {
	kv.Store
	// Prune gives back the space of what has expired.
	Prune(ctx context.Context) error
}

func openBadger(ctx context.Context, o badgerkv.Options) (insightStore, error) {
	return badgerkv.Open(ctx, o)
}

// startInsight keeps the books of requests from now on, and judges keys by them.
func (e *gateExtension) startInsight(ctx context.Context, host component.Host) error {
	store, err := e.openInsight(ctx, badgerkv.Options{
		Directory: filepath.Join(e.config.Storage.Directory, insight.Directory), Logger: e.settings.Logger,
	})
	if err != nil {
		return fmt.Errorf("storage::directory: %w", err)
	}
	e.books = insight.New(e.bookOptions(store))
	if err := e.startAlerts(ctx, host, store); err != nil {
		return err
	}
	e.books.Start(ctx, e.config.Usage.FlushInterval)
	return nil
}

func (e *gateExtension) bookOptions(store insightStore) insight.Options {
	c := e.config
	o := insight.Options{
		Store: store, Prune: store.Prune, Detail: c.AccessLog.Detail,
		UsageRetention: time.Duration(c.Usage.Retention), LogRetention: time.Duration(c.AccessLog.Retention),
		Redact: c.format().Redactor().Redact, Flushed: e.telemetry.countFlush, Now: e.now, Logger: e.settings.Logger,
	}
	if e.countries != nil {
		o.Countries = e.countries
	}
	if c.AccessLog.Emit {
		o.Line = e.emit
	}
	return o
}

// openCountries opens the database of countries, if one is configured.
func (e *gateExtension) openCountries() error {
	path := e.config.GeoIP.Database
	if path == "" {
		return nil
	}
	var err error
	if e.countries, err = geo.Open(path, geo.Options{Logger: e.settings.Logger}); err != nil {
		return fmt.Errorf("geoip::database: %w", err)
	}
	return nil
}

// emit writes a line of the access log to the collector's own.
func (e *gateExtension) emit(r *access.Request) {
	e.settings.Logger.Info("request "+string(r.Outcome),
		zap.Time("time", r.At), zap.String("key_id", r.KeyID), zap.String("key_type", string(r.KeyType)), zap.String("hint", r.Hint),
		zap.String("endpoint", r.Endpoint), zap.String("transport", string(r.Transport)),
		zap.String("outcome", string(r.Outcome)), zap.String("reason", r.Reason), zap.Int("status", r.Status),
		zap.Int64("items", r.Items), zap.Int64("refused_items", r.RefusedItems), zap.Int64("bytes", r.Bytes),
		zap.Stringer("address", r.Address), zap.String("country", r.Country),
		zap.String("user_agent", r.UserAgent), zap.Duration("duration", r.Duration))
}

// shutdownInsight waits for the requests whose end comes by their context, and
// closes the books.
func (e *gateExtension) shutdownInsight(ctx context.Context) error {
	if e.books == nil {
		return nil
	}
	if e.alerts != nil {
		e.alerts.Shutdown()
	}
	e.unrecorded.wait(unrecordedGrace)
	return e.books.Shutdown(ctx)
}
