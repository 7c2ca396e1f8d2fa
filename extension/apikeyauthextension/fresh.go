package apikeyauthextension

import (
	"context"
	"time"

	"github.com/otlpgate/otlpgate/internal/accesslog"
	"github.com/otlpgate/otlpgate/internal/admin"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/usage"
)

// freshUsage is usage up to the moment, for the admin API.
type freshUsage struct{ *insight }

var _ admin.Usage = freshUsage{}

// Read implements admin.Usage.
func (f freshUsage) Read(ctx context.Context, keyID string, from, to time.Time, s usage.Step) (usage.Series, error) {
	if err := f.fresh(ctx); err != nil {
		return usage.Series{}, err
	}
	return f.ledger.Read(ctx, keyID, from, to, s)
}

// Busy implements admin.Usage.
func (f freshUsage) Busy(ctx context.Context, from, to time.Time) (map[string]usage.Counts, error) {
	if err := f.fresh(ctx); err != nil {
		return nil, err
	}
	return f.ledger.Busy(ctx, from, to)
}

// InUse implements alert.Usage.
func (f freshUsage) InUse(ctx context.Context, since time.Time) ([]string, error) {
	if err := f.fresh(ctx); err != nil {
		return nil, err
	}
	return f.ledger.InUse(ctx, since)
}

// Requests implements alert.Usage.
func (f freshUsage) Requests(ctx context.Context, keyID string, from, to time.Time) (requests, errors int64, err error) {
	return f.ledger.Requests(ctx, keyID, from, to)
}

// Bounds implements admin.Usage.
func (f freshUsage) Bounds(s usage.Step) (kept, longest time.Duration) { return f.ledger.Bounds(s) }

// freshLog is the access log up to the moment, for the admin API.
type freshLog struct{ *insight }

var _ admin.AccessLog = freshLog{}

// List implements admin.AccessLog.
func (f freshLog) List(ctx context.Context, filter accesslog.Filter, page store.Page) (accesslog.Page, error) {
	if err := f.fresh(ctx); err != nil {
		return accesslog.Page{}, err
	}
	return f.log.List(ctx, filter, page)
}

// Dropped implements admin.AccessLog.
func (f freshLog) Dropped() int64 { return f.dropped() }
