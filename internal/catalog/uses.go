package catalog

import (
	"context"
	"slices"
	"sync"

	"github.com/otlpgate/otlpgate/internal/store"
)

// inbox holds the uses that were told since they were last taken in. Safe for
// concurrent use.
type inbox struct {
	mu   sync.Mutex
	uses []store.Use
}

func (b *inbox) put(uses []store.Use) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.uses = append(b.uses, uses...)
}

func (b *inbox) empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.uses) == 0
}

func (b *inbox) take() []store.Use {
	b.mu.Lock()
	defer b.mu.Unlock()
	uses := b.uses
	b.uses = nil
	return uses
}

// keeper is a store of last uses that tells a catalog what it keeps.
type keeper struct {
	store.Uses
	catalog *Catalog
}

// Keeper returns uses with a catalog that learns of all that it is given to keep.
func (c *Catalog) Keeper(uses store.Uses) store.Uses { return keeper{uses, c} }

// KeepUses implements store.Uses. Uses that cannot be kept were made all the same.
func (k keeper) KeepUses(ctx context.Context, uses []store.Use) error {
	err := k.Uses.KeepUses(ctx, uses)
	k.catalog.tell(uses)
	return err
}

// tell notes uses that the source has. Where the catalog is being changed, it is
// whoever does that, or the next listing, who takes them in.
func (c *Catalog) tell(uses []store.Use) {
	c.inbox.put(uses)
	select {
	case c.updating <- struct{}{}:
		defer func() { <-c.updating }()
		c.putUses(c.inbox.take())
	default:
	}
}

// learnUses takes in all uses up to now.
func (c *Catalog) learnUses(ctx context.Context) error {
	news := c.news(c.unkept())
	if len(news) == 0 && c.inbox.empty() {
		return nil
	}
	return c.update(ctx, func() error {
		c.putUses(news)
		return nil
	})
}

// news returns the uses that say something of a key.
func (c *Catalog) news(uses []store.Use) []store.Use {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.DeleteFunc(uses, func(u store.Use) bool {
		_, is := c.index.isNews(&u)
		return !is
	})
}

// putUses takes uses in. The token must be held. Where nothing was read yet it
// drops them, as they will be read with the keys.
func (c *Catalog) putUses(uses []store.Use) {
	if c.index == nil || len(uses) == 0 {
		return
	}
	c.put(func(x *index) {
		for i := range uses {
			x.putUse(&uses[i])
		}
	})
}
