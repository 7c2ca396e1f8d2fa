// Package packed reads and writes values that are made of small numbers and of
// texts that come again and again: numbers are unsigned varints, and texts are
// written once and named by number.
package packed

import (
	"encoding/binary"
	"errors"
)

// ErrGarbled means that what was read was not written by this package.
var ErrGarbled = errors.New("garbled value")

// MaxNumber is more than anybody counts, and what adds up to it from all that fits
// into a value is a number still.
const MaxNumber = 1 << 56

// Writer writes a value: first the texts, then what was written. The zero value is
// ready.
type Writer struct {
	numbers map[string]uint64
	texts   []byte
	body    []byte
}

// Number writes a number, so that it can be read again: a negative one as zero, and
// one that is too large as MaxNumber.
func (w *Writer) Number(n int64) {
	w.body = binary.AppendUvarint(w.body, uint64(min(max(n, 0), MaxNumber)))
}

// Text writes a text.
func (w *Writer) Text(text string) {
	n, ok := w.numbers[text]
	if !ok {
		if w.numbers == nil {
			w.numbers = map[string]uint64{}
		}
		n = uint64(len(w.numbers))
		w.numbers[text] = n
		w.texts = append(binary.AppendUvarint(w.texts, uint64(len(text))), text...)
	}
	w.body = binary.AppendUvarint(w.body, n)
}

// AppendTo appends all that was written: the number of texts, each as its length
// and bytes, and the rest.
func (w *Writer) AppendTo(value []byte) []byte {
	value = binary.AppendUvarint(value, uint64(len(w.numbers)))
	return append(append(value, w.texts...), w.body...)
}

// Reader reads what a Writer wrote. Once something is garbled it reads zeros and
// empty texts, and says so at the end.
type Reader struct {
	rest  []byte
	texts []string
	err   error
}

// NewReader reads a value.
func NewReader(value []byte) *Reader {
	r := &Reader{rest: value}
	for range r.Count() {
		n := r.Count()
		r.texts = append(r.texts, string(r.rest[:n]))
		r.rest = r.rest[n:]
	}
	return r
}

// Number reads a number.
func (r *Reader) Number() int64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > MaxNumber {
		r.err, r.rest = ErrGarbled, nil
		return 0
	}
	r.rest = r.rest[size:]
	return int64(n)
}

// Count reads how many there are of what takes a byte at least.
func (r *Reader) Count() int {
	n := r.Number()
	if n > int64(len(r.rest)) {
		r.err = ErrGarbled
		return 0
	}
	return int(n)
}

// Text reads a text.
func (r *Reader) Text() string {
	n := r.Number()
	if n >= int64(len(r.texts)) {
		r.err = ErrGarbled
		return ""
	}
	return r.texts[n]
}

// End returns ErrGarbled unless all was read as it was written.
func (r *Reader) End() error {
	if r.err == nil && len(r.rest) > 0 {
		r.err = ErrGarbled
	}
	return r.err
}
