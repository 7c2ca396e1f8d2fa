package badgerstore

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

// brokenLinks walks the audit log as one who verifies it does.
func brokenLinks(t testing.TB, s *Store) []uint64 {
	t.Helper()
	return storetest.BrokenLinks(storetest.AllAudit(t, s))
}

// rewrite replaces audit record seq of an open store, with a seal that is right.
func rewrite(t *testing.T, s *Store, seq uint64, edit func(*store.Audit)) {
	t.Helper()
	records := storetest.AllAudit(t, s)
	record := records[uint64(len(records))-seq]
	edit(&record)
	plant(t, s, func(c *change) { require.NoError(t, c.putRecord(auditKey(seq), &record)) })
}

func TestEditedAuditRecordBreaksTheChain(t *testing.T) {
	for name, edit := range map[string]func(*store.Audit){
		"who":     func(a *store.Audit) { a.Actor.UserID = "somebody else" },
		"whence":  func(a *store.Audit) { a.Actor.Address = "" },
		"what":    func(a *store.Audit) { a.Action = "key.update" },
		"to whom": func(a *store.Audit) { a.Target += "x" },
		"when":    func(a *store.Audit) { a.Time = a.Time.AddDate(0, 0, 1) },
		"outcome": func(a *store.Audit) { a.Outcome = store.Refused },
		"reason":  func(a *store.Audit) { a.Reason = "x" },
		"changes": func(a *store.Audit) { a.Changes["name"] = store.Change{From: "x"} },
	} {
		t.Run(name, func(t *testing.T) {
			directory := newDirectory(t)
			s := openIn(t, directory)
			for n := range 6 {
				create(t, s, n)
			}
			require.Empty(t, brokenLinks(t, s))
			rewrite(t, s, 3, edit)
			require.NoError(t, s.Close())
			s = openIn(t, directory)
			require.Equal(t, []uint64{3}, brokenLinks(t, s))

			rewrite(t, s, 3, func(a *store.Audit) { // with a hash that is right
				var err error
				*a, err = a.Sealed(a.PreviousHash)
				require.NoError(t, err)
			})
			require.Equal(t, []uint64{4}, brokenLinks(t, s))
		})
	}
}

// dropAudit removes audit record seq and renumbers those behind it, so that
// nothing is missing by their numbers.
func dropAudit(t *testing.T, s *Store, seq uint64, renumber func(*store.Audit)) {
	t.Helper()
	records := storetest.AllAudit(t, s)
	newest := uint64(len(records)) - 1
	plant(t, s, func(c *change) {
		for _, r := range slices.Backward(records) {
			if r.Seq > seq {
				r.Seq--
				renumber(&r)
				require.NoError(t, c.putRecord(auditKey(r.Seq), &r))
			}
		}
		c.put(changeKey, binary.BigEndian.AppendUint64(nil, newest))
	})
	require.NoError(t, s.db.Update(func(txn *badger.Txn) error { return txn.Delete(auditKey(newest + 1)) }))
}

// TestDroppedAuditRecordBreaksTheChain drops one where the numbers do not tell:
// checkHistory and the watermark are content.
func TestDroppedAuditRecordBreaksTheChain(t *testing.T) {
	rehash := func(a *store.Audit) {
		var err error
		*a, err = a.Sealed(a.PreviousHash)
		require.NoError(t, err)
	}
	for name, c := range map[string]struct {
		renumber func(*store.Audit)
		broken   []uint64
	}{
		"numbers alone":    {func(*store.Audit) {}, []uint64{3, 4, 5}},
		"numbers and hash": {rehash, []uint64{3, 4, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			directory := newDirectory(t)
			s := openIn(t, directory)
			for n := range 6 {
				create(t, s, n)
			}
			dropAudit(t, s, 3, c.renumber)
			require.NoError(t, s.Close())
			require.NoError(t, os.Remove(filepath.Join(directory, watermarkFile)))
			s = openIn(t, directory)
			require.Equal(t, c.broken, brokenLinks(t, s))
			create(t, s, 7)
			require.Equal(t, c.broken, brokenLinks(t, s), "what is written later follows from what is there")
		})
	}
}

// TestRefusedChangesLeaveTheChainWhole: their records were sealed, but are not
// what others follow from.
func TestRefusedChangesLeaveTheChainWhole(t *testing.T) {
	s := openIn(t, newDirectory(t))
	create(t, s, 1)
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		err := s.write(ctx, func(c *change) error {
			defer cancel()
			return c.putAudit("", storetest.Audit("key.create", ""))
		})
		require.ErrorIs(t, err, context.Canceled)
		edit(t, s, 1, func(k *store.Key) { k.Name += "x" })
	}
	requireGapless(t, s)
	require.Empty(t, brokenLinks(t, s))
}

// TestFailedBatchLeavesTheChainWhole lets a batch fail before its commit.
func TestFailedBatchLeavesTheChainWhole(t *testing.T) {
	s := openIn(t, newDirectory(t))
	create(t, s, 1)
	err := s.write(t.Context(), func(c *change) error {
		c.put(make([]byte, 1<<17), nil) // longer than Badger takes
		return c.putAudit("", storetest.Audit("key.create", ""))
	})
	require.Error(t, err)
	require.NoError(t, s.writable())
	create(t, s, 2)
	requireGapless(t, s)
	require.Empty(t, brokenLinks(t, s))
}

func TestRestoredStoreContinuesTheChain(t *testing.T) {
	s := fullStore(t)
	directory := newDirectory(t)
	restoreInto(t, directory, backup(t, s))
	restored := openIn(t, directory)
	create(t, s, 99)
	create(t, restored, 99)
	require.Equal(t, storetest.AllAudit(t, s), storetest.AllAudit(t, restored))
	require.Empty(t, brokenLinks(t, restored))
}
