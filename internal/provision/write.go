package provision

import (
	"context"
	"errors"
	"fmt"

	"github.com/otlpgate/otlpgate/internal/store"
)

// writeDeclared creates or changes the record at an index of the document. One
// that was not there may have been made meanwhile, by another collector that
// starts.
func (p *plan[T]) writeDeclared(i int, exists bool, record T) write {
	id := *p.state(&record).id
	return func(ctx context.Context) error {
		err := store.ErrExists
		if !exists {
			err = p.writeNew(ctx, id, record)
		}
		if errors.Is(err, store.ErrExists) {
			if again := p.writeOver(ctx, i, id, record); !errors.Is(again, store.ErrNotFound) {
				err = again
			}
		}
		if err != nil {
			return fmt.Errorf("declare %s %s: %w", p.name, id, err)
		}
		return nil
	}
}

func (p *plan[T]) writeNew(ctx context.Context, id string, record T) error {
	var none T
	created, err := p.wanted(none, record)
	if err == nil {
		_, err = p.create(ctx, created, p.audit(p.declareAction, id, p.changes(nil, &created)))
	}
	return err
}

// writeOver decides again what is to be done, since the record may have changed
// after it was planned for: a revocation in between must not be lost.
func (p *plan[T]) writeOver(ctx context.Context, i int, id string, record T) error {
	return p.edit(ctx, id, p.declareAction, func(t *T) (err error) {
		if reason := p.untouchable(t); reason != "" {
			return p.conflict(i, "id", "%q has changed meanwhile: it %s", id, reason)
		}
		*t, err = p.wanted(*t, record)
		return err
	})
}

func (p *plan[T]) writeWithdrawn(id string) write {
	return func(ctx context.Context) error {
		err := p.edit(ctx, id, p.withdrawAction, func(t *T) error {
			s := p.state(t)
			if !p.goes(s) {
				return errAsWanted
			}
			*s.withdrawn = true
			return nil
		})
		if err != nil {
			return fmt.Errorf("withdraw %s %s: %w", p.name, id, err)
		}
		return nil
	}
}

func (p *plan[T]) audit(action, target string, changes map[string]store.Change) store.Audit {
	return store.Audit{Time: p.options.Now, Actor: p.options.Actor, Action: action, Target: target, Changes: changes}
}
