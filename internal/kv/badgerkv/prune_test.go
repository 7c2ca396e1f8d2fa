package badgerkv

import (
	"crypto/rand"
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/kv"
)

// The life of the entries below, and how often they are pruned, by a clock that
// runs as fast as the work is done.
const (
	hour     = 5 * time.Second
	lifetime = 40 * hour
	lives    = 10
)

// Ten times what is live at any moment is written and expires. The keys of an access
// log grow with time, so that new ones never meet the old ones in a table.
func TestTheSpaceOfWhatHasExpiredIsGivenBack(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 240 MB")
	}
	const perHour = 608 << 10
	directory := newDirectory(t)
	synctest.Test(t, func(t *testing.T) {
		largest := simulate(t, directory, func(h int) []kv.Entry {
			return random(perHour, 8<<10, func(i int) []byte {
				return binary.BigEndian.AppendUint32([]byte("log"), uint32(h*1000+i))
			})
		})
		live := int64(perHour) * int64(lifetime/hour)
		t.Logf("%d MiB live, %d MiB written, at most %d MiB of tables", live>>20, live*lives>>20, largest>>20)
		assert.Less(t, largest, 4*live)
	})
}

// random returns values that take so many bytes together.
func random(total, size int, key func(i int) []byte) []kv.Entry {
	made := make([]kv.Entry, total/size)
	for i := range made {
		value := make([]byte, size)
		_, _ = rand.Read(value)
		made[i] = kv.Entry{Key: key(i), Value: value, ExpiresAt: time.Now().Add(lifetime)}
	}
	return made
}

// simulate writes for some lifetimes and returns how large the tables become.
func simulate(t *testing.T, directory string, writeHour func(h int) []kv.Entry) (largest int64) {
	t.Helper()
	s := open(t, directory)
	for h := range lives * int(lifetime/hour) {
		for _, e := range writeHour(h) {
			write(t, s, []kv.Entry{e})
		}
		time.Sleep(hour)
		if h%6 == 5 {
			require.NoError(t, s.Prune(t.Context()))
		}
		largest = max(largest, filesSize(t, directory, tables))
	}
	return largest
}

func TestPruneDeletesWhatHasExpiredAndNothingElse(t *testing.T) {
	directory := newDirectory(t)
	synctest.Test(t, func(t *testing.T) {
		s := open(t, directory)
		groups := entries(3000, "v")
		for i := 0; i < len(groups); i += 3 {
			groups[i][0].ExpiresAt = time.Now().Add(time.Minute)
		}
		write(t, s, groups...)
		time.Sleep(2 * time.Minute)
		again := entry(3, "again")
		write(t, s, []kv.Entry{again})
		require.NoError(t, s.Prune(t.Context()))
		deleted, live := newestVersions(t, s)
		assert.Equal(t, 999, deleted)
		assert.Equal(t, 2001, live)
		value, err := s.Get(t.Context(), again.Key)
		require.NoError(t, err)
		assert.Equal(t, "again", string(value))
		newest := s.db.MaxVersion()
		require.NoError(t, s.Prune(t.Context()))
		assert.Equal(t, newest, s.db.MaxVersion(), "what was deleted is left alone")
	})
}

// newestVersions counts the keys of which the newest version is a deletion, and
// those that have a value.
func newestVersions(t *testing.T, s *Store) (deleted, live int) {
	t.Helper()
	require.NoError(t, s.db.View(func(txn *badger.Txn) error {
		o := badger.DefaultIteratorOptions
		o.AllVersions = true
		it := txn.NewIterator(o)
		defer it.Close()
		seen := map[string]bool{}
		for it.Rewind(); it.Valid(); it.Next() {
			item := it.Item()
			if seen[string(item.Key())] {
				continue
			}
			seen[string(item.Key())] = true
			switch {
			case !item.IsDeletedOrExpired():
				live++
			case item.ExpiresAt() == 0:
				deleted++
			}
		}
		return nil
	}))
	return deleted, live
}

// Deleting gives space back, so it goes on where there is too little to write, but
// not where Badger would die of it.
func TestPruneDeletesWhereThereIsTooLittleSpaceToWrite(t *testing.T) {
	s := open(t, newDirectory(t))
	e := entry(1, "v")
	e.ExpiresAt = time.Now().Add(-time.Hour)
	write(t, s, []kv.Entry{e})
	s.free = func(string) (uint64, error) { return leastFree - 1, nil }
	require.ErrorIs(t, s.Prune(t.Context()), ErrNoSpace)
	s.free = func(string) (uint64, error) { return leastFree, nil }
	require.NoError(t, s.Prune(t.Context()))
	deleted, _ := newestVersions(t, s)
	assert.Equal(t, 1, deleted)
}
