package insight

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"
)

// The intervals of upkeep that nobody has to choose.
const (
	closeInterval   = 5 * time.Minute  // of the usage of keys that are idle
	refreshInterval = 30 * time.Second // of what countries are known by
	pruneInterval   = 6 * time.Hour
)

// shutdownPatience is how long a shutdown waits for a store that does not answer.
const shutdownPatience = 10 * time.Second

// Start begins the upkeep, with a flush every interval.
func (b *Books) Start(ctx context.Context, interval time.Duration) {
	ctx, b.end = context.WithCancel(context.WithoutCancel(ctx))
	b.every(ctx, interval, "keep usage and access logs: a crash would lose what is not kept", b.Flush)
	b.every(ctx, closeInterval, "close the usage of keys that are used no more", func(ctx context.Context) error {
		return b.ledger.Sweep(ctx, b.o.Now())
	})
	if b.o.Prune != nil {
		b.every(ctx, pruneInterval, "give back the space of old usage and access logs", b.o.Prune)
	}
	if b.o.Countries != nil {
		b.every(ctx, refreshInterval, "read the new database of countries: the old one stays in use", func(context.Context) error {
			return b.o.Countries.Refresh()
		})
	}
}

// every does something now and then until the context ends.
func (b *Books) every(ctx context.Context, interval time.Duration, deed string, do func(context.Context) error) {
	b.done.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := do(ctx); err != nil && ctx.Err() == nil {
					b.o.Logger.Error("cannot "+deed+"; trying again", zap.Error(err))
				}
			}
		}
	})
}

// Shutdown ends the upkeep, keeps what is not kept yet and closes the store. What
// cannot be kept is no reason for a shutdown to fail, nor to hang: it decides
// nothing.
func (b *Books) Shutdown(ctx context.Context) error {
	if b.end != nil {
		b.end()
	}
	ctx, cancel := context.WithTimeout(ctx, shutdownPatience)
	defer cancel()
	if err := b.Flush(ctx); err != nil {
		b.o.Logger.Warn("usage and access logs are lost since they were kept last", zap.Error(err))
	}
	closed := make(chan error, 1)
	go func() {
		b.done.Wait()
		closed <- b.o.Store.Close()
	}()
	select {
	case err := <-closed:
		if err != nil {
			return fmt.Errorf("close the store of usage and access logs: %w", err)
		}
	case <-ctx.Done():
		b.o.Logger.Warn("the store of usage and access logs does not answer: it is left as it is")
	}
	return nil
}
