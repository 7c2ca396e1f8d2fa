package main

import (
	"context"
	"time"

	"github.com/otlpgate/otlpgate/internal/alert"
	"github.com/otlpgate/otlpgate/internal/insight"
	"github.com/otlpgate/otlpgate/internal/kv/kvtest"
	"github.com/otlpgate/otlpgate/internal/store"
)

// newBooks returns books as the extension keeps them, and the alerts that follow
// from them.
func newBooks(keys store.Store) (*insight.Books, judged) {
	memory := kvtest.NewMemory()
	books := insight.New(insight.Options{Store: memory})
	return books, judged{alert.New(alert.Options{
		Rules: alert.Rules{ExpiringWithin: 14 * 24 * time.Hour, MinRequests: 1, ErrorRate: 1},
		Store: memory, Keys: keys, LastUses: keys.LastUses, Usage: books,
	})}
}

// judged are alerts that are judged whenever somebody asks.
type judged struct{ *alert.Runner }

// List implements admin.Alerts.
func (j judged) List(ctx context.Context, f alert.Filter, p store.Page) (alert.Page, error) {
	if err := j.Evaluate(ctx); err != nil {
		return alert.Page{}, err
	}
	return j.Runner.List(ctx, f, p)
}
