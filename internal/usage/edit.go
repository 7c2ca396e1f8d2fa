package usage

import (
	"context"
	"errors"
	"time"

	"github.com/otlpgate/otlpgate/internal/kv"
)

// edit collects what is to be written of one key, all of it or nothing.
type edit struct {
	ledger  *Ledger
	id      string
	pages   map[string]changedPage // by their kv keys
	entries []kv.Entry
}

type changedPage struct {
	level *level
	page  *page
}

func newEdit(l *Ledger, id string) *edit {
	return &edit{ledger: l, id: id, pages: map[string]changedPage{}}
}

// head returns the key's head, nil where it has none.
func (e *edit) head(ctx context.Context) (*page, error) { return e.ledger.page(ctx, headKey(e.id)) }

// setHead writes the head, or removes it where it is nil, and the pages that were
// changed.
func (e *edit) setHead(head *page) {
	entry := kv.Entry{Key: headKey(e.id)}
	if head != nil {
		entry.Value = head.encode()
		entry.ExpiresAt = time.Unix(head.start, 0).Add(e.ledger.retention)
	}
	e.entries = append(e.entries, entry)
	for key, c := range e.pages {
		start := time.Unix(c.page.start, 0).UTC()
		e.entries = append(e.entries, kv.Entry{
			Key: []byte(key), Value: c.page.encode(), ExpiresAt: c.level.next(start).Add(c.level.kept(e.ledger.retention)),
		})
	}
}

// close adds the buckets of a head, which may be nil, to the pages.
func (e *edit) close(ctx context.Context, head *page) error {
	if head == nil {
		return nil
	}
	for slot, b := range head.slots {
		at := time.Unix(head.start, 0).UTC().Add(time.Duration(slot) * time.Minute)
		if err := e.add(ctx, at, b); err != nil {
			return err
		}
	}
	return nil
}

// add adds the bucket of a minute to the pages of all levels.
func (e *edit) add(ctx context.Context, at time.Time, b *Bucket) error {
	for i := range levels {
		l := &levels[i]
		start, slot := l.place(at)
		key := string(l.key(e.id, start))
		c, ok := e.pages[key]
		if !ok {
			p, err := e.ledger.page(ctx, []byte(key))
			if err != nil {
				return err
			}
			if p == nil {
				p = newPage(start.Unix())
			}
			c = changedPage{l, p}
			e.pages[key] = c
		}
		c.page.slot(slot).Add(b)
	}
	return nil
}

// page reads a page, nil where there is none that can be read.
func (l *Ledger) page(ctx context.Context, key []byte) (*page, error) {
	value, err := l.store.Get(ctx, key)
	var p *page
	if err == nil {
		p, err = decodePage(value)
	}
	if errors.Is(err, kv.ErrNotFound) || unreadable(err) {
		return nil, nil
	}
	return p, err
}

// unreadable reports whether what is kept is damaged, and not merely out of reach
// now. It is then as good as nothing: to keep it would keep the key from being
// counted.
func unreadable(err error) bool { return errors.Is(err, kv.ErrDamaged) || errors.Is(err, errPage) }
