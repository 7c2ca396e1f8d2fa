package badgerkv

import (
	"crypto/rand"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/kv"
)

func TestNothingIsWrittenWhereTheKeysNeedTheSpace(t *testing.T) {
	s := open(t, newDirectory(t))
	s.free = func(string) (uint64, error) { return DefaultMinFree - 1, nil }
	n, err := s.Write(t.Context(), entries(1, "v"))
	require.ErrorIs(t, err, ErrNoSpace)
	assert.Zero(t, n)
	assert.ErrorContains(t, err, "255 MiB are free")
	s.free = func(string) (uint64, error) { return DefaultMinFree, nil }
	write(t, s, entries(1, "v")...)
}

func TestAWriteThatFillsTheDiskTellsHowFarItCame(t *testing.T) {
	s := open(t, newDirectory(t))
	asked := 0
	s.free = func(string) (uint64, error) {
		if asked++; asked > 2 {
			return 0, nil
		}
		return DefaultMinFree, nil
	}
	n, err := s.Write(t.Context(), entries(3*maxEntries, "v"))
	require.ErrorIs(t, err, ErrNoSpace)
	assert.Equal(t, 2*maxEntries, n)
	assert.Equal(t, n, count(t, s))
}

// Each transaction is as large as one may be, in bytes and in entries.
func TestNoWriteIsTooLargeForBadger(t *testing.T) {
	s := open(t, newDirectory(t))
	value := make([]byte, (kv.MaxGroup-10*kv.MaxEntries)/kv.MaxEntries)
	_, _ = rand.Read(value)
	var writing sync.WaitGroup
	for w := range 4 {
		writing.Go(func() {
			for range 3 {
				group := make([]kv.Entry, kv.MaxEntries)
				for i := range group {
					group[i] = entry(w*kv.MaxEntries+i, string(value))
				}
				n, err := s.Write(t.Context(), [][]kv.Entry{group, group})
				assert.NoError(t, err)
				assert.Equal(t, 2, n)
			}
		})
	}
	writing.Wait()
	assert.Equal(t, 4*kv.MaxEntries, count(t, s))
}

// Logs become full and go away while others sync.
func TestSyncIsNotDisturbedByWrites(t *testing.T) {
	s := open(t, newDirectory(t))
	done := make(chan struct{})
	var syncing sync.WaitGroup
	syncing.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				if !assert.NoError(t, s.Sync(t.Context())) {
					return
				}
			}
		}
	})
	value := make([]byte, kv.MaxValue)
	for range 10 {
		write(t, s, entries(64, string(value))...) // 40 MiB, five logs
	}
	close(done)
	syncing.Wait()
}
