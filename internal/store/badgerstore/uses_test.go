package badgerstore

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

// usesOf returns a use of each of the first n keys' secrets.
func usesOf(n int, at time.Time) []store.Use {
	uses := make([]store.Use, n)
	for i := range uses {
		uses[i] = store.Use{KeyID: storetest.Key(i).ID, Secret: storetest.Digest(i).Ref(), At: at.UTC().Truncate(time.Microsecond)}
	}
	return uses
}

func requireUsesKept(t *testing.T, s *Store, uses []store.Use) {
	t.Helper()
	for _, u := range uses {
		kept, err := s.LastUses(t.Context(), u.KeyID)
		require.NoError(t, err)
		require.Equal(t, []store.Use{u}, kept)
	}
}

func TestUsesOutliveTheStore(t *testing.T) {
	s := openIn(t, newDirectory(t))
	uses := usesOf(3*maxTransientRecords+1, time.Now())
	require.NoError(t, s.KeepUses(t.Context(), uses))
	require.NoError(t, s.Close())
	s = openIn(t, s.directory)
	requireUsesKept(t, s, uses)
	require.NoError(t, s.KeepUses(t.Context(), usesOf(9, time.Now().Add(-time.Hour))))
	requireUsesKept(t, s, uses)
}

func TestUsesAreNoChanges(t *testing.T) {
	s := fullStore(t)
	before, mark := backup(t, s), s.writer.change
	require.NoError(t, s.KeepUses(t.Context(), usesOf(5, time.Now())))
	written, err := readWatermark(s.directory)
	require.NoError(t, err)
	require.Equal(t, mark, written)
	require.Equal(t, before, backup(t, s), "a backup holds no uses")
	require.Equal(t, mark+1, create(t, s, 99).Revision)
	requireGapless(t, s)
}

func TestRestoredStoreHasNoUses(t *testing.T) {
	s := fullStore(t)
	require.NoError(t, s.KeepUses(t.Context(), usesOf(5, time.Now())))
	directory := newDirectory(t)
	restoreInto(t, directory, backup(t, s))
	kept, err := openIn(t, directory).LastUses(t.Context(), storetest.Key(1).ID)
	require.NoError(t, err)
	require.Empty(t, kept)
}

func TestUnknownCommitOfUsesStopsWrites(t *testing.T) {
	s, err := Open(t.Context(), Options{Directory: newDirectory(t)})
	require.NoError(t, err)
	create(t, s, 1)
	s.writer.broken = errFull
	require.ErrorIs(t, s.KeepUses(t.Context(), usesOf(1, time.Now())), errFull)
	require.NoError(t, s.Close())
}

func TestUsesAreNotKeptOnAFullDisk(t *testing.T) {
	s := openIn(t, newDirectory(t))
	s.free = func(string) (uint64, error) { return minFreeSpace - 1, nil }
	require.ErrorIs(t, s.KeepUses(t.Context(), usesOf(1, time.Now())), ErrNoSpace)
}

// TestUseKeptTooLateIsOfNoOther: a use may be told after its secret was given
// up. It must not count for the secret in its place.
func TestUseKeptTooLateIsOfNoOther(t *testing.T) {
	s := openIn(t, newDirectory(t))
	create(t, s, 1)
	edit(t, s, 1, func(k *store.Key) { k.Secrets[0].Digest = storetest.Digest(11) })
	late := usesOf(2, time.Now())[1:]
	require.NoError(t, s.KeepUses(t.Context(), late))
	key, err := s.Key(t.Context(), storetest.Key(1).ID)
	require.NoError(t, err)
	kept, err := s.LastUses(t.Context(), key.ID)
	require.NoError(t, err)
	require.Equal(t, late, kept)
	require.NotEqual(t, key.Secrets[0].Digest.Ref(), kept[0].Secret)
}

func TestDamagedUsesAreDamage(t *testing.T) {
	s := openIn(t, newDirectory(t))
	ref := storetest.Digest(1).Ref()
	plant(t, s, func(c *change) {
		c.put(useKey("short", ref), []byte("1234567"))
		c.put(useKey("moved", ref), make([]byte, 8))
		c.staged[1].key = useKey("elsewhere", ref)
		c.list(useKey("unsealed", ref))
		c.put(append(useKey("longer", ref), 'x'), make([]byte, 8))
		c.put(bytes.TrimSuffix(useKey("shorter", ref), ref[7:]), make([]byte, 8))
	})
	for _, key := range []string{"short", "elsewhere", "unsealed", "longer", "shorter"} {
		_, err := s.LastUses(t.Context(), key)
		require.ErrorIs(t, err, ErrDamaged, key)
	}
	for _, err := range s.AllUses(t.Context()) {
		require.ErrorIs(t, err, ErrDamaged, "a walk ends at its first error, and skips nothing")
	}
	for _, key := range []string{"short", "elsewhere", "unsealed"} {
		err := s.KeepUses(t.Context(), []store.Use{{KeyID: key, Secret: ref, At: time.Now()}})
		require.ErrorIs(t, err, ErrDamaged, key)
	}
	create(t, s, 1)
}
