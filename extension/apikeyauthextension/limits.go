package apikeyauthextension

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/limit"
)

// limits owns what counts what keys spend, and its upkeep.
type limits struct {
	counter   *limit.Memory
	clock     func() time.Time
	logger    *zap.Logger
	telemetry *telemetry
	end       context.CancelFunc
	done      sync.WaitGroup
}

// startLimits counts, keeping what must outlive the process every interval.
func startLimits(ctx context.Context, keeper limit.Keeper, interval time.Duration, logger *zap.Logger, t *telemetry) *limits {
	ctx, end := context.WithCancel(context.WithoutCancel(ctx))
	l := &limits{
		counter: limit.NewMemory(limit.MemoryOptions{Keeper: keeper}),
		clock:   newSteadyClock().now, logger: logger, telemetry: t, end: end,
	}
	l.done.Go(func() { l.upkeep(ctx, interval) })
	return l
}

// sweepInterval is how often idle keys are forgotten. It walks through all.
const sweepInterval = 10 * time.Second

func (l *limits) upkeep(ctx context.Context, interval time.Duration) {
	flush, sweep := time.NewTicker(interval), time.NewTicker(sweepInterval)
	defer flush.Stop()
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-flush.C:
			l.flush(ctx)
		case <-sweep.C:
			l.counter.Sweep(l.clock())
		}
	}
}

func (l *limits) flush(ctx context.Context) {
	if err := l.counter.Flush(ctx, l.clock()); err != nil && ctx.Err() == nil {
		l.telemetry.countFlushError(ctx)
		l.logger.Error("cannot keep the counts of long limits: a crash would forgive them; trying again", zap.Error(err))
	}
}

// shutdown ends the upkeep and keeps what is not kept yet.
func (l *limits) shutdown(ctx context.Context) error {
	l.end()
	l.done.Wait()
	if err := l.counter.Flush(ctx, l.clock()); err != nil {
		return fmt.Errorf("keep the counts of long limits: %w", err)
	}
	return nil
}

// observedCounter tells what is decided.
type observedCounter struct {
	limit.Counter
	telemetry *telemetry
}

// Admit implements limit.Counter.
func (c observedCounter) Admit(now time.Time, key string, p *limit.Policy, cost *limit.Cost, r *limit.Receipt) limit.Decision {
	d := c.Counter.Admit(now, key, p, cost, r)
	c.telemetry.countDecision(d.Verdict)
	return d
}

// Prepare implements limit.Counter.
func (c observedCounter) Prepare(ctx context.Context, now time.Time, key string) error {
	err := c.Counter.Prepare(ctx, now, key)
	if err != nil && ctx.Err() == nil {
		c.telemetry.countPrepareError(ctx, err)
	}
	return err
}
