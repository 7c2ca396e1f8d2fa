package insight

import (
	"context"
	"time"

	"github.com/otlpgate/otlpgate/internal/accesslog"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/usage"
)

// patience is how long whoever reads waits for what is not kept yet, where the
// store does not answer.
const patience = 5 * time.Second

// fresh flushes, so that what is read next is up to the moment. That something
// cannot be written is no reason not to read: usage is read with what is in memory,
// and of the access log what is kept. Upkeep says so in the log.
func (b *Books) fresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := b.Flush(ctx)
	if ctx.Err() != nil {
		return err
	}
	return nil
}

// Read returns the use of a key; see usage.Ledger.Read.
func (b *Books) Read(ctx context.Context, keyID string, from, to time.Time, s usage.Step) (usage.Series, error) {
	if err := b.fresh(ctx); err != nil {
		return usage.Series{}, err
	}
	return b.ledger.Read(ctx, keyID, from, to, s)
}

// Busy returns how much the keys in use were used; see usage.Ledger.Busy.
func (b *Books) Busy(ctx context.Context, from, to time.Time) (map[string]usage.Counts, error) {
	if err := b.fresh(ctx); err != nil {
		return nil, err
	}
	return b.ledger.Busy(ctx, from, to)
}

// InUse returns the keys in use; see usage.Ledger.InUse.
func (b *Books) InUse(ctx context.Context, since time.Time) ([]string, error) {
	if err := b.fresh(ctx); err != nil {
		return nil, err
	}
	return b.ledger.InUse(ctx, since)
}

// Requests returns how many requests a key made, as of the last flush; see
// usage.Ledger.Requests.
func (b *Books) Requests(ctx context.Context, keyID string, from, to time.Time) (requests, errors int64, err error) {
	return b.ledger.Requests(ctx, keyID, from, to)
}

// Bounds says how far back usage is kept; see usage.Ledger.Bounds.
func (b *Books) Bounds(s usage.Step) (kept, longest time.Duration) { return b.ledger.Bounds(s) }

// List returns entries of the access log; see accesslog.Log.List.
func (b *Books) List(ctx context.Context, f accesslog.Filter, p store.Page) (accesslog.Page, error) {
	if err := b.fresh(ctx); err != nil {
		return accesslog.Page{}, err
	}
	return b.log.List(ctx, f, p)
}

// Dropped returns how many lines of the access log there was no room for.
func (b *Books) Dropped() int64 { return b.tally.Dropped() + b.log.Dropped() }
