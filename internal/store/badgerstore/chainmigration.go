package badgerstore

import (
	"context"
	"encoding/binary"
	"time"

	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/store"
)

// chainAudit is the migration to schema 2. It gives each audit record its
// outcome and its place in the chain, oldest first.
func chainAudit(ctx context.Context, s *Store) error {
	c := &chaining{store: s, told: time.Now()}
	for more := true; more; {
		var err error
		if more, err = c.step(ctx); err != nil {
			return err
		}
		c.tell()
	}
	return nil
}

// chaining is how far chainAudit has come. A record that already follows from
// the one before is left as it is, so that a second run goes on where the first
// was killed.
type chaining struct {
	store *Store
	at    []byte       // position of the last record seen
	head  store.Digest // its hash
	told  time.Time    // when somebody was told
}

// tellEvery is how often it is told how far a migration has come.
const tellEvery = 5 * time.Second

// tell says how far the migration has come, which may take minutes.
func (c *chaining) tell() {
	if time.Since(c.told) < tellEvery {
		return
	}
	c.told = time.Now()
	c.store.logger.Info("chaining the audit log", zap.Uint64("record", binary.BigEndian.Uint64(c.at)))
}

// step writes as many records as fit into one transaction and reports whether
// there may be more.
func (c *chaining) step(ctx context.Context) (more bool, err error) {
	staged := &change{}
	if more, err = c.stage(ctx, staged); err != nil || len(staged.staged) == 0 {
		return more, err
	}
	if err := c.store.roomy(); err != nil {
		return false, err
	}
	return more, c.store.writeAll(staged.staged)
}

func (c *chaining) stage(ctx context.Context, into *change) (more bool, err error) {
	from, size := scan{prefix: []byte{auditFamily}, after: c.at, collect: true}, 0
	err = c.store.viewing(func(v *snapshot) error {
		return v.walk(ctx, from, func(seq, value []byte) (bool, error) {
			written, err := c.link(v, into, join(from.prefix, seq), value)
			c.at, size = seq, size+written
			more = size >= maxBatchBytes
			return !more, err
		})
	})
	return more, err
}

// link stages one record and returns the size of what it staged.
func (c *chaining) link(v *snapshot, into *change, key, value []byte) (size int, err error) {
	var record store.Audit
	payload, err := unseal(key, value)
	if err == nil {
		err = decode(payload, &record)
	}
	if err != nil {
		return 0, v.damaged(key, err)
	}
	if record.Hash != (store.Digest{}) && record.PreviousHash == c.head {
		c.head = record.Hash
		return 0, nil
	}
	if record, err = chained(record, c.head); err != nil {
		return 0, v.damaged(key, err)
	}
	if payload, err = encode(&record); err != nil {
		return 0, err
	}
	into.put(key, payload) // not putRecord: what has been kept must not be refused
	c.head = record.Hash
	return len(key) + sealOverhead + len(payload), nil
}
