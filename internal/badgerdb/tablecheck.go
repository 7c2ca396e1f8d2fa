package badgerdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/y"
	"google.golang.org/protobuf/proto"
)

// CheckTable verifies the index of a table file, and the checksum of every block
// where blocks is set. Badger's own check cannot be used: on a bad footer it ends
// the process, on a bad block it dereferences nil.
//
// A table is its blocks, then the index, its length, the index's checksum
// (protobuf) and that one's length. A block is its entries, their offsets,
// their count, the checksum of all these and its length. Lengths and counts are
// 4 bytes big-endian.
func CheckTable(path string, blocks bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return Guard(func() error { return checkBlocks(f, info.Size(), blocks) })
}

func checkBlocks(r io.ReaderAt, size int64, blocks bool) error {
	tail := &tailReader{r: r, end: size}
	sum := tail.field()
	index := tail.field()
	if tail.err != nil {
		return tail.err
	}
	if err := checkSum(index, sum); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	if len(index) == 0 {
		return errors.New("index is empty")
	}
	if !blocks {
		return nil
	}
	table := fb.GetRootAsTableIndex(index, 0)
	var block fb.BlockOffset
	var buffer []byte
	for i := range table.OffsetsLength() {
		if !table.Offsets(&block, i) {
			return fmt.Errorf("index lacks block %d", i)
		}
		var err error
		if buffer, err = readAt(r, int64(block.Offset()), int64(block.Len()), tail.end, buffer); err != nil {
			return fmt.Errorf("block %d: %w", i, err)
		}
		if err := checkBlock(buffer); err != nil {
			return fmt.Errorf("block %d: %w", i, err)
		}
	}
	return nil
}

func checkBlock(block []byte) error {
	tail := &tailReader{r: readerAt(block), end: int64(len(block))}
	sum := tail.field()
	if tail.err != nil {
		return tail.err
	}
	return checkSum(block[:tail.end], sum)
}

func checkSum(data, sum []byte) error {
	var expected pb.Checksum
	if err := proto.Unmarshal(sum, &expected); err != nil {
		return fmt.Errorf("checksum: %w", err)
	}
	if y.CalculateChecksum(data, expected.Algo) != expected.Sum {
		return errors.New("checksum does not match")
	}
	return nil
}

// tailReader reads length-suffixed fields from the end of a file backwards.
// After an error it returns nil.
type tailReader struct {
	r   io.ReaderAt
	end int64 // start of what has been read
	err error
}

func (t *tailReader) field() []byte {
	length := t.take(4)
	if t.err != nil {
		return nil
	}
	return t.take(int64(binary.BigEndian.Uint32(length)))
}

func (t *tailReader) take(n int64) []byte {
	if t.err != nil {
		return nil
	}
	data, err := readAt(t.r, t.end-n, n, t.end, nil)
	t.end, t.err = t.end-n, err
	return data
}

// readAt reads n bytes at offset, which must lie before end, into buffer where
// it is large enough.
func readAt(r io.ReaderAt, offset, n, end int64, buffer []byte) ([]byte, error) {
	if offset < 0 || n < 0 || offset+n > end {
		return nil, errors.New("truncated")
	}
	if int64(cap(buffer)) < n {
		buffer = make([]byte, n)
	}
	buffer = buffer[:n]
	if _, err := r.ReadAt(buffer, offset); err != nil {
		return nil, fmt.Errorf("truncated: %w", err)
	}
	return buffer, nil
}

type readerAt []byte

func (b readerAt) ReadAt(p []byte, offset int64) (int, error) {
	if n := copy(p, b[offset:]); n < len(p) {
		return n, io.ErrUnexpectedEOF
	}
	return len(p), nil
}
