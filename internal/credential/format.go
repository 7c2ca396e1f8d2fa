package credential

import (
	"crypto/rand"
	"fmt"
	"hash/crc32"
	"strings"
)

// DefaultPrefix is the prefix of keys where none is configured.
const DefaultPrefix = "px"

const (
	alphabet    = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	randomLen   = 30
	checksumLen = 6 // 62^6 > 2^32
	tailLen     = randomLen + checksumLen
	maxPrefix   = 16
	maxKindLen  = 4
	maxLen      = maxPrefix + 1 + maxKindLen + 1 + tailLen
)

// Kind says what a key is for. It is part of the key's text.
type Kind string

// Live and Test are user keys for production and development, Sys is a system
// key.
const (
	Live Kind = "live"
	Test Kind = "test"
	Sys  Kind = "sys"
)

func (k Kind) known() bool { return k == Live || k == Test || k == Sys }

// Format is the form of one installation's keys. The zero value uses
// DefaultPrefix.
type Format struct {
	// Prefix is the text before the first underscore: a lower-case letter and
	// up to 15 lower-case letters or digits. Empty means DefaultPrefix.
	Prefix string
}

// Validate checks the prefix.
func (f Format) Validate() error {
	if f.Prefix == "" || validPrefix(f.Prefix) {
		return nil
	}
	return fmt.Errorf("invalid key prefix %q: must be a lower-case letter and up to %d lower-case letters or digits, such as %s",
		f.Prefix, maxPrefix-1, DefaultPrefix)
}

func validPrefix(p string) bool {
	if len(p) > maxPrefix || p[0] < 'a' || p[0] > 'z' {
		return false
	}
	return strings.Trim(p, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

func (f Format) prefix() string {
	if f.Prefix == "" {
		return DefaultPrefix
	}
	return f.Prefix
}

// Mint makes a new key with 178 bits of randomness. It panics on an unknown
// kind and on a format that does not validate, since the caller would hand out
// a key that Parse refuses.
func (f Format) Mint(kind Kind) Secret {
	if err := f.Validate(); err != nil {
		panic("credential: mint: " + err.Error())
	}
	if !kind.known() {
		panic(fmt.Sprintf("credential: mint: unknown kind %q", string(kind)))
	}
	text := make([]byte, 0, maxLen)
	text = append(text, f.prefix()+"_"+string(kind)+"_"...)
	text = appendRandom(text, randomLen)
	sum := checksum(string(text))
	return newSecret(string(append(text, sum[:]...)))
}

// appendRandom draws six bits at a time and rejects the two values beyond the
// alphabet, so that every character is equally likely.
func appendRandom(dst []byte, n int) []byte {
	var pool [2 * randomLen]byte
	for want := len(dst) + n; ; {
		rand.Read(pool[:]) // never fails: crypto/rand ends the process instead
		for _, b := range pool {
			if b &= 63; int(b) < len(alphabet) {
				if dst = append(dst, alphabet[b]); len(dst) == want {
					return dst
				}
			}
		}
	}
}

// Parse recognises a key by its shape and checksum, asking no one. It looks at
// the contents only of text that has the length of a key, and does not
// allocate on success. The error is an ErrMalformed or an ErrChecksum.
func (f Format) Parse(text string) (Secret, error) {
	if !f.shaped(text) {
		return Secret{}, fmt.Errorf("%w: must be %s_<live|test|sys>_ and %d letters or digits; copy the whole key again",
			ErrMalformed, f.prefix(), tailLen)
	}
	body := len(text) - checksumLen
	if sum := checksum(text[:body]); text[body:] != string(sum[:]) {
		return Secret{}, ErrChecksum
	}
	return newSecret(text), nil
}

func (f Format) shaped(text string) bool {
	if len(text) > maxLen {
		return false
	}
	rest, ok := strings.CutPrefix(text, f.prefix())
	if !ok || rest == "" || rest[0] != '_' {
		return false
	}
	kind, tail, ok := strings.Cut(rest[1:], "_")
	return ok && Kind(kind).known() && len(tail) == tailLen && isBase62(tail)
}

func isBase62(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// checksum returns the CRC-32 (IEEE) of body in base 62, most significant
// digit first.
func checksum(body string) (sum [checksumLen]byte) {
	crc := crc(body)
	for i := checksumLen - 1; i >= 0; i-- {
		sum[i] = alphabet[crc%62]
		crc /= 62
	}
	return sum
}

// crc is crc32.ChecksumIEEE for strings: the library's lets its argument
// escape, which would cost an allocation for each request.
func crc(s string) uint32 {
	c := ^uint32(0)
	for i := range len(s) {
		c = crc32.IEEETable[(c^uint32(s[i]))&0xff] ^ c>>8
	}
	return ^c
}

// Pattern returns the regular expression (RE2, PCRE and most others) by which
// secret scanners find keys of that format.
func Pattern(f Format) string {
	return fmt.Sprintf(`\b%s_(live|test|sys)_[0-9A-Za-z]{%d}\b`, f.prefix(), tailLen)
}
