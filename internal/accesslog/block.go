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
	"github.com/otlpgate/otlpgate/internal/kv"
	"github.com/otlpgate/otlpgate/internal/kv/packed"
)

// A block holds entries of one minute and one shard. It is kept as blockFormat and,
// packed and compressed with Zstandard, 1 where the entries are counts, 0 where they
// are lines; the number of entries, and each as the texts key, type, secret (8 bytes),
// hint, endpoint, transport, outcome, reason, address (4 or 16 bytes), country and
// user agent, and the numbers status, microseconds since the minute began, Requests,
// Items, RefusedItems, Bytes and microseconds of Duration.
const blockFormat = 1

// maxEntries is how many entries a block has at most: some ten kilobytes. Where
// little of them is alike, maxPlain bounds it first, so that a block fits into a
// value however badly it compresses.
const (
	maxEntries = 500
	maxPlain   = kv.MaxValue - 4<<10
	// plainEntry is more than an entry takes besides its texts, and plainText than a
	// text besides its bytes.
	plainEntry = 7*binary.MaxVarintLen64 + 11*3
	plainText  = 2
)

// filling is how full a block is. The zero value is that of an empty one.
type filling struct {
	entries, size int
	texts         map[string]bool
}

// take reports whether an entry fits in, and takes it if so.
func (f *filling) take(r *record) bool {
	size := plainEntry
	var fresh []string
	for _, text := range r.texts() {
		if !f.texts[text] {
			fresh = append(fresh, text)
			size += plainText + len(text)
		}
	}
	if f.entries > 0 && (f.entries == maxEntries || f.size+size > maxPlain) {
		return false
	}
	if f.texts == nil {
		f.texts = map[string]bool{}
	}
	for _, text := range fresh {
		f.texts[text] = true
	}
	f.entries++
	f.size += size
	return true
}

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

func encodeBlock(counted bool, n int, each func(i int) record) []byte {
	var w packed.Writer
	kind := int64(0)
	if counted {
		kind = 1
	}
	w.Number(kind)
	w.Number(int64(n))
	for i := range n {
		r := each(i)
		r.encode(&w)
	}
	return encoder.EncodeAll(w.AppendTo(nil), []byte{blockFormat})
}

// texts are those of an entry, in the order of a block.
func (r *record) texts() [11]string {
	g, secret := r.group, ""
	if g.Secret != ([8]byte{}) {
		secret = string(g.Secret[:])
	}
	return [...]string{
		g.KeyID, string(g.KeyType), secret, g.Hint, g.Endpoint, string(g.Transport),
		string(g.Outcome), g.Reason, string(g.Address.AsSlice()), r.country, r.userAgent,
	}
}

func (r *record) encode(w *packed.Writer) {
	g, v := r.group, r.volume
	for _, text := range r.texts() {
		w.Text(text)
	}
	for _, n := range []int64{
		int64(g.Status), r.offset.Microseconds(), v.Requests, v.Items, v.RefusedItems, v.Bytes, v.Duration.Microseconds(),
	} {
		w.Number(n)
	}
}

// decodeBlock reads the block of a minute. Entries have no id yet.
func decodeBlock(value []byte, minute time.Time) ([]Entry, error) {
	if len(value) == 0 || value[0] != blockFormat {
		return nil, errBlock
	}
	plain, err := decoder.DecodeAll(value[1:], nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBlock, err)
	}
	r := packed.NewReader(plain)
	counted := r.Number() == 1
	entries := make([]Entry, r.Count())
	for i := range entries {
		entries[i].decode(r, minute)
		entries[i].Counted = counted
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("%w: %w", errBlock, err)
	}
	return entries, nil
}

func (e *Entry) decode(r *packed.Reader, minute time.Time) {
	e.KeyID = r.Text()
	e.KeyType = identity.KeyType(r.Text())
	copy(e.Secret[:], r.Text())
	e.Hint = r.Text()
	e.Endpoint = r.Text()
	e.Transport = access.Transport(r.Text())
	e.Outcome = access.Outcome(r.Text())
	e.Reason = r.Text()
	e.Address, _ = netip.AddrFromSlice([]byte(r.Text()))
	e.Country = r.Text()
	e.UserAgent = r.Text()
	e.Status = int(r.Number())
	e.Minute = minute.Unix() / 60
	e.Time = minute.Add(microseconds(r.Number()))
	e.Requests, e.Items, e.RefusedItems, e.Bytes = r.Number(), r.Number(), r.Number(), r.Number()
	e.Duration = microseconds(r.Number())
}

func microseconds(n int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Microsecond)
	return time.Duration(min(n, most)) * time.Microsecond
}
