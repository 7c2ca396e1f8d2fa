package apikeyauthextension

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/accesslog"
	"github.com/otlpgate/otlpgate/internal/geo"
	"github.com/otlpgate/otlpgate/internal/kv"
	"github.com/otlpgate/otlpgate/internal/kv/badgerkv"
	"github.com/otlpgate/otlpgate/internal/usage"
)

// insight owns what is known of requests: it takes what the tally remembers to
// the usage of keys and to the access log, and keeps both up.
type insight struct {
	tally     *access.Tally
	ledger    *usage.Ledger
	log       *accesslog.Log
	countries *geo.Database // nil: not known
	store     insightStore
	note      func(context.Context, []access.Count) error // nil: nobody else is told
	emit      bool
	now       func() time.Time
	logger    *zap.Logger
	telemetry *telemetry

	turn chan struct{} // held by the flush that is under way
	end  context.CancelFunc
	done sync.WaitGroup
}

// insightStore is where it is kept.
type insightStore interface {
	kv.Store
	// Prune gives back the space of what has expired.
	Prune(ctx context.Context) error
}

func openBadger(ctx context.Context, o badgerkv.Options) (insightStore, error) {
	return badgerkv.Open(ctx, o)
}

// The intervals of upkeep that nobody has to choose.
const (
	closeInterval   = 5 * time.Minute  // of the usage of keys that are idle
	refreshInterval = 30 * time.Second // of the database of countries
	pruneInterval   = 6 * time.Hour
)

// insightDirectory is below the storage directory, apart from the keys: what is
// written much and not precious must not burden them.
const insightDirectory = "insight"

// newInsight opens what startInsight keeps up.
func (e *gateExtension) newInsight(ctx context.Context) (*insight, error) {
	c := e.config
	i := &insight{
		tally: access.NewTally(c.AccessLog.Detail), emit: c.AccessLog.Emit, now: e.now,
		logger: e.settings.Logger, telemetry: e.telemetry, turn: make(chan struct{}, 1),
	}
	if path := c.GeoIP.Database; path != "" {
		var err error
		if i.countries, err = geo.Open(path, geo.Options{Logger: e.settings.Logger}); err != nil {
			return nil, fmt.Errorf("geoip::database: %w", err)
		}
	}
	store, err := e.openInsight(ctx, badgerkv.Options{
		Directory: filepath.Join(c.Storage.Directory, insightDirectory), Logger: e.settings.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("storage::directory: %w", err)
	}
	i.store = store
	i.ledger = usage.NewLedger(store, time.Duration(c.Usage.Retention))
	i.log = accesslog.New(accesslog.Options{
		Store: store, Retention: time.Duration(c.AccessLog.Retention), Redact: c.format().Redactor().Redact, Now: e.now,
	})
	return i, nil
}

// start begins the upkeep, with a flush every interval.
func (i *insight) start(ctx context.Context, interval time.Duration) {
	ctx, i.end = context.WithCancel(context.WithoutCancel(ctx))
	i.every(ctx, interval, "keep usage and access logs: a crash would lose what is not kept", i.flush)
	i.every(ctx, closeInterval, "close the usage of keys that are used no more", func(ctx context.Context) error {
		return i.ledger.Sweep(ctx, i.now())
	})
	i.every(ctx, pruneInterval, "give back the space of old usage and access logs", i.store.Prune)
	if i.countries != nil {
		i.every(ctx, refreshInterval, "read the new geoip::database: the old one stays in use", func(context.Context) error {
			return i.countries.Refresh()
		})
	}
}

// every does something now and then until the context ends.
func (i *insight) every(ctx context.Context, interval time.Duration, deed string, do func(context.Context) error) {
	i.done.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := do(ctx); err != nil && ctx.Err() == nil {
					i.logger.Error("cannot "+deed+"; trying again", zap.Error(err))
				}
			}
		}
	})
}

// startInsight opens what is known of requests, judges keys by it and keeps it up.
func (e *gateExtension) startInsight(ctx context.Context, host component.Host) error {
	var err error
	if e.insight, err = e.newInsight(ctx); err != nil {
		return err
	}
	if err := e.startAlerts(ctx, host); err != nil {
		return err
	}
	e.insight.start(ctx, e.config.Usage.FlushInterval)
	return nil
}

// shutdownInsight waits for the requests whose end comes by their context, and
// ends the rest.
func (e *gateExtension) shutdownInsight(ctx context.Context) error {
	if e.insight == nil {
		return nil
	}
	if e.alerts != nil {
		e.alerts.Shutdown()
	}
	e.unrecorded.wait(unrecordedGrace)
	return e.insight.shutdown(ctx)
}

// flush takes what the tally remembers to where it is kept. Where the context
// ends before that is done, it goes on without the caller.
func (i *insight) flush(ctx context.Context) error {
	select {
	case i.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("wait for the flush before: %w", ctx.Err())
	}
	flushed := make(chan error, 1)
	i.done.Go(func() {
		defer func() { <-i.turn }()
		flushed <- i.write(context.WithoutCancel(ctx))
	})
	select {
	case err := <-flushed:
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait for the flush: %w", ctx.Err())
	}
}

func (i *insight) write(ctx context.Context) error {
	began := time.Now()
	err := errors.Join(i.collect(ctx), i.ledger.Flush(ctx), i.log.Flush(ctx))
	if err == nil {
		err = i.store.Sync(ctx)
	}
	i.telemetry.countFlush(ctx, time.Since(began), err)
	return err
}

// collect takes what the tally remembers, and looks up where it came from.
func (i *insight) collect(ctx context.Context) error {
	taken := i.tally.Take()
	if i.countries != nil {
		for n := range taken.Counts {
			taken.Counts[n].Country = i.countries.Country(taken.Counts[n].Address)
		}
		for n := range taken.Lines {
			taken.Lines[n].Country = i.countries.Country(taken.Lines[n].Address)
		}
	}
	i.ledger.Add(taken.Counts)
	i.log.Add(&taken)
	if i.emit {
		for n := range taken.Lines {
			i.emitLine(&taken.Lines[n])
		}
	}
	if i.note == nil {
		return nil
	}
	return i.note(ctx, taken.Counts)
}

// emitLine writes a line of the access log to the collector's own.
func (i *insight) emitLine(r *access.Request) {
	i.logger.Info("request "+string(r.Outcome),
		zap.Time("time", r.At), zap.String("key_id", r.KeyID), zap.String("key_type", string(r.KeyType)), zap.String("hint", r.Hint),
		zap.String("endpoint", r.Endpoint), zap.String("transport", string(r.Transport)),
		zap.String("outcome", string(r.Outcome)), zap.String("reason", r.Reason), zap.Int("status", r.Status),
		zap.Int64("items", r.Items), zap.Int64("refused_items", r.RefusedItems), zap.Int64("bytes", r.Bytes),
		zap.Stringer("address", r.Address), zap.String("country", r.Country),
		zap.String("user_agent", i.log.Clean(r.UserAgent)), zap.Duration("duration", r.Duration))
}

// dropped is how many lines there was no room for.
func (i *insight) dropped() int64 { return i.tally.Dropped() + i.log.Dropped() }

// The longest that is waited for a store that does not answer: by whoever asks
// for what is not kept yet, and by a shutdown.
const (
	freshTimeout    = 5 * time.Second
	shutdownTimeout = 10 * time.Second
)

// fresh flushes, so that what is read next is up to the moment.
func (i *insight) fresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, freshTimeout)
	defer cancel()
	return i.flush(ctx)
}

// shutdown ends the upkeep and keeps what is not kept yet. What cannot be kept is
// no reason for a shutdown to fail: it decides nothing.
func (i *insight) shutdown(ctx context.Context) error {
	if i.end != nil {
		i.end()
	}
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	if err := i.flush(ctx); err != nil {
		i.logger.Warn("usage and access logs are lost since they were kept last", zap.Error(err))
	}
	ended := make(chan error, 1)
	go func() {
		i.done.Wait()
		ended <- i.store.Close()
	}()
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("close %q: %w", insightDirectory, err)
		}
	case <-ctx.Done():
		i.logger.Warn("the store of usage and access logs does not answer: it is left as it is")
	}
	return nil
}
