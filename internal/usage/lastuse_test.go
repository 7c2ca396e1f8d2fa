package usage

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// epoch lies ahead, so that nothing expires.
var epoch = time.Date(2126, 11, 24, 10, 0, 0, 0, time.UTC)

// keeper is a store that can fail, and counts what it is given.
type keeper struct {
	store.Store
	mu    sync.Mutex
	err   error
	given int
}

func (k *keeper) KeepUses(ctx context.Context, uses []store.Use) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return k.err
	}
	k.given += len(uses)
	return k.Store.KeepUses(ctx, uses)
}

func newKeeper() *keeper { return &keeper{Store: storetest.NewMemory()} }

func key(id string, secret byte) *identity.Identity {
	return &identity.Identity{KeyID: id, SecretInfo: identity.SecretInfo{Ref: [8]byte{secret}}}
}

// latest returns the last use of each secret of a key, by the first byte of its
// reference.
func latest(t *testing.T, l *LastUses, id string) map[byte]time.Time {
	t.Helper()
	uses, err := l.LastUses(t.Context(), id)
	require.NoError(t, err)
	found := map[byte]time.Time{}
	for _, use := range uses {
		assert.Equal(t, id, use.KeyID)
		assert.NotContains(t, found, use.Secret[0])
		found[use.Secret[0]] = use.At
	}
	return found
}

func TestEachSecretHasALastUseOfItsOwn(t *testing.T) {
	l := NewLastUses(newKeeper())
	assert.Empty(t, latest(t, l, "a"))
	l.Used(key("a", 1), epoch)
	l.Used(key("a", 2), epoch.Add(time.Second))
	l.Used(key("b", 1), epoch.Add(time.Minute))
	l.Used(key("a", 1), epoch.Add(-time.Hour)) // late
	assert.Equal(t, map[byte]time.Time{1: epoch, 2: epoch.Add(time.Second)}, latest(t, l, "a"))
	assert.Equal(t, map[byte]time.Time{1: epoch.Add(time.Minute)}, latest(t, l, "b"))
}

func TestWhatIsFlushedOutlivesTheProcessAndIsWrittenOnce(t *testing.T) {
	k := newKeeper()
	l := NewLastUses(k)
	l.Used(key("a", 1), epoch)
	require.NoError(t, l.Flush(t.Context(), epoch))
	require.NoError(t, l.Flush(t.Context(), epoch))
	assert.Equal(t, 1, k.given, "what has not changed is not written again")
	next := NewLastUses(k)
	assert.Equal(t, map[byte]time.Time{1: epoch}, latest(t, next, "a"))
	next.Used(key("a", 1), epoch.Add(time.Second))
	assert.Equal(t, map[byte]time.Time{1: epoch.Add(time.Second)}, latest(t, next, "a"), "what is in memory is newer")
}

func TestWhatCouldNotBeKeptIsTriedAgain(t *testing.T) {
	k := newKeeper()
	l := NewLastUses(k)
	l.Used(key("a", 1), epoch)
	k.err = errors.New("disk on fire")
	require.ErrorIs(t, l.Flush(t.Context(), epoch.Add(time.Hour)), k.err)
	assert.Equal(t, map[byte]time.Time{1: epoch}, latest(t, l, "a"), "and not forgotten meanwhile")
	k.err = nil
	require.NoError(t, l.Flush(t.Context(), epoch.Add(time.Hour)))
	assert.Equal(t, map[byte]time.Time{1: epoch}, latest(t, NewLastUses(k), "a"))
}

func TestWhatTheKeeperDoesNotKnowIsUnkept(t *testing.T) {
	k := newKeeper()
	l := NewLastUses(k)
	assert.Empty(t, l.Unkept())
	l.Used(key("a", 1), epoch)
	l.Used(key("b", 2), epoch)
	want := []store.Use{
		{KeyID: "a", Secret: store.SecretRef{1}, At: epoch},
		{KeyID: "b", Secret: store.SecretRef{2}, At: epoch},
	}
	assert.ElementsMatch(t, want, l.Unkept())
	k.err = errors.New("disk on fire")
	require.Error(t, l.Flush(t.Context(), epoch))
	assert.ElementsMatch(t, want, l.Unkept())
	k.err = nil
	require.NoError(t, l.Flush(t.Context(), epoch))
	assert.Empty(t, l.Unkept())
	l.Used(key("b", 2), epoch.Add(time.Second))
	assert.Equal(t, []store.Use{{KeyID: "b", Secret: store.SecretRef{2}, At: epoch.Add(time.Second)}}, l.Unkept())
}

func TestIdleSecretsAreForgottenFromMemoryAlone(t *testing.T) {
	k := newKeeper()
	l := NewLastUses(k)
	for i := range 1000 {
		l.Used(key(strconv.Itoa(i), 1), epoch)
	}
	l.Used(key("busy", 1), epoch.Add(idleAfter))
	require.NoError(t, l.Flush(t.Context(), epoch.Add(idleAfter+time.Second)))
	held := 0
	for i := range l.shards {
		held += len(l.shards[i].keys)
	}
	assert.Equal(t, 1, held)
	assert.Equal(t, map[byte]time.Time{1: epoch}, latest(t, l, "7"))
}

func TestNoUseIsLostBetweenRequestsAndFlushes(t *testing.T) {
	k := newKeeper()
	l := NewLastUses(k)
	var workers sync.WaitGroup
	for w := range 8 {
		workers.Go(func() {
			for i := range 2000 {
				l.Used(key(strconv.Itoa(i%50), byte(w%2)), epoch.Add(time.Duration(i)*time.Second))
			}
		})
	}
	for i := range 50 {
		require.NoError(t, l.Flush(t.Context(), epoch.Add(time.Duration(i)*time.Hour))) // forgets all the time
	}
	workers.Wait()
	require.NoError(t, l.Flush(t.Context(), epoch))
	for i := range 50 {
		last := epoch.Add(time.Duration(1950+i) * time.Second)
		assert.Equal(t, map[byte]time.Time{0: last, 1: last}, latest(t, NewLastUses(k), strconv.Itoa(i)))
	}
}

func TestUsedDoesNotAllocate(t *testing.T) {
	l, id := NewLastUses(newKeeper()), key("a", 1)
	l.Used(id, epoch)
	assert.Zero(t, testing.AllocsPerRun(100, func() { l.Used(id, epoch) }))
}

func BenchmarkUsed(b *testing.B) {
	l, id := NewLastUses(newKeeper()), key("key_aaaaaaaaaaaaaaaaaaaa", 1)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		at := epoch
		for pb.Next() {
			at = at.Add(time.Microsecond)
			l.Used(id, at)
		}
	})
}
