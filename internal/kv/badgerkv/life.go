package badgerkv

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/otlpgate/otlpgate/internal/kv"
)

// life counts the operations under way, so that Close can wait for them. Unlike a
// lock that each of them holds for reading, it has no operation wait for Close:
// the visit of a walk may begin another one, which Close would wait for in turn.
type life struct {
	mu      sync.Mutex     // held by enter, and by end when it sets closing
	closing atomic.Bool    // no operation begins any more
	running sync.WaitGroup // of the operations under way
}

// enter begins an operation; leave ends it.
func (l *life) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing.Load() {
		return kv.ErrClosed
	}
	l.running.Add(1)
	return nil
}

func (l *life) leave() { l.running.Done() }

// interrupted tells a long operation whether to stop.
func (l *life) interrupted(ctx context.Context) error {
	if l.closing.Load() {
		return kv.ErrClosed
	}
	return ctx.Err()
}

// end lets no operation begin any more and waits for those under way.
func (l *life) end() {
	l.mu.Lock()
	l.closing.Store(true)
	l.mu.Unlock()
	l.running.Wait()
}
