package credential

import (
	"errors"
	"fmt"
)

// What is wrong with a credential, to be told apart with errors.Is.
var (
	// ErrMalformed means that the text does not have the shape of a key.
	ErrMalformed = errors.New("malformed API key")
	// ErrChecksum means that the text has the shape of a key but was damaged
	// since it was minted.
	ErrChecksum = errors.New("API key checksum does not match: the key was truncated or mistyped; copy the whole key again")
	// ErrMissing means that no header carries a credential.
	ErrMissing = errors.New("no API key")
	// ErrConflict means that a request carries two different credentials.
	ErrConflict = errors.New("two different API keys in one request: send exactly one")
	// ErrScheme means that the only credential is an Authorization header that
	// is not of the Bearer scheme. It is an ErrMalformed.
	ErrScheme = fmt.Errorf("%w: the authorization header must read `Bearer <key>`", ErrMalformed)

	errTooManyHeaders = fmt.Errorf("%w: more than %d headers or %d values of one; send fewer", ErrMalformed, maxHeaders, maxValues)
)
