package badgerstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
	"github.com/otlpgate/otlpgate/internal/store"
)

// A batch is committed when its changes reach this many or this many bytes.
const (
	maxBatchChanges = 256
	maxBatchBytes   = 384 << 10
)

// minFreeSpace is the free space in bytes below which nothing is written.
// Badger writes into memory maps of sparse files, where a full disk is a fatal
// signal, and flushing a memtable to one is retried for ever.
const minFreeSpace = 64 << 20

// ErrNoSpace means that the disk is too full to write safely.
var ErrNoSpace = errors.New("no space left")

// writer puts the changes of concurrent callers into batches, each of which is
// one Badger transaction with one sync.
//
// One caller at a time, holding mu, applies its change to the open batch, on
// top of the changes applied before. Whoever finds nobody waiting behind
// commits the batch, still holding mu; the others wait for that. So changes
// happen strictly one after the other, none is built on one that is not in its
// own or an earlier, committed batch, and a caller that waits has somebody
// behind it who will commit. Transient entries, which are no changes, are
// committed between batches; see commitTransient.
type writer struct {
	waiting atomic.Int64 // callers that want mu

	mu     sync.Mutex   // guards the rest
	change uint64       // number of the newest committed change
	head   store.Digest // hash of its audit record
	batch  *batch       // nil: none is open
	broken error        // set once a commit has ended unknown
}

// batch is a set of changes that become durable together.
type batch struct {
	txn     *badger.Txn
	changes int
	bytes   int
	head    store.Digest  // hash of the newest audit record, those before the batch included
	done    chan struct{} // closed after err is set
	err     error
}

// change is one write of one caller: it reads the state after all changes
// before it, and stages entries that are written together if it succeeds.
type change struct {
	*snapshot
	// number of the change: the Revision of its record, the Seq of its audit record.
	number uint64
	head   store.Digest // hash of the newest audit record, that of this change included
	staged []entry
}

type entry struct {
	key, value []byte // a nil value deletes
}

// put stages a sealed value.
func (c *change) put(key, payload []byte) {
	c.staged = append(c.staged, entry{key, seal(key, payload)})
}

// list stages a listing entry.
func (c *change) list(key []byte) { c.staged = append(c.staged, entry{key, listed}) }

// remove stages the deletion of an entry that may come back without harm.
func (c *change) remove(key []byte) { c.staged = append(c.staged, entry{key, nil}) }

// putRecord stages a record.
func (c *change) putRecord(key []byte, record any) error {
	payload, err := encode(record)
	if err != nil {
		return err
	}
	if longest := longestRecord(key[0]); len(payload) > longest {
		return fmt.Errorf("record takes %d bytes, must be at most %d: shorten its texts and lists: %w",
			len(payload), longest, store.ErrInvalid)
	}
	c.put(key, payload)
	return nil
}

// write makes one change durable. A context that ends while stage runs still
// prevents it; later it is not heeded. Where stage refuses, it may have done so for
// changes of the open batch, on which the caller must not build before they are
// durable: so that is waited for too.
func (s *Store) write(ctx context.Context, stage func(*change) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	b, err := s.join(ctx, stage)
	if b == nil {
		return err
	}
	<-b.done
	if b.err != nil {
		return b.err
	}
	return err
}

// join adds a change to the open batch and commits that if it is the last one. It
// returns the batch even where the change was refused.
func (s *Store) join(ctx context.Context, stage func(*change) error) (*batch, error) {
	w := &s.writer
	w.waiting.Add(1)
	w.mu.Lock()
	behind := w.waiting.Add(-1)
	defer w.mu.Unlock()
	// Deferred, lest a panic in stage leaves others waiting for a commit.
	defer func() {
		if w.batch != nil && (behind == 0 || w.batch.full()) {
			s.commit()
		}
	}()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.writableLocked(); err != nil {
		return nil, err
	}
	return s.apply(ctx, stage)
}

func (s *Store) apply(ctx context.Context, stage func(*change) error) (*batch, error) {
	w := &s.writer
	if w.batch == nil {
		w.batch = &batch{txn: s.db.NewTransaction(true), head: w.head, done: make(chan struct{})}
	}
	b := w.batch
	c := &change{snapshot: &snapshot{s, b.txn}, number: w.change + uint64(b.changes) + 1, head: b.head}
	if err := c.stage(ctx, stage); err != nil {
		return b, err
	}
	b.changes++
	b.head = c.head
	for _, e := range c.staged {
		if err := b.set(e); err != nil && b.err == nil {
			b.err = fmt.Errorf("write %.80q: %w", e.key, err)
		}
	}
	return b, nil
}

// stage runs stage where the context allows the write at its turn.
func (c *change) stage(ctx context.Context, stage func(*change) error) error {
	if err := store.Check(ctx); err != nil {
		return err
	}
	if err := stage(c); err != nil {
		return err
	}
	return ctx.Err()
}

func (b *batch) full() bool { return b.changes >= maxBatchChanges || b.bytes >= maxBatchBytes }

func (b *batch) set(e entry) error {
	b.bytes += len(e.key) + len(e.value)
	if e.value == nil {
		return b.txn.Delete(e.key)
	}
	return b.txn.Set(e.key, e.value)
}

// commit ends the open batch. The lock of the writer must be held.
func (s *Store) commit() {
	w, b := &s.writer, s.writer.batch
	w.batch = nil
	defer close(b.done)
	defer b.txn.Discard()
	if b.changes == 0 || b.err != nil {
		return
	}
	newest := w.change + uint64(b.changes)
	payload := binary.BigEndian.AppendUint64(nil, newest)
	if b.err = b.set(entry{changeKey, seal(changeKey, payload)}); b.err != nil {
		return
	}
	if b.err = w.end(b.txn); b.err != nil {
		return
	}
	w.change, w.head = newest, b.head
	if err := s.mark.set(newest); err != nil {
		s.logger.Warn("watermark lags behind the store: " + err.Error())
	}
}

// end commits a transaction. The lock must be held. A commit that failed to sync
// may still be seen, and may or may not survive: nothing may be built on it.
func (w *writer) end(txn *badger.Txn) error {
	if err := badgerdb.Guard(txn.Commit); err != nil {
		w.broken = err
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// writable reports whether writes are accepted.
func (s *Store) writable() error {
	s.writer.mu.Lock()
	defer s.writer.mu.Unlock()
	return s.writableLocked()
}

func (s *Store) writableLocked() error {
	if err := s.writer.broken; err != nil {
		return fmt.Errorf("an earlier write to storage directory %q ended unknown: restart to go on: %w", s.directory, err)
	}
	return s.roomy()
}

// roomy reports whether there is enough free space to write.
func (s *Store) roomy() error {
	free, err := s.free(s.directory)
	if err == nil && free < minFreeSpace {
		return fmt.Errorf("%d MiB are free for storage directory %q, must be at least %d: free some: %w",
			free>>20, s.directory, minFreeSpace>>20, ErrNoSpace)
	}
	return nil
}
