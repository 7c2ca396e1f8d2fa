package badgerstore

import (
	"encoding/binary"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

// fillDirectory makes a store that holds what creating keys 0 to n-1 would
// leave, without syncing each.
func fillDirectory(t testing.TB, directory string, n int) {
	t.Helper()
	fillRange(t, directory, 0, n)
}

// fillRange adds keys first to last-1 to a store that has those before. It makes
// at least a table of them.
func fillRange(t testing.TB, directory string, first, last int) {
	t.Helper()
	o := badgerOptions(directory, zap.NewNop())
	o.SyncWrites = false
	db, err := badger.Open(o)
	require.NoError(t, err)
	batch := db.NewWriteBatch()
	defer batch.Cancel()
	write := func(c *change) {
		for _, e := range c.staged {
			require.NoError(t, batch.Set(e.key, e.value))
		}
	}
	head := headOf(t, db, uint64(first))
	for i := first; i < last; i++ {
		k := storetest.Key(i)
		k.Revision = uint64(i) + 1
		a := storetest.Audit("key.create", k.ID)
		a.Seq = k.Revision
		a, err := chained(a, head)
		require.NoError(t, err)
		head = a.Hash
		c := &change{}
		require.NoError(t, c.putRecord(keyKey(k.ID), &k))
		require.NoError(t, c.putRecord(auditKey(a.Seq), &a))
		for _, record := range c.staged[:2] {
			payload, err := unseal(record.key, record.value)
			require.NoError(t, err)
			require.NoError(t, c.index(record.key, payload))
		}
		write(c)
	}
	meta := &change{}
	meta.put(schemaKey, binary.BigEndian.AppendUint32(nil, schemaVersion(migrations)))
	meta.put(changeKey, binary.BigEndian.AppendUint64(nil, uint64(last)))
	write(meta)
	require.NoError(t, batch.Flush())
	if last-first >= 100_000 { // lest compaction goes on while a benchmark runs
		require.NoError(t, db.Flatten(2))
	}
	require.NoError(t, db.Close())
}

func headOf(t testing.TB, db *badger.DB, newest uint64) store.Digest {
	t.Helper()
	txn := db.NewTransaction(false)
	defer txn.Discard()
	head, err := (&snapshot{&Store{}, txn}).head(newest)
	require.NoError(t, err)
	return head
}
