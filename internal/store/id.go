package store

import (
	"crypto/rand"
	"encoding/base32"
	"regexp"
)

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

const (
	keyIDPrefix  = "key_"
	userIDPrefix = "user_"
	idLetters    = 20 // 100 bits
)

// NewKeyID returns a random id: "key_" and 20 lower-case base32 characters.
func NewKeyID() string { return keyIDPrefix + randomID() }

// NewUserID returns a random id: "user_" and 20 lower-case base32 characters.
func NewUserID() string { return userIDPrefix + randomID() }

func randomID() string {
	var raw [13]byte
	_, _ = rand.Read(raw[:]) // never fails: crypto/rand ends the process instead
	return idEncoding.EncodeToString(raw[:])[:idLetters]
}

// KeyIDFor returns the id of a key that was given none: one that depends on
// its digest alone.
func KeyIDFor(digest Digest) string {
	return keyIDPrefix + idEncoding.EncodeToString(digest[:])[:idLetters]
}

var keyID = regexp.MustCompile(`^key_[a-z2-7]{20}$`)

// IsKeyID reports whether id has the form of a key's id.
func IsKeyID(id string) bool { return keyID.MatchString(id) }
