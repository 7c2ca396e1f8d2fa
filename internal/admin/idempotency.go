package admin

import (
	"context"
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

// repeatable is a call with an Idempotency-Key that makes a secret. The secret
// carries the call's id and what was asked for. What answers a repetition, the
// secret itself, is kept apart and for as long as the call can be repeated,
// encrypted under the caller's API key. That key is never kept, so that nobody
// but the caller can have the answer again. Nil is a call that cannot be
// repeated.
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

// request is what a secret carries of the call that makes it.
func (r *repeatable) request(number uint32) *store.Request {
	if r == nil {
		return nil
	}
	return &store.Request{ID: r.id(number), Fingerprint: r.fingerprint}
}

// box is the cipher of the reply to one request, whose key follows from the
// caller's.
func (r *repeatable) box(request *store.Request) (cipher.AEAD, error) {
	if r.caller.key.IsZero() {
		return nil, errors.New("seal secret: the caller's key is not known")
	}
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

// seal encrypts the secret that a request makes.
func (r *repeatable) seal(request *store.Request, made credential.Secret) ([]byte, error) {
	box, err := r.box(request)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, box.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return box.Seal(nonce, nonce, []byte(made.Reveal()), request.Fingerprint[:]), nil
}

// open returns what seal was given.
func (r *repeatable) open(request *store.Request, sealed []byte) (string, error) {
	box, err := r.box(request)
	if err != nil {
		return "", err
	}
	if len(sealed) < box.NonceSize() {
		return "", errors.New("nothing is sealed")
	}
	text, err := box.Open(nil, sealed[:box.NonceSize()], sealed[box.NonceSize():], request.Fingerprint[:])
	return string(text), err
}

// keepReply keeps the secret that a call is about to make, so that whatever is
// made can be told again.
func (s *service) keepReply(ctx context.Context, r *repeatable, request *store.Request, made credential.Secret) error {
	if r == nil {
		return nil
	}
	sealed, err := r.seal(request, made)
	if err != nil {
		return err
	}
	if err := s.store.KeepReply(ctx, store.Digest(made.Digest()), sealed, repeatWindow); err != nil {
		return fromStore("keep reply", err)
	}
	return nil
}

// reply returns the secret that a call has made before.
func (s *service) reply(ctx context.Context, r *repeatable, keyID string, made store.Secret) (string, error) {
	sealed, err := s.store.Reply(ctx, made.Digest)
	if errors.Is(err, store.ErrNotFound) {
		return "", problemSpent(keyID)
	}
	if err != nil {
		return "", fromStore("read reply", err)
	}
	text, err := r.open(made.Request, sealed)
	if err != nil { // the caller's key was rotated meanwhile
		return "", problemSpent(keyID)
	}
	return text, nil
}

// made returns the secret that the call has made of the key before, and whether
// there is one. Where it must not be told again that is an error: another call
// had the idempotency key, or the secret has ended.
func (r *repeatable) made(k *store.Key, number uint32, now time.Time) (store.Secret, bool, error) {
	if r == nil {
		return store.Secret{}, false, nil
	}
	id := r.id(number)
	for _, s := range k.Secrets {
		switch {
		case s.Request == nil || s.Request.ID != id || now.Sub(s.CreatedAt) >= repeatWindow:
			continue
		case s.Request.Fingerprint != r.fingerprint:
			return s, true, newProblem(codeRequestMismatch, "this Idempotency-Key was sent with another body before: use a new one for another call")
		case !k.RevokedAt.IsZero(), hasEnded(s.ExpiresAt, now):
			return s, true, problemSpent(k.ID)
		}
		return s, true, nil
	}
	spent := slices.ContainsFunc(k.Spent, func(s store.SpentRequest) bool { return s.ID == id && now.Sub(s.At) < repeatWindow })
	if spent {
		return store.Secret{}, true, problemSpent(k.ID)
	}
	return store.Secret{}, false, nil
}

func hasEnded(end, now time.Time) bool { return !end.IsZero() && !now.Before(end) }

func problemSpent(keyID string) *problem {
	return newProblem(codeRequestSpent, "this call was carried out before, on the key %s, and what it answered can no longer be told: rotate that key to get a secret of it, or use a new Idempotency-Key", keyID)
}

// maxSpent bounds the spent requests that a key remembers.
const maxSpent = 64

// spend remembers the requests of the secrets that the next rotation of the key
// drops, and forgets those that are too long ago to be repeated.
func spend(k *store.Key, now time.Time) {
	var spent []store.SpentRequest
	for _, s := range k.Secrets[min(1, len(k.Secrets)):] {
		if s.Request != nil {
			spent = append(spent, store.SpentRequest{ID: s.Request.ID, At: s.CreatedAt})
		}
	}
	spent = append(spent, k.Spent...)
	spent = slices.DeleteFunc(spent, func(s store.SpentRequest) bool { return now.Sub(s.At) >= repeatWindow })
	k.Spent = spent[:min(len(spent), maxSpent)]
}
