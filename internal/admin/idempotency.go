package admin

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/store"
)

// repeatWindow is how long a call can be repeated.
const repeatWindow = 24 * time.Hour

// errReplay ends an edit that was made before.
var errReplay = errors.New("replay")

// repeatable is a call with an Idempotency-Key that makes a secret. What it
// needs to answer a repetition is kept with that secret: its own id, what was
// asked for, and the secret, encrypted under the caller's API key. That key is
// never kept, so that nobody but the caller can have the answer again. Nil is a
// call that cannot be repeated.
type repeatable struct {
	caller      caller
	call        []byte // the caller, the action, the target and the idempotency key
	fingerprint store.Digest
}

// newRepeatable returns nil where there is no idempotency key.
func newRepeatable(c caller, key *string, action, target string, body any) *repeatable {
	if key == nil {
		return nil
	}
	asked, err := json.Marshal(body)
	if err != nil { // of a body that came as JSON: cannot happen
		panic(fmt.Errorf("fingerprint of a request: %w", err))
	}
	return &repeatable{
		caller: c, call: fmt.Appendf(nil, "%q", []string{c.KeyID, action, target, *key}), fingerprint: sha256.Sum256(asked),
	}
}

// id names the call. Once a call is too long ago to be repeated, the next one
// with its idempotency key is another, with the next number.
func (r *repeatable) id(number uint32) store.Digest {
	return sha256.Sum256(binary.BigEndian.AppendUint32(slices.Clone(r.call), number))
}

// seal makes what is kept of the call that has made a secret.
func (r *repeatable) seal(made credential.Secret) (*store.Request, error) { return r.sealAs(0, made) }

func (r *repeatable) sealAs(number uint32, made credential.Secret) (*store.Request, error) {
	if r == nil {
		return nil, nil
	}
	if r.caller.key.IsZero() {
		return nil, errors.New("seal secret: the caller's key is not known")
	}
	request := &store.Request{ID: r.id(number), Fingerprint: r.fingerprint}
	box, err := r.box(request)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, box.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	request.Sealed = box.Seal(nonce, nonce, []byte(made.Reveal()), request.Fingerprint[:])
	return request, nil
}

// box is the cipher of one request, whose key follows from the caller's.
func (r *repeatable) box(request *store.Request) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(r.caller.key.Reveal()), request.ID[:], "otlpgate idempotency", 32)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	return cipher.NewGCM(block)
}

// open returns the secret that the call has made.
func (r *repeatable) open(request *store.Request) (string, error) {
	box, err := r.box(request)
	if err != nil {
		return "", err
	}
	if len(request.Sealed) < box.NonceSize() {
		return "", errors.New("nothing is sealed")
	}
	nonce, sealed := request.Sealed[:box.NonceSize()], request.Sealed[box.NonceSize():]
	text, err := box.Open(nil, nonce, sealed, request.Fingerprint[:])
	return string(text), err
}

// replay reports whether the call has rotated the key before, with the secret
// that it made then.
func (r *repeatable) replay(k *store.Key, now time.Time) (text string, done bool, err error) {
	if r == nil {
		return "", false, nil
	}
	id := r.id(0)
	for _, s := range k.Secrets {
		if s.Request == nil || s.Request.ID != id || now.Sub(s.CreatedAt) >= repeatWindow {
			continue
		}
		text, err = r.answer(k, s.Request)
		return text, true, err
	}
	return "", false, nil
}

// answer returns the secret of a call that was made before.
func (r *repeatable) answer(k *store.Key, request *store.Request) (string, error) {
	if request.Fingerprint != r.fingerprint {
		return "", newProblem(codeRequestMismatch, "this Idempotency-Key was sent with another body before: use a new one for another call")
	}
	text, err := r.open(request)
	if err != nil {
		return "", problemSpent(k.ID)
	}
	return text, nil
}

func problemSpent(keyID string) *problem {
	return newProblem(codeRequestSpent, "this call was carried out before, on the key %s, and what it answered can no longer be told: rotate that key to get a secret of it, or use a new Idempotency-Key", keyID)
}

// forgetRequests drops what was kept to answer repetitions, once it is too old.
// It replaces the list of secrets and does not write into it.
func forgetRequests(k *store.Key, now time.Time) {
	k.Secrets = slices.Clone(k.Secrets)
	for i := range k.Secrets {
		if now.Sub(k.Secrets[i].CreatedAt) >= repeatWindow {
			k.Secrets[i].Request = nil
		}
	}
}
