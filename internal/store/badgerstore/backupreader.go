package badgerstore

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/otlpgate/otlpgate/internal/store"
)

// ErrBadBackup means that a stream is no backup, or not a whole one.
var ErrBadBackup = errors.New("not a whole backup")

// backupReader reads the parts of a backup. Errors say where the stream is
// wrong and wrap ErrBadBackup.
type backupReader struct {
	in       *bufio.Reader
	sum      hash.Hash
	records  uint64
	progress func(uint64)
	// framesOnly leaves out what follows from the records, most of the work.
	framesOnly bool
}

func newBackupReader(r io.Reader, progress func(uint64)) *backupReader {
	if progress == nil {
		progress = func(uint64) {}
	}
	return &backupReader{in: bufio.NewReaderSize(r, 64<<10), sum: sha256.New(), progress: progress}
}

// each calls write with every entry of a store that holds what the backup does,
// and returns nil only if the backup is whole.
func (b *backupReader) each(ctx context.Context, write func(entry) error) error {
	meta, err := b.header()
	if err != nil {
		return err
	}
	for {
		staged, more, err := b.next()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		for _, e := range staged {
			if err := write(e); err != nil {
				return err
			}
		}
		if b.records++; b.records%progressEvery == 0 {
			b.progress(b.records)
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	if err := b.end(); err != nil {
		return err
	}
	for _, e := range meta {
		if err := write(e); err != nil {
			return err
		}
	}
	b.progress(b.records)
	return ctx.Err()
}

// header returns the entries that follow from it.
func (b *backupReader) header() ([]entry, error) {
	head, err := b.take(backupHeader)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(head, []byte(backupMagic)) {
		return nil, fmt.Errorf("it does not start as a backup of otlpgate does: %w", ErrBadBackup)
	}
	head = head[len(backupMagic):]
	if format := binary.BigEndian.Uint16(head); format != backupFormat {
		return nil, fmt.Errorf("backup has format version %d, this release knows %d: use a newer release of otlpgate", format, backupFormat)
	}
	if schema, newest := binary.BigEndian.Uint32(head[2:]), schemaVersion(migrations); schema < 1 || schema > newest {
		return nil, fmt.Errorf("backup has schema version %d, this release knows 1 to %d: use a newer release of otlpgate", schema, newest)
	}
	return []entry{{schemaKey, seal(schemaKey, head[2:6])}, {changeKey, seal(changeKey, head[6:])}}, nil
}

// next returns the entries that follow from the next record, false at the end.
func (b *backupReader) next() ([]entry, bool, error) {
	key, err := b.field(maxBackupKey)
	if err != nil || len(key) == 0 {
		return nil, false, err
	}
	value, err := b.field(longestRecord(key[0]) + maxMigrated + sealOverhead)
	if err != nil {
		return nil, false, err
	}
	payload, err := unseal(key, value)
	if err != nil {
		return nil, false, b.bad(err)
	}
	c := &change{staged: []entry{{key, value}}}
	if b.framesOnly {
		return c.staged, true, nil
	}
	if err := c.index(key, payload); err != nil {
		return nil, false, b.bad(err)
	}
	return c.staged, true, nil
}

// index stages the index entries of a record, as the writes that made it did.
func (c *change) index(key, payload []byte) error {
	switch key[0] {
	case keyFamily:
		var k store.Key
		if err := decode(payload, &k); err != nil {
			return err
		}
		for _, secret := range k.Secrets {
			c.put(digestKey(secret.Digest), []byte(k.ID))
		}
		c.listKey(nil, &k)
	case userFamily:
		var u store.User
		if err := decode(payload, &u); err != nil {
			return err
		}
		if holdsEmail(&u) {
			c.put(emailKey(u.Email), []byte(u.ID))
		}
		c.listUser(&u)
	case auditFamily:
		var a store.Audit
		if err := decode(payload, &a); err != nil {
			return err
		}
		c.listAudit(&a)
	default:
		return fmt.Errorf("record of an unknown kind %q", key[0])
	}
	return nil
}

// end checks what follows the records, and that nothing else does.
func (b *backupReader) end() error {
	count, err := b.take(8)
	if err != nil {
		return err
	}
	sum := b.sum.Sum(nil)
	expected, err := b.take(sha256.Size)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(sum, expected):
		return b.bad(errors.New("its checksum does not match"))
	case binary.BigEndian.Uint64(count) != b.records:
		return b.bad(errors.New("its number of records does not match"))
	}
	if _, err := b.in.ReadByte(); !errors.Is(err, io.EOF) {
		return b.bad(errors.New("something follows its end"))
	}
	return nil
}

func (b *backupReader) field(longest int) ([]byte, error) {
	length, err := binary.ReadUvarint(b)
	if err != nil {
		return nil, b.bad(err)
	}
	if length > uint64(longest) {
		return nil, b.bad(fmt.Errorf("field of %d bytes", length))
	}
	return b.take(int(length))
}

func (b *backupReader) take(n int) ([]byte, error) {
	data := make([]byte, n)
	if _, err := io.ReadFull(b.in, data); err != nil {
		return nil, b.bad(err)
	}
	_, _ = b.sum.Write(data)
	return data, nil
}

// ReadByte makes backupReader an io.ByteReader.
func (b *backupReader) ReadByte() (byte, error) {
	c, err := b.in.ReadByte()
	if err == nil {
		_, _ = b.sum.Write([]byte{c})
	}
	return c, err
}

func (b *backupReader) bad(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it is cut off")
	}
	return fmt.Errorf("after %d records: %w: %w", b.records, err, ErrBadBackup)
}
