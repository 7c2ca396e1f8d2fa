package badgerstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

// schemaOneRecord is an audit record as the first release wrote it.
const schemaOneRecord = `{"seq":%d,"time":"2026-03-01T12:00:00.123456Z",` +
	`"actor":{"keyId":"key_actor","userId":"admin","address":"192.0.2.1"},"action":"key.create","target":%q,` +
	`"changes":{"name":{"from":"before","to":["after",1.5,true]}}}`

// schemaOne makes a store of schema 1 that holds what creating keys 0 to n-1
// left.
func schemaOne(t *testing.T, n int) (directory string) {
	t.Helper()
	directory = newDirectory(t)
	require.NoError(t, os.Mkdir(directory, 0o700))
	fillDirectory(t, directory, n)
	db, err := badger.Open(badgerOptions(directory, zap.NewNop()).WithSyncWrites(false))
	require.NoError(t, err)
	batch := db.NewWriteBatch()
	defer batch.Cancel()
	c := &change{}
	for i := range n {
		c.put(auditKey(uint64(i+1)), fmt.Appendf(nil, schemaOneRecord, i+1, storetest.Key(i).ID))
	}
	c.put(schemaKey, binary.BigEndian.AppendUint32(nil, 1))
	for _, e := range c.staged {
		require.NoError(t, batch.Set(e.key, e.value))
	}
	require.NoError(t, batch.Flush())
	require.NoError(t, db.Close())
	return directory
}

// requireChained checks that the audit log is that of creating n keys, as this
// release writes it.
func requireChained(t *testing.T, s *Store, n int) {
	t.Helper()
	schema, err := s.schema()
	require.NoError(t, err)
	require.EqualValues(t, 2, schema)
	records := storetest.AllAudit(t, s)
	require.Len(t, records, n)
	require.Empty(t, storetest.BrokenLinks(records))
	want := storetest.Audit("key.create", "")
	want.Outcome = store.Success
	for i, r := range records {
		want.Seq, want.Target = uint64(n-i), storetest.Key(n-i-1).ID
		want.PreviousHash, want.Hash = r.PreviousHash, r.Hash
		require.Equal(t, want, r)
	}
	page, err := s.ListAudit(t.Context(), store.AuditFilter{Target: storetest.Key(0).ID, Outcome: store.Success}, store.Page{})
	require.NoError(t, err)
	require.Equal(t, records[n-1:], page.Records)
}

func TestSchemaOneRecordsAreChained(t *testing.T) {
	for _, n := range []int{1, 7, 3000} {
		directory := schemaOne(t, n)
		s := openIn(t, directory)
		requireChained(t, s, n)
		keys, err := countKeys(t.Context(), s)
		require.NoError(t, err)
		require.Equal(t, n, keys)

		create(t, s, n)
		requireChained(t, s, n+1)
		require.NoError(t, s.Close())
		s = openIn(t, directory)
		create(t, s, n+1)
		requireChained(t, s, n+2)
	}
}

func TestMigratedChainIsTheOneThatWritingMakes(t *testing.T) {
	written := openIn(t, newDirectory(t))
	for n := range 5 {
		create(t, written, n)
	}
	require.Equal(t, storetest.AllAudit(t, written), storetest.AllAudit(t, openIn(t, schemaOne(t, 5))))
}

// TestKilledMigrationIsCompletedByTheNextOpen kills it again and again, each
// time after two transactions more.
func TestKilledMigrationIsCompletedByTheNextOpen(t *testing.T) {
	const n = 6000
	directory := schemaOne(t, n)
	kills := 0
	for {
		code, output := child(t, "migrate and die", directory)
		if code == 0 {
			break
		}
		require.Equal(t, -1, code, output)
		kills++
		require.Less(t, kills, 20, "the migration must get on")
	}
	require.Greater(t, kills, 1)
	requireChained(t, openIn(t, directory), n)
}

func TestStoppedMigrationIsCompletedByTheNextOpen(t *testing.T) {
	const n = 3000
	directory := schemaOne(t, n)
	ctx, cancel := context.WithCancel(t.Context())
	stopping := func(_ context.Context, s *Store) error {
		s.free = func(path string) (uint64, error) { cancel(); return badgerdb.FreeSpace(path) }
		return chainAudit(ctx, s)
	}
	_, err := open(t.Context(), Options{Directory: directory}, []migration{stopping})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "from schema version 1 to 2")
	requireChained(t, openIn(t, directory), n)
}

// TestHalfChainedRecordsAreChainedAnew: what an interrupted migration has left
// is taken over only where it follows from what is before it.
func TestHalfChainedRecordsAreChainedAnew(t *testing.T) {
	directory := schemaOne(t, 9)
	s, err := open(t.Context(), Options{Directory: directory}, nil)
	require.NoError(t, err)
	plant(t, s, func(c *change) {
		for _, seq := range []uint64{1, 5} {
			a := storetest.Audit("key.create", storetest.Key(int(seq-1)).ID)
			a.Seq = seq
			a, err := chained(a, store.Digest{})
			require.NoError(t, err)
			require.NoError(t, c.putRecord(auditKey(seq), &a))
		}
	})
	require.NoError(t, s.Close())
	requireChained(t, openIn(t, directory), 9)
}

func TestMigrationNeedsFreeSpace(t *testing.T) {
	directory := schemaOne(t, 3)
	_, err := open(t.Context(), Options{Directory: directory}, []migration{func(ctx context.Context, s *Store) error {
		s.free = func(string) (uint64, error) { return minFreeSpace - 1, nil }
		return chainAudit(ctx, s)
	}})
	require.ErrorIs(t, err, ErrNoSpace)
	requireChained(t, openIn(t, directory), 3)
}

func TestDamagedRecordStopsTheMigration(t *testing.T) {
	for name, value := range map[string]func(*change){
		"garbled":  func(c *change) { c.put(auditKey(2), []byte("{")) },
		"unsealed": func(c *change) { c.list(auditKey(2)) },
	} {
		t.Run(name, func(t *testing.T) {
			directory := schemaOne(t, 3)
			s, err := open(t.Context(), Options{Directory: directory}, nil)
			require.NoError(t, err)
			plant(t, s, value)
			require.NoError(t, s.Close())
			_, err = Open(t.Context(), Options{Directory: directory})
			require.ErrorIs(t, err, ErrDamaged)
		})
	}
}

// schemaOneBackup is a backup as the first release made it.
func schemaOneBackup(t *testing.T, directory string) []byte {
	t.Helper()
	s, err := open(t.Context(), Options{Directory: directory}, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	whole := backup(t, s)
	require.EqualValues(t, 1, binary.BigEndian.Uint32(whole[len(backupMagic)+2:]))
	require.NotContains(t, string(whole), "previousHash")
	return whole
}

func TestBackupOfSchemaOneIsMigrated(t *testing.T) {
	whole := schemaOneBackup(t, schemaOne(t, 20))
	_, err := Verify(t.Context(), bytes.NewReader(whole), nil)
	require.NoError(t, err)
	directory := newDirectory(t)
	require.NoError(t, Restore(t.Context(), directory, bytes.NewReader(whole), nil))
	s := openIn(t, directory)
	requireChained(t, s, 20)
	require.Equal(t, storetest.AllAudit(t, openIn(t, schemaOne(t, 20))), storetest.AllAudit(t, s))
}

// TestLargestRecordOfSchemaOneSurvivesItsMigration: it grows, but can still be
// backed up and restored.
func TestLargestRecordOfSchemaOneSurvivesItsMigration(t *testing.T) {
	directory := schemaOne(t, 2)
	s, err := open(t.Context(), Options{Directory: directory}, nil)
	require.NoError(t, err)
	record := fmt.Sprintf(schemaOneRecord, 1, storetest.Key(0).ID)
	record = strings.Replace(record, "before", strings.Repeat("x", maxRecord-len(record)+len("before")), 1)
	require.Len(t, record, maxRecord)
	require.True(t, json.Valid([]byte(record)))
	plant(t, s, func(c *change) { c.put(auditKey(1), []byte(record)) })
	require.NoError(t, s.Close())
	s = openIn(t, directory)
	require.Empty(t, brokenLinks(t, s))
	restored := newDirectory(t)
	require.NoError(t, Restore(t.Context(), restored, bytes.NewReader(backup(t, s)), nil))
	require.Equal(t, storetest.AllAudit(t, s), storetest.AllAudit(t, openIn(t, restored)))
}
