package e2e

import (
	"context"
	"maps"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// ledger is what the API has acknowledged.
type ledger struct {
	mu      sync.Mutex
	created []key
	revoked map[string]bool // true once acknowledged, false while asked for
}

func (l *ledger) add(k key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.created = append(l.created, k)
}

func (l *ledger) setRevoked(id string, acknowledged bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revoked[id] = acknowledged
}

// write creates keys and revokes every other one until the server is gone.
func (l *ledger) write(ctx context.Context, a *admin) {
	for revoke := false; ; revoke = !revoke {
		k, err := a.tryCreate(ctx)
		if err != nil {
			return
		}
		l.add(k)
		if !revoke {
			continue
		}
		l.setRevoked(k.id, false)
		if a.tryRevoke(ctx, k.id) != nil {
			return
		}
		l.setRevoked(k.id, true)
	}
}

// check asks about every key: what was acknowledged must hold, and what was
// merely asked for may have happened or not.
func (l *ledger) check(t *testing.T, c *collector) {
	t.Helper()
	listed := c.statusesUntil(t, l.isIn)
	for _, k := range l.created {
		got := sendProtobuf(t, c, traces, traces.request(), k.bearer())
		acknowledged, asked := l.revoked[k.id]
		switch {
		case acknowledged:
			assert.Contains(t, got.message, "revoked", "key %s was revoked", k.id)
			assert.Equal(t, client.KeyStatusRevoked, listed[k.id], "key %s", k.id)
		case !asked:
			assert.Equal(t, http.StatusOK, got.http, "key %s was created: %s", k.id, got.message)
			assert.Equal(t, client.KeyStatusActive, listed[k.id], "key %s", k.id)
		default:
			assert.Contains(t, listed, k.id, "key %s was created", k.id)
		}
	}
}

// isIn says whether every key of the ledger is listed.
func (l *ledger) isIn(listed map[string]client.KeyStatus) bool {
	return !slices.ContainsFunc(l.created, func(k key) bool {
		_, found := listed[k.id]
		return !found
	})
}

func TestNothingThatWasAcknowledgedIsLostByAKill(t *testing.T) {
	const writers = 8
	rounds := count(t, "OTLPGATE_KILL_ROUNDS", 200)
	storage, v, s := filepath.Join(t.TempDir(), "data"), newVault(t), newSink(t)
	o := options{storage: storage, vault: v, sink: s, overlay: "service: {pipelines: {traces: {exporters: [nop]}}}"}
	all := &ledger{revoked: map[string]bool{}}
	began, starting := time.Now(), time.Duration(0)
	var before *ledger // of the round before
	for range rounds {
		launched := time.Now()
		c := start(t, o)
		starting += time.Since(launched)
		if before != nil {
			before.check(t, c)
		}
		before = killWhileWriting(t, c, writers)
		all.created = append(all.created, before.created...)
		maps.Copy(all.revoked, before.revoked)
		require.False(t, t.Failed())
	}
	c := start(t, o)
	all.check(t, c)
	t.Logf("%d kills in %s, %s of a start; %d keys created, %d of them revoked", rounds, time.Since(began).Round(time.Millisecond),
		(starting / time.Duration(rounds)).Round(time.Millisecond), len(all.created), len(all.revoked))
}

// killWhileWriting kills otlpgate at a random moment.
func killWhileWriting(t *testing.T, c *collector, writers int) *ledger {
	t.Helper()
	l := &ledger{revoked: map[string]bool{}}
	var writing sync.WaitGroup
	for range writers {
		writing.Go(func() { l.write(t.Context(), c.admin) })
	}
	time.Sleep(time.Duration(rand.Int64N(int64(100 * time.Millisecond)))) // the moment is the test's choice
	c.kill()
	writing.Wait()
	return l
}
