// Package insight keeps the books of requests: what became of them is recorded in
// memory, and taken from there to the usage of keys and to the access log, which
// are kept in a store, kept up, and read up to the moment.
package insight

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/accesslog"
	"github.com/otlpgate/otlpgate/internal/kv"
	"github.com/otlpgate/otlpgate/internal/usage"
)

// Countries tells where addresses are. Implementations MUST be safe for concurrent
// use.
type Countries interface {
	// Country returns an ISO 3166 code.
	Country(addr netip.Addr) string
	// Refresh takes up what is new. It is called twice a minute.
	Refresh() error
}

// Options configure books. All but the Store may be left out.
type Options struct {
	// Store keeps the books. Required; Shutdown closes it.
	Store kv.Store
	// Prune gives back the space of what has expired. It is called every few hours.
	Prune func(context.Context) error
	// Detail says which requests have a line of their own in the access log; empty
	// means access.Denied.
	Detail access.Detail
	// UsageRetention is how long usage by the day is kept, and LogRetention the
	// access log. Zero means DefaultUsageRetention and DefaultLogRetention.
	UsageRetention, LogRetention time.Duration
	// Countries are known where this is not nil.
	Countries Countries
	// Redact takes secrets out of what clients send.
	Redact func(string) string
	// Line is told of each line of the access log, with its user agent as it is
	// kept.
	Line func(*access.Request)
	// Flushed is told how each flush went.
	Flushed func(took time.Duration, err error)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger may be nil.
	Logger *zap.Logger
}

// How long things are kept where nobody says.
const (
	DefaultUsageRetention = 400 * 24 * time.Hour
	DefaultLogRetention   = 30 * 24 * time.Hour
)

// Directory is where the store of the books lies, below the storage directory: apart
// from the keys, as what is written much and not precious must not burden them.
const Directory = "insight"

// Books are the usage of keys and the access log. Safe for concurrent use; make
// them with New, keep them up from Start to Shutdown.
type Books struct {
	o      Options
	tally  *access.Tally
	ledger *usage.Ledger
	log    *accesslog.Log
	note   func(context.Context, []access.Count) error // nil: nobody else is told

	turn chan struct{} // held by the flush that is under way
	end  context.CancelFunc
	done sync.WaitGroup
}

// New returns the books of a store.
func New(o Options) *Books {
	o.fillDefaults()
	return &Books{
		o: o, tally: access.NewTally(o.Detail), ledger: usage.NewLedger(o.Store, o.UsageRetention),
		log:  accesslog.New(accesslog.Options{Store: o.Store, Retention: o.LogRetention, Redact: o.Redact, Now: o.Now}),
		turn: make(chan struct{}, 1),
	}
}

func (o *Options) fillDefaults() {
	if o.Detail == "" {
		o.Detail = access.Denied
	}
	if o.UsageRetention == 0 {
		o.UsageRetention = DefaultUsageRetention
	}
	if o.LogRetention == 0 {
		o.LogRetention = DefaultLogRetention
	}
	if o.Flushed == nil {
		o.Flushed = func(time.Duration, error) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
}

// Listen lets somebody else be told of all counts, when they are flushed. Call it
// before Start.
func (b *Books) Listen(note func(context.Context, []access.Count) error) { b.note = note }

// Record records a request that has just ended. It sets its time, and its duration
// from when it arrived, and keeps nothing of the pointer.
func (b *Books) Record(r *access.Request) {
	r.At = b.o.Now()
	r.Duration = max(r.At.Sub(r.Arrived), 0)
	b.tally.Record(r)
}

// Flush takes what was recorded to where it is kept. Where the context ends before
// that is done, it goes on without the caller.
func (b *Books) Flush(ctx context.Context) error {
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("wait for the flush before: %w", ctx.Err())
	}
	flushed := make(chan error, 1)
	b.done.Go(func() {
		defer func() { <-b.turn }()
		flushed <- b.flush(context.WithoutCancel(ctx))
	})
	select {
	case err := <-flushed:
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait for the flush: %w", ctx.Err())
	}
}

func (b *Books) flush(ctx context.Context) error {
	began := time.Now()
	err := errors.Join(b.collect(ctx), b.ledger.Flush(ctx), b.log.Flush(ctx))
	if err == nil {
		err = b.o.Store.Sync(ctx)
	}
	b.o.Flushed(time.Since(began), err)
	return err
}

// collect takes what the tally remembers, and looks up where it came from.
func (b *Books) collect(ctx context.Context) error {
	taken := b.tally.Take()
	if b.o.Countries != nil {
		for n := range taken.Counts {
			taken.Counts[n].Country = b.o.Countries.Country(taken.Counts[n].Address)
		}
		for n := range taken.Lines {
			taken.Lines[n].Country = b.o.Countries.Country(taken.Lines[n].Address)
		}
	}
	b.ledger.Add(taken.Counts)
	b.log.Add(&taken)
	if b.o.Line != nil {
		for n := range taken.Lines {
			taken.Lines[n].UserAgent = b.log.Clean(taken.Lines[n].UserAgent)
			b.o.Line(&taken.Lines[n])
		}
	}
	if b.note == nil {
		return nil
	}
	return b.note(ctx, taken.Counts)
}
