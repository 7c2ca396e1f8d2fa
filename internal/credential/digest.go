package credential

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"
)

const digestPrefix = "sha256:"

// Digest is the SHA-256 of a whole API key, which is all that is kept of it.
// Its text is sha256:<64 hex digits>. The zero value is the digest of no key.
type Digest [sha256.Size]byte

// ParseDigest reads the text form, with hex digits of either case. The error
// does not repeat the text, because people paste the key itself here.
func ParseDigest(text string) (Digest, error) {
	var d Digest
	digits, ok := strings.CutPrefix(text, digestPrefix)
	if !ok || len(digits) != hex.EncodedLen(len(d)) {
		return Digest{}, errDigest(text)
	}
	if _, err := hex.Decode(d[:], []byte(digits)); err != nil {
		return Digest{}, errDigest(text)
	}
	return d, nil
}

func errDigest(text string) error {
	return fmt.Errorf("invalid key digest of %d characters: must be %s<%d hex digits>, the SHA-256 of the whole key and not the key itself",
		len(text), digestPrefix, hex.EncodedLen(sha256.Size))
}

// Equal compares in constant time.
func (d Digest) Equal(other Digest) bool {
	return subtle.ConstantTimeCompare(d[:], other[:]) == 1
}

// String returns sha256:<64 lower-case hex digits>.
func (d Digest) String() string { return digestPrefix + hex.EncodeToString(d[:]) }

// MarshalText returns what String does.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDigest.
func (d *Digest) UnmarshalText(text []byte) error {
	parsed, err := ParseDigest(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}
