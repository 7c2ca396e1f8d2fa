package alert

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/kv"
	"github.com/otlpgate/otlpgate/internal/store"
)

// Options configure a runner; Store, Keys, LastUses and Usage are required.
type Options struct {
	Rules    Rules
	Store    kv.Store
	Keys     Keys
	LastUses LastUses
	Usage    Usage
	// Alertmanager and Webhook are told; nil: nobody is there.
	Alertmanager *Receiver
	Webhook      *Receiver
	// Now is the clock of what is judged; nil means time.Now. Attempts of delivery
	// go by the system's.
	Now func() time.Time
	// Observe is told of each delivery; it must be fast and safe for concurrent
	// use. Nil means nobody is told.
	Observe func(receiver string, r Result)
	// Logger may be nil.
	Logger *zap.Logger
}

// Runner judges keys now and then and tells of what is amiss. Safe for concurrent
// use; make it with New, begin with Start and end with Shutdown.
type Runner struct {
	judge        *judge
	book         *book
	sightings    *sightings
	alertmanager *alertmanager // nil: nobody is there
	webhook      *webhook      // likewise
	now          func() time.Time
	logger       *zap.Logger

	turn sync.Mutex // held by an evaluation
	end  context.CancelFunc
	done sync.WaitGroup
}

// New returns a runner that knows nothing yet.
func New(o Options) *Runner {
	r := &Runner{book: newBook(o.Store), sightings: newSightings(o.Store), now: o.Now, logger: o.Logger}
	if r.now == nil {
		r.now = time.Now
	}
	if r.logger == nil {
		r.logger = zap.NewNop()
	}
	if o.Observe == nil {
		o.Observe = func(string, Result) {}
	}
	r.judge = &judge{
		rules: o.Rules, keys: o.Keys, lastUses: o.LastUses, usage: o.Usage, sightings: r.sightings, book: r.book,
	}
	if o.Alertmanager != nil {
		r.alertmanager = newAlertmanager(*o.Alertmanager, r.logger, o.Observe)
	}
	if o.Webhook != nil {
		r.webhook = newWebhook(*o.Webhook, o.Store, r.logger, o.Observe)
	}
	return r
}

// The times between two evaluations: a minute, or more where one takes long, so
// that all of them together take a hundredth of a processor; unless keys in use
// would be missed then (see lately), which counts for more.
const (
	interval        = time.Minute
	perEffort       = 100
	longestInterval = lately / 2 // the other half is for the evaluation
)

// pauseAfter returns how long to wait after an evaluation that took so long.
func pauseAfter(took time.Duration) time.Duration {
	return min(max(interval, perEffort*took), longestInterval)
}

// Start reads what was kept, and begins to judge and to tell.
func (r *Runner) Start(ctx context.Context) error {
	if err := r.book.load(ctx); err != nil {
		return err
	}
	ctx, r.end = context.WithCancel(context.WithoutCancel(ctx))
	if r.webhook != nil {
		if err := r.webhook.load(ctx); err != nil {
			return err
		}
		r.done.Go(func() { r.webhook.run(ctx) })
	}
	if r.alertmanager != nil {
		r.done.Go(func() { r.alertmanager.run(ctx) })
	}
	r.done.Go(func() { r.loop(ctx) })
	return nil
}

func (r *Runner) loop(ctx context.Context) {
	for pause := interval; sleep(ctx, pause); {
		began := time.Now()
		if err := r.Evaluate(ctx); err != nil && ctx.Err() == nil {
			r.logger.Error("cannot judge all keys: their alerts stay as they are; trying again", zap.Error(err))
		}
		pause = pauseAfter(time.Since(began))
	}
}

// Evaluate judges all keys now. What begins or ends is kept before anybody is
// told, unless it cannot be kept: then that is tried again the next time.
func (r *Runner) Evaluate(ctx context.Context) error {
	r.turn.Lock()
	defer r.turn.Unlock()
	now := r.now().UTC().Truncate(time.Microsecond)
	turned, err := r.judge.run(ctx, now)
	err = errors.Join(err, r.keep(ctx, turned), r.book.forget(ctx, now))
	if r.alertmanager != nil {
		r.alertmanager.tell(r.book.all(), now)
	}
	return err
}

// keep writes what has changed, and queues what the webhook is to be told.
func (r *Runner) keep(ctx context.Context, turned []Alert) error {
	if r.webhook == nil {
		return r.book.keep(ctx, nil)
	}
	entries := map[string][]kv.Entry{}
	var notices []numbered
	var errs []error
	for i := range turned {
		n, entry, err := r.webhook.prepare(&turned[i])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		notices, entries[turned[i].ID] = append(notices, n), append(entries[turned[i].ID], entry)
	}
	errs = append(errs, r.webhook.keep(ctx))
	err := r.book.keep(ctx, entries)
	for i := range notices {
		notices[i].kept = err == nil
	}
	return errors.Join(append(errs, err, r.webhook.push(ctx, notices))...)
}

// Note learns from counts of requests where keys are used.
func (r *Runner) Note(ctx context.Context, counts []access.Count) error {
	return r.sightings.note(ctx, counts, r.now())
}

// List returns alerts, the newest first. It returns store.ErrBadCursor where the
// cursor is of no listing with that filter.
func (r *Runner) List(_ context.Context, f Filter, p store.Page) (Page, error) {
	return r.book.list(f, p)
}

// Firing returns how many alerts of each kind fire.
func (r *Runner) Firing() map[Kind]int { return r.book.counts() }

// Shutdown ends what Start began. It is idempotent and safe without Start. What is
// not delivered to the webhook is delivered after the next start.
func (r *Runner) Shutdown() {
	if r.end != nil {
		r.end()
	}
	r.done.Wait()
}
