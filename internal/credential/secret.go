package credential

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// Secret is the text of one API key, made by Format.Mint or Format.Parse. The
// zero value is no key. Two Secrets are == where they are the same key, which
// takes a time that depends on them: compare digests instead.
//
// A Secret prints itself, by whatever means, as "[redacted px_live_…]", which
// has none of its random characters, or as "[no key]". Only Reveal yields the
// text.
type Secret struct {
	// The text is kept masked, because fmt prints the fields of a Secret that
	// is itself in an unexported field, or that is given to %p or a misplaced
	// %w, without asking its methods. Masking is against careless printing,
	// not against someone who reads memory.
	masked [maxLen]byte
	length int
}

var (
	_ fmt.Formatter          = Secret{}
	_ fmt.Stringer           = Secret{}
	_ fmt.GoStringer         = Secret{}
	_ slog.LogValuer         = Secret{}
	_ json.Marshaler         = Secret{}
	_ encoding.TextMarshaler = Secret{}
)

var mask = newMask()

func newMask() (m [maxLen]byte) {
	rand.Read(m[:])
	return m
}

func newSecret(text string) Secret {
	s := Secret{length: len(text)}
	copy(s.masked[:], text)
	subtle.XORBytes(s.masked[:s.length], s.masked[:s.length], mask[:])
	return s
}

// unmask puts the text into buf, which callers keep on their stack.
func (s *Secret) unmask(buf *[maxLen]byte) []byte {
	subtle.XORBytes(buf[:], s.masked[:s.length], mask[:])
	return buf[:s.length]
}

// Reveal returns the text of the key, empty for the zero value. It is for the
// one answer that shows a key to its owner.
func (s Secret) Reveal() string {
	var buf [maxLen]byte
	return string(s.unmask(&buf))
}

// IsZero reports whether there is no key.
func (s Secret) IsZero() bool { return s.length == 0 }

// Digest returns the SHA-256 of the whole text. It does not allocate.
func (s Secret) Digest() Digest {
	var buf [maxLen]byte
	return sha256.Sum256(s.unmask(&buf))
}

// Kind returns what the key is for, empty for the zero value.
func (s Secret) Kind() Kind {
	if s.IsZero() {
		return ""
	}
	var buf [maxLen]byte
	text := s.unmask(&buf)
	return Kind(text[bytes.IndexByte(text, '_')+1 : len(text)-tailLen-1])
}

// Hint returns what people may see of a key to tell it from others: the
// characters up to and with the second underscore, the next four and the last
// four, as in "px_live_abcd…wxyz". It is empty for the zero value.
func (s Secret) Hint() string {
	if s.IsZero() {
		return ""
	}
	var buf [maxLen]byte
	text := s.unmask(&buf)
	return string(text[:len(text)-tailLen+4]) + "…" + string(text[len(text)-4:])
}

// String returns the redacted form.
func (s Secret) String() string {
	if s.IsZero() {
		return "[no key]"
	}
	var buf [maxLen]byte
	text := s.unmask(&buf)
	return "[redacted " + string(text[:len(text)-tailLen]) + "…]"
}

// GoString returns the redacted form.
func (s Secret) GoString() string { return s.String() }

// Format writes the redacted form for every verb.
func (s Secret) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, s.String()) }

// LogValue returns the redacted form.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON returns the redacted form.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalText returns the redacted form.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
