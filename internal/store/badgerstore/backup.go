package badgerstore

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
)

// A backup is a stream:
//
//	header   backupMagic, format version (2 bytes), schema version (4), number of the newest change (8)
//	records  length of the key (uvarint), key, length of the value (uvarint), value
//	end      a key of length zero (1 byte), number of records (8), SHA-256 of all before it (32)
//
// Integers are big-endian. Keys and values are those of the k, u and a families
// (see layout.go); everything else in a store follows from them, but for counts.
// Those a backup does not hold: they run out by themselves, most of them before
// anybody restores it. It holds digests of keys, no secrets.
const (
	backupMagic   = "OTLPGATE BACKUP\n"
	backupFormat  = 1
	backupHeader  = len(backupMagic) + 2 + 4 + 8
	maxBackupKey  = 1 << 10
	progressEvery = 1024 // records
)

// recordFamilies are the families of a backup, in its order. Users come first,
// so that a key's owner is there when the key is.
var recordFamilies = []byte{userFamily, keyFamily, auditFamily}

// Backup writes the store as of now to w while the store is in use, and takes
// its time, to keep nobody waiting. Progress,
// which may be nil, is told the number of records so far, now and then and at
// the end. What w has taken is of use only if Backup returns nil.
func (s *Store) Backup(ctx context.Context, w io.Writer, progress func(records uint64)) error {
	schema, err := s.backupSchema(ctx)
	if err == nil {
		err = s.view(ctx, func(v *snapshot) error { return v.backup(ctx, newBackupWriter(w, progress), schema) })
	}
	if err != nil {
		return fmt.Errorf("back up storage directory %q: %w", s.directory, err)
	}
	return nil
}

// Records returns how many records a backup of now would hold.
func (s *Store) Records(ctx context.Context) (records uint64, err error) {
	err = s.view(ctx, func(v *snapshot) error {
		if records, err = v.number(changeKey); err != nil { // each change has an audit record
			return err
		}
		for _, family := range []byte{userFamily, keyFamily} {
			err := v.walk(ctx, scan{prefix: []byte{family}, gentle: true}, func([]byte, []byte) (bool, error) {
				records++
				return true, nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("count the records of storage directory %q: %w", s.directory, err)
	}
	return records, nil
}

// backupSchema reads the schema version, which cannot change while s is open.
func (s *Store) backupSchema(ctx context.Context) (uint32, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	return s.schema()
}

func (v *snapshot) backup(ctx context.Context, w *backupWriter, schema uint32) error {
	change, err := v.number(changeKey)
	if err != nil {
		return err
	}
	w.header(schema, change)
	for _, family := range recordFamilies {
		prefix := []byte{family}
		err := v.walk(ctx, scan{prefix: prefix, collect: true, gentle: true}, func(suffix, value []byte) (bool, error) {
			key := join(prefix, suffix)
			if _, err := unseal(key, value); err != nil {
				return false, v.damaged(key, err)
			}
			return true, w.record(key, value)
		})
		if err != nil {
			return err
		}
	}
	return w.end()
}

// backupWriter writes the parts of a backup. A failed write is reported by
// record or end.
type backupWriter struct {
	out      *bufio.Writer // to the destination and sum
	raw      io.Writer
	sum      hash.Hash
	records  uint64
	progress func(uint64)
}

func newBackupWriter(w io.Writer, progress func(uint64)) *backupWriter {
	if progress == nil {
		progress = func(uint64) {}
	}
	sum := sha256.New()
	return &backupWriter{bufio.NewWriterSize(io.MultiWriter(w, sum), 64<<10), w, sum, 0, progress}
}

func (b *backupWriter) header(schema uint32, change uint64) {
	head := binary.BigEndian.AppendUint16([]byte(backupMagic), backupFormat)
	head = binary.BigEndian.AppendUint32(head, schema)
	_, _ = b.out.Write(binary.BigEndian.AppendUint64(head, change))
}

func (b *backupWriter) record(key, value []byte) error {
	frame := append(binary.AppendUvarint(nil, uint64(len(key))), key...)
	frame = append(binary.AppendUvarint(frame, uint64(len(value))), value...)
	if _, err := b.out.Write(frame); err != nil {
		return err
	}
	if b.records++; b.records%progressEvery == 0 {
		b.progress(b.records)
	}
	return nil
}

func (b *backupWriter) end() error {
	_, _ = b.out.Write(binary.BigEndian.AppendUint64([]byte{0}, b.records))
	if err := b.out.Flush(); err != nil {
		return err
	}
	if _, err := b.raw.Write(b.sum.Sum(nil)); err != nil {
		return err
	}
	b.progress(b.records)
	return nil
}
