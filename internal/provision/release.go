package provision

import (
	"context"
	"fmt"

	"github.com/otlpgate/otlpgate/internal/store"
)

// planReleases sees to it that no other record has the identity of the one at an
// index of the document, or says why one does.
func (p *plan[T]) planReleases(ctx context.Context, i int, record T) error {
	holders, err := p.holders(ctx, &record)
	if err != nil {
		return err
	}
	for h := range holders {
		holder := &holders[h]
		id := *p.state(holder).id
		if reason := p.unreleasable(holder); reason != "" {
			p.refuse(p.conflict(i, p.identity, "another %s has the same %s: %s %s", p.name, p.identity, id, reason))
			continue
		}
		p.declares = append(p.declares, p.writeRelease(i, id, record))
		if !p.named[id] {
			if p.released[id] == nil {
				p.released[id] = holder
			}
			p.release(p.released[id], &record)
		}
	}
	return nil
}

// unreleasable says why a record keeps its identity.
func (p *plan[T]) unreleasable(holder *T) string {
	switch s := p.state(holder); {
	case !*s.declared:
		return fmt.Sprintf("was made through the admin API; declare each %s once", p.name)
	case s.ended() && p.name == Key: // a deleted user gives its email up
		return "is revoked for good and cannot come back under another id; mint a new key"
	case !p.named[*s.id] && p.stays(s):
		return "is declared in the collector's configuration; declare it under that id, or take it out there"
	}
	return ""
}

func (p *plan[T]) writeRelease(i int, id string, record T) write {
	return func(ctx context.Context) error {
		err := p.edit(ctx, id, p.declareAction, func(t *T) error {
			if reason := p.unreleasable(t); reason != "" {
				return p.conflict(i, p.identity, "%s, which has the same %s, has changed meanwhile: it %s", id, p.identity, reason)
			}
			p.release(t, &record)
			return nil
		})
		if err != nil {
			return fmt.Errorf("take its %s from %s %s: %w", p.identity, p.name, id, err)
		}
		return nil
	}
}

// edit changes a record as it is at the time of the write.
func (p *plan[T]) edit(ctx context.Context, id, action string, change func(*T) error) error {
	_, err := p.update(ctx, id, func(t *T) (store.Audit, error) {
		before := *t
		if err := change(t); err != nil {
			return store.Audit{}, err
		}
		changes := p.changes(&before, t)
		if len(changes) == 0 {
			return store.Audit{}, errAsWanted
		}
		*p.state(t).updatedAt = p.options.Now
		return p.audit(action, id, changes), nil
	})
	return err
}
