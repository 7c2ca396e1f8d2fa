package apikeyauthextension

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/usage"
)

// uses owns what learns when keys are used, and its upkeep.
type uses struct {
	latest *usage.LastUses
	logger *zap.Logger
	end    context.CancelFunc
	done   sync.WaitGroup
}

// startUses keeps what it learns every interval.
func startUses(ctx context.Context, keeper store.Uses, interval time.Duration, logger *zap.Logger) *uses {
	ctx, end := context.WithCancel(context.WithoutCancel(ctx))
	u := &uses{latest: usage.NewLastUses(keeper), logger: logger, end: end}
	u.done.Go(func() { u.upkeep(ctx, interval) })
	return u
}

func (u *uses) upkeep(ctx context.Context, interval time.Duration) {
	flush := time.NewTicker(interval)
	defer flush.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-flush.C:
			if err := u.latest.Flush(ctx, time.Now()); err != nil && ctx.Err() == nil {
				u.logger.Error("cannot keep when keys were last used: a crash would forget it; trying again", zap.Error(err))
			}
		}
	}
}

// shutdown ends the upkeep and keeps what is not kept yet. What cannot be kept
// is no reason for a shutdown to fail: it decides nothing.
func (u *uses) shutdown(ctx context.Context) {
	u.end()
	u.done.Wait()
	if err := u.latest.Flush(ctx, time.Now()); err != nil {
		u.logger.Warn("when keys were last used is forgotten since it was kept last", zap.Error(err))
	}
}
