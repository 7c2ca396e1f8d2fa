package accesslog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/identity"
)

// A block holds entries of one minute and one shard. It is kept as blockFormat
// and, compressed with Zstandard: 1 where the entries are counts, 0 where they are
// lines; the number of texts, and each as its length and bytes; the number of
// entries, and each as
//
//	the numbers of its texts: key, type, secret (8 bytes), hint, endpoint,
//	transport, outcome, reason, address (4 or 16 bytes), country, user agent;
//	status, microseconds since the minute began, Requests, Items, RefusedItems,
//	Bytes, microseconds of Duration
//
// All numbers are unsigned varints. The first text is the empty one.
const blockFormat = 1

// maxEntries is how many entries a block has: some ten kilobytes.
const maxEntries = 500

// maxBlock bounds a block in memory, so that what is damaged cannot take it all.
const maxBlock = 4 << 20

var errBlock = errors.New("is no block of an access log")

// Both are safe for concurrent use as they are used here, and keep little memory
// with these options: blocks are small.
var (
	encoder, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(128<<10), zstd.WithLowerEncoderMem(true))
	decoder, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBlock))
)

// record is an entry as a block holds it.
type record struct {
	group     *access.Group
	volume    *access.Volume
	userAgent string
	country   string
	offset    time.Duration // since the minute began
}

type blockWriter struct {
	numbers map[string]uint64
	texts   []byte
	body    []byte
}

func encodeBlock(counted bool, n int, each func(i int) record) []byte {
	w := blockWriter{numbers: map[string]uint64{}}
	w.number("")
	for i := range n {
		r := each(i)
		w.record(&r)
	}
	head := []byte{0}
	if counted {
		head[0] = 1
	}
	head = binary.AppendUvarint(head, uint64(len(w.numbers)))
	head = append(head, w.texts...)
	head = binary.AppendUvarint(head, uint64(n))
	return encoder.EncodeAll(append(head, w.body...), []byte{blockFormat})
}

// number returns the number of a text.
func (w *blockWriter) number(text string) uint64 {
	n, ok := w.numbers[text]
	if !ok {
		n = uint64(len(w.numbers))
		w.numbers[text] = n
		w.texts = append(binary.AppendUvarint(w.texts, uint64(len(text))), text...)
	}
	return n
}

func (w *blockWriter) record(r *record) {
	g, v := r.group, r.volume
	secret := ""
	if g.Secret != ([8]byte{}) {
		secret = string(g.Secret[:])
	}
	for _, text := range []string{
		g.KeyID, string(g.KeyType), secret, g.Hint, g.Endpoint, string(g.Transport),
		string(g.Outcome), g.Reason, string(g.Address.AsSlice()), r.country, r.userAgent,
	} {
		w.body = binary.AppendUvarint(w.body, w.number(text))
	}
	for _, n := range []int64{
		int64(g.Status), r.offset.Microseconds(), v.Requests, v.Items, v.RefusedItems, v.Bytes, v.Duration.Microseconds(),
	} {
		w.body = binary.AppendUvarint(w.body, uint64(max(n, 0)))
	}
}

type blockReader struct {
	rest  []byte
	texts []string
	err   error
}

// decodeBlock reads the block of a minute. Entries have no id yet.
func decodeBlock(value []byte, minute time.Time) ([]Entry, error) {
	if len(value) == 0 || value[0] != blockFormat {
		return nil, errBlock
	}
	plain, err := decoder.DecodeAll(value[1:], nil)
	if err != nil || len(plain) == 0 {
		return nil, fmt.Errorf("%w: %w", errBlock, err)
	}
	r := blockReader{rest: plain[1:]}
	for range r.count() {
		r.texts = append(r.texts, r.text())
	}
	entries := make([]Entry, r.count())
	for i := range entries {
		r.entry(&entries[i], minute)
		entries[i].Counted = plain[0] == 1
	}
	if r.err == nil && len(r.rest) > 0 {
		r.err = errBlock
	}
	return entries, r.err
}

func (r *blockReader) number() int64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > 1<<62 {
		r.err, r.rest = errBlock, nil
		return 0
	}
	r.rest = r.rest[size:]
	return int64(n)
}

// count reads how many there are of what takes a byte at least.
func (r *blockReader) count() int {
	n := r.number()
	if n > int64(len(r.rest)) {
		r.err = errBlock
		return 0
	}
	return int(n)
}

func (r *blockReader) text() string {
	n := r.count()
	text := string(r.rest[:n])
	r.rest = r.rest[n:]
	return text
}

func (r *blockReader) reference() string {
	n := r.number()
	if n >= int64(len(r.texts)) {
		r.err = errBlock
		return ""
	}
	return r.texts[n]
}

func (r *blockReader) entry(e *Entry, minute time.Time) {
	e.KeyID = r.reference()
	e.KeyType = identity.KeyType(r.reference())
	copy(e.Secret[:], r.reference())
	e.Hint = r.reference()
	e.Endpoint = r.reference()
	e.Transport = access.Transport(r.reference())
	e.Outcome = access.Outcome(r.reference())
	e.Reason = r.reference()
	e.Address, _ = netip.AddrFromSlice([]byte(r.reference()))
	e.Country = r.reference()
	e.UserAgent = r.reference()
	e.Status = int(r.number())
	e.Minute = minute.Unix() / 60
	e.Time = minute.Add(microseconds(r.number()))
	e.Requests, e.Items, e.RefusedItems, e.Bytes = r.number(), r.number(), r.number(), r.number()
	e.Duration = microseconds(r.number())
}

func microseconds(n int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Microsecond)
	return time.Duration(min(n, most)) * time.Microsecond
}
