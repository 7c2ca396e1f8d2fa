package badgerstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/limit/limittest"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

func TestKeeperConformance(t *testing.T) {
	limittest.Keeper(t, func(t *testing.T) limit.Keeper { return openIn(t, newDirectory(t)) })
}

// countsOf returns n records of that many bytes each.
func countsOf(n, size int) []limit.Counts {
	counts := make([]limit.Counts, n)
	for i := range counts {
		data := bytes.Repeat([]byte{byte(i), byte(i >> 8)}, size/2)
		counts[i] = limit.Counts{Key: storetest.Key(i).ID, Data: data, End: time.Now().Add(time.Hour)}
	}
	return counts
}

func requireCountsKept(t *testing.T, s *Store, counts []limit.Counts) {
	t.Helper()
	for _, c := range counts {
		kept, err := s.Counts(t.Context(), c.Key)
		require.NoError(t, err)
		require.Equal(t, c.Data, kept)
	}
}

// keptOf returns how many of the counts are kept.
func keptOf(t *testing.T, s *Store, counts []limit.Counts) int {
	t.Helper()
	n := 0
	for _, c := range counts {
		kept, err := s.Counts(t.Context(), c.Key)
		require.NoError(t, err)
		if kept != nil {
			n++
		}
	}
	return n
}

// severalTransactions is more than fits into one, by size and by number.
var severalTransactions = map[string][]limit.Counts{
	"by size":   countsOf(1000, 1000),
	"by number": countsOf(3*maxTransientRecords+1, 2),
}

func TestCountsOutliveTheStore(t *testing.T) {
	for name, counts := range severalTransactions {
		t.Run(name, func(t *testing.T) {
			s := openIn(t, newDirectory(t))
			require.NoError(t, s.KeepCounts(t.Context(), counts))
			for range 2 {
				require.NoError(t, s.Close())
				s = openIn(t, s.directory)
				requireCountsKept(t, s, counts)
			}
		})
	}
}

func TestCountsAreNoChanges(t *testing.T) {
	s := openIn(t, newDirectory(t))
	first := create(t, s, 1)
	require.NoError(t, s.KeepCounts(t.Context(), countsOf(5, 100)))
	mark, err := readWatermark(s.directory)
	require.NoError(t, err)
	require.Equal(t, first.Revision, mark)
	require.Equal(t, first.Revision+1, create(t, s, 2).Revision)
	requireGapless(t, s)
}

// between is a context that runs a function whenever it is asked whether it has
// ended, which KeepCounts does first of all and before each transaction.
type between struct {
	context.Context
	do    func(transaction int) error
	asked int
}

func (b *between) Err() error {
	b.asked++
	return b.do(b.asked - 2)
}

func TestChangesOfKeysWaitForOneTransactionOfCountsAtMost(t *testing.T) {
	for name, counts := range severalTransactions {
		t.Run(name, func(t *testing.T) {
			s := openIn(t, newDirectory(t))
			var kept []int
			ctx := &between{Context: t.Context(), do: func(transaction int) error {
				if transaction >= 0 {
					create(t, s, transaction) // would hang if it had to wait
					kept = append(kept, keptOf(t, s, counts))
				}
				return nil
			}}
			require.NoError(t, s.KeepCounts(ctx, counts))
			require.GreaterOrEqual(t, len(kept), 4)
			require.Zero(t, kept[0])
			require.IsIncreasing(t, kept)
			requireCountsKept(t, s, counts)
		})
	}
}

// TestCountsCommitTheOpenBatchOfChanges: whoever is in it need not wait for who
// comes behind, and is not acknowledged after a commit that ended unknown.
func TestCountsCommitTheOpenBatchOfChanges(t *testing.T) {
	s := openIn(t, newDirectory(t))
	s.writer.waiting.Add(1) // somebody who comes and would commit
	created := make(chan error, 1)
	go func() {
		_, err := s.CreateKey(t.Context(), storetest.Key(1), storetest.Audit("key.create", storetest.Key(1).ID))
		created <- err
	}()
	require.Eventually(t, func() bool {
		s.writer.mu.Lock()
		defer s.writer.mu.Unlock()
		return s.writer.batch != nil
	}, 10*time.Second, time.Millisecond)
	require.NoError(t, s.KeepCounts(t.Context(), countsOf(1, 10)))
	select {
	case err := <-created:
		require.NoError(t, err)
	case <-time.After(10 * time.Second):
		t.Error("the open batch still waits")
	}
	s.writer.waiting.Add(-1)
	create(t, s, 2)
	requireGapless(t, s)
}

func TestKeepingStopsWithItsContext(t *testing.T) {
	s := openIn(t, newDirectory(t))
	counts := countsOf(1000, 1000)
	ctx := &between{Context: t.Context(), do: func(transaction int) error {
		if transaction == 2 {
			return context.Canceled
		}
		return nil
	}}
	require.ErrorIs(t, s.KeepCounts(ctx, counts), context.Canceled)
	kept := keptOf(t, s, counts)
	require.Positive(t, kept)
	require.Less(t, kept, len(counts))
	requireCountsKept(t, s, counts[:kept])
}

func TestCloseWaitsUntilCountsAreKept(t *testing.T) {
	s := openIn(t, newDirectory(t))
	counts := countsOf(1000, 1000)
	closed := make(chan error)
	ctx := &between{Context: t.Context(), do: func(transaction int) error {
		if transaction == 1 {
			go func() { closed <- s.Close() }()
			require.Eventually(t, s.closing.Load, 10*time.Second, time.Millisecond)
		}
		return nil
	}}
	require.NoError(t, s.KeepCounts(ctx, counts))
	require.NoError(t, <-closed)
	_, err := s.Counts(t.Context(), counts[0].Key)
	require.ErrorIs(t, err, store.ErrClosed)
	require.ErrorIs(t, s.KeepCounts(t.Context(), counts), store.ErrClosed)
	requireCountsKept(t, openIn(t, s.directory), counts)
}

// TestUnknownCommitOfCountsStopsWrites: what is written behind a hole in the log
// is lost, keys included.
func TestUnknownCommitOfCountsStopsWrites(t *testing.T) {
	s, err := Open(t.Context(), Options{Directory: newDirectory(t)})
	require.NoError(t, err)
	create(t, s, 1)
	require.NoError(t, s.closeBadger())
	require.ErrorContains(t, s.KeepCounts(t.Context(), countsOf(1, 10)), "keep counts: commit:")
	require.ErrorContains(t, s.KeepCounts(t.Context(), countsOf(1, 10)), "ended unknown: restart")
	_, err = s.CreateKey(t.Context(), storetest.Key(2), storetest.Audit("", ""))
	require.ErrorContains(t, err, "ended unknown: restart")
	require.NoError(t, s.Close())
}

func TestUnknownCommitStopsCounts(t *testing.T) {
	s := openIn(t, newDirectory(t))
	require.NoError(t, s.KeepCounts(t.Context(), countsOf(2, 10)))
	s.writer.broken = errFull
	require.ErrorIs(t, s.KeepCounts(t.Context(), countsOf(1, 20)), errFull)
	requireCountsKept(t, s, countsOf(2, 10))
}

func TestCountsAreNotKeptOnAFullDisk(t *testing.T) {
	s := openIn(t, newDirectory(t))
	require.NoError(t, s.KeepCounts(t.Context(), countsOf(2, 10)))
	s.free = func(string) (uint64, error) { return minFreeSpace - 1, nil }
	require.ErrorIs(t, s.KeepCounts(t.Context(), countsOf(1, 20)), ErrNoSpace)
	requireCountsKept(t, s, countsOf(2, 10))
	s.free = badgerdb.FreeSpace
	require.NoError(t, s.KeepCounts(t.Context(), countsOf(1, 20)))
	requireCountsKept(t, s, countsOf(1, 20))
}

func TestCountsThatAreRefusedKeepNoOthersOut(t *testing.T) {
	s := openIn(t, newDirectory(t))
	counts := countsOf(1000, 1000)
	counts[1].Data = make([]byte, limit.MaxCountsSize+1)
	counts[998].Key = strings.Repeat("k", 70_000)
	err := s.KeepCounts(t.Context(), counts)
	require.ErrorIs(t, err, store.ErrInvalid)
	require.ErrorContains(t, err, fmt.Sprintf("those of key %q: they take 262145 bytes, must be at most 262144", counts[1].Key))
	require.ErrorContains(t, err, `kk": its id takes 70000 bytes, must be at most 1024`)
	require.Less(t, len(err.Error()), 1000)
	requireCountsKept(t, s, slices.Delete(slices.Delete(counts, 998, 999), 1, 2))
	counts = counts[:1]
	counts[0].Data = make([]byte, limit.MaxCountsSize)
	require.NoError(t, s.KeepCounts(t.Context(), counts))
	requireCountsKept(t, s, counts)
}

// TestCountsAreNotLetGoBeforeTheirEnd: Badger expires by the second.
func TestCountsAreNotLetGoBeforeTheirEnd(t *testing.T) {
	s := openIn(t, newDirectory(t))
	second := time.Unix(time.Now().Add(time.Hour).Unix(), 0)
	for _, end := range []time.Time{second, second.Add(1), second.Add(time.Second / 2), second.Add(time.Second - 1)} {
		require.NoError(t, s.KeepCounts(t.Context(), []limit.Counts{{Key: "k", Data: []byte("x"), End: end}}))
		require.NoError(t, s.view(t.Context(), func(v *snapshot) error {
			item, err := v.txn.Get(countsKey("k"))
			require.NoError(t, err)
			require.Equal(t, second.Add(time.Second), time.Unix(int64(item.ExpiresAt()), 0))
			for now, kept := range map[time.Time]bool{end: true, end.Add(time.Microsecond + 1): false} {
				data, err := v.counts("k", now)
				require.NoError(t, err)
				require.Equal(t, kept, data != nil, "%s after the end", now.Sub(end))
			}
			return nil
		}))
	}
}

func TestCountsThatHaveRunOutTakeNoRoom(t *testing.T) {
	s := openIn(t, newDirectory(t))
	for _, end := range []time.Time{{}, time.Now()} {
		require.NoError(t, s.KeepCounts(t.Context(), []limit.Counts{{Key: "k", Data: []byte("x"), End: end}}))
		require.NoError(t, s.view(t.Context(), func(v *snapshot) error {
			_, ok, err := v.get(countsKey("k"))
			require.False(t, ok)
			return err
		}))
	}
}

func TestDamagedCountsAreDamage(t *testing.T) {
	s := openIn(t, newDirectory(t))
	end := binary.BigEndian.AppendUint64(nil, uint64(time.Now().Add(time.Hour).UnixMicro()))
	plant(t, s, func(c *change) {
		c.put(countsKey("short"), end)
		c.put(countsKey("moved"), append(end, "data"...))
		c.staged[1].key = countsKey("elsewhere")
		c.list(countsKey("unsealed"))
	})
	for _, key := range []string{"short", "elsewhere", "unsealed"} {
		_, err := s.Counts(t.Context(), key)
		require.ErrorIs(t, err, ErrDamaged, key)
	}
}

func TestBackupHoldsNoCounts(t *testing.T) {
	s := fullStore(t)
	before := backup(t, s)
	counts := countsOf(20, 300)
	require.NoError(t, s.KeepCounts(t.Context(), counts))
	whole := backup(t, s)
	require.Equal(t, before, whole)
	_, err := Verify(t.Context(), bytes.NewReader(whole), nil)
	require.NoError(t, err)
	directory := newDirectory(t)
	require.NoError(t, Restore(t.Context(), directory, bytes.NewReader(whole), nil))
	restored := openIn(t, directory)
	require.Zero(t, keptOf(t, restored, counts))
	require.NoError(t, restored.KeepCounts(t.Context(), counts))
	requireCountsKept(t, restored, counts)
}
