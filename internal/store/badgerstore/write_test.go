package badgerstore

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

// largest gives a key and the audit record of its change nearly all the room
// that they may have.
func largest(k *store.Key, a *store.Audit) {
	text := strings.Repeat("x", maxRecord-4<<10)
	k.Description = text
	a.Changes = map[string]store.Change{"description": {From: text, To: text}}
}

func TestAnAuditRecordMayHoldWhatTwoRecordsDo(t *testing.T) {
	s := openIn(t, newDirectory(t))
	k, a := storetest.Key(1), storetest.Audit("key.create", storetest.Key(1).ID)
	largest(&k, &a)
	_, err := s.CreateKey(t.Context(), k, a)
	require.NoError(t, err)

	directory := newDirectory(t)
	restoreInto(t, directory, backup(t, s))
	require.Equal(t, entries(t, s), entries(t, openIn(t, directory)))

	a.Changes = map[string]store.Change{"description": {From: strings.Repeat("x", maxAudit)}}
	_, err = s.AppendAudit(t.Context(), a)
	require.ErrorIs(t, err, store.ErrInvalid)
	require.ErrorContains(t, err, "must be at most 524288")
}

// A batch that is nearly full takes one more change of any size.
func TestTheLargestChangesFitIntoOneBatch(t *testing.T) {
	s := openIn(t, newDirectory(t))
	s.writer.mu.Lock() // until all wait, so that they meet in batches
	var writing sync.WaitGroup
	for n := range 8 {
		k, a := storetest.Key(n), storetest.Audit("key.create", storetest.Key(n).ID)
		if n%2 == 0 { // just not enough to have the batch committed
			a.Changes = map[string]store.Change{"description": {To: strings.Repeat("x", maxBatchBytes-4<<10)}}
		} else {
			largest(&k, &a)
		}
		writing.Go(func() {
			_, err := s.CreateKey(t.Context(), k, a)
			assert.NoError(t, err)
		})
		require.Eventually(t, func() bool { return s.writer.waiting.Load() == int64(n+1) }, time.Minute, time.Millisecond)
	}
	s.writer.mu.Unlock()
	writing.Wait()
}
