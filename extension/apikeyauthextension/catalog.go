package apikeyauthextension

import (
	"context"
	"sync"

	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/catalog"
	"github.com/otlpgate/otlpgate/internal/store"
)

// keyCatalog lists the keys, and owns their first reading.
type keyCatalog struct {
	*catalog.Catalog
	end  context.CancelFunc // nil before warm
	done sync.WaitGroup
}

// newCatalog returns one that knows the uses of keys as they come, from startUses
// on.
func (e *gateExtension) newCatalog(source catalog.Source) *keyCatalog {
	return &keyCatalog{Catalog: catalog.New(catalog.Options{
		Source: source, Unkept: func() []store.Use { return e.uses.latest.Unkept() },
	})}
}

// warm reads the keys while the collector goes on to start, so that whoever lists
// them first need not wait.
func (k *keyCatalog) warm(ctx context.Context, logger *zap.Logger) {
	ctx, k.end = context.WithCancel(context.WithoutCancel(ctx))
	k.done.Go(func() {
		if err := k.Warm(ctx); err != nil && ctx.Err() == nil {
			logger.Warn("cannot read the keys ahead of their first listing, which tries again", zap.Error(err))
		}
	})
}

func (k *keyCatalog) shutdown() {
	if k.end != nil {
		k.end()
	}
	k.done.Wait()
}
