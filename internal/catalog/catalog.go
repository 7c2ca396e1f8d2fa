package catalog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/otlpgate/otlpgate/internal/store"
)

// Source is what a catalog reads: a store.Store, or the part of one.
type Source interface {
	store.KeyLister
	store.UserLister
	Key(ctx context.Context, id string) (store.Key, error)
	User(ctx context.Context, id string) (store.User, error)
	ListAudit(ctx context.Context, filter store.AuditFilter, page store.Page) (store.AuditPage, error)
	LastUses(ctx context.Context, keyID string) ([]store.Use, error)
	AllUses(ctx context.Context) iter.Seq2[store.Use, error]
}

// Options configure New.
type Options struct {
	// Source has the keys. Required.
	Source Source
	// Unkept returns the uses that the source has not been told of yet. It is
	// asked when a listing is sorted by last use. Nil means that there are none.
	Unkept func() []store.Use
}

// Catalog lists keys. Safe for concurrent use; make it with New. It runs nothing
// by itself and holds nothing that must be closed.
type Catalog struct {
	source Source
	unkept func() []store.Use
	inbox  inbox

	// updating holds a token while somebody changes what is held. It is taken
	// before mu, and is a channel so that who waits for it can give up.
	updating chan struct{}

	mu    sync.RWMutex // guards the rest, which is written with updating alone
	index *index       // nil: not read yet
	seen  uint64       // the newest change that index shows
}

// New returns a catalog that reads its keys when it is first asked, or by Warm.
func New(o Options) *Catalog {
	c := &Catalog{source: o.Source, unkept: o.Unkept, updating: make(chan struct{}, 1)}
	if c.unkept == nil {
		c.unkept = func() []store.Use { return nil }
	}
	return c
}

// Warm reads the keys ahead of the first listing. It stops with its context, whose
// error it returns; the next listing starts again.
func (c *Catalog) Warm(ctx context.Context) error { return c.refresh(ctx) }

// List returns a page of the keys as they are now, all changes included that were
// acknowledged before. A key that exists throughout a listing, passes its filter
// and keeps what it is sorted by is on exactly one page, whichever way the cursors
// are followed.
//
// The first call reads all keys, which takes seconds where there are many; those
// that come meanwhile wait for it. The error of a cursor of another listing is
// store.ErrBadCursor; those of the source are returned as they are.
func (c *Catalog) List(ctx context.Context, l Listing) (Page, error) {
	o, err := l.ordering()
	if err != nil {
		return Page{}, err
	}
	from, err := o.position(l.Page.Cursor)
	if err != nil {
		return Page{}, err
	}
	if err := c.refresh(ctx); err != nil {
		return Page{}, err
	}
	if o.by == byUsed {
		if err := c.learnUses(ctx); err != nil {
			return Page{}, err
		}
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.index.list(&l, o, from), nil
}

// refresh brings the catalog up to the newest change.
func (c *Catalog) refresh(ctx context.Context) error {
	newest, err := c.newest(ctx)
	if err != nil || c.shows(newest) {
		return err
	}
	return c.update(ctx, func() error { return c.catchUp(ctx) })
}

// newest returns the number of the newest change, zero where there is none.
func (c *Catalog) newest(ctx context.Context) (uint64, error) {
	page, err := c.source.ListAudit(ctx, store.AuditFilter{}, store.Page{Limit: 1})
	if err != nil || len(page.Records) == 0 {
		return 0, err
	}
	return page.Records[0].Seq, nil
}

// shows reports whether the catalog is that far at least.
func (c *Catalog) shows(change uint64) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.index != nil && c.seen >= change
}

// update runs f while nobody else changes what is held, and takes in the uses that
// were told meanwhile.
func (c *Catalog) update(ctx context.Context, f func() error) error {
	select {
	case c.updating <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("wait for the keys to be read: %w", ctx.Err())
	}
	defer func() { <-c.updating }() // deferred, since the source may panic
	err := f()
	c.putUses(c.inbox.take())
	return err
}

// put changes what is held.
func (c *Catalog) put(change func(*index)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c.index)
	c.index.settle()
}

// found reports whether a record is there; that it is not is no error.
func found(err error) (bool, error) {
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
