package store

import (
	"context"
	"time"
)

// Request is a call with an idempotency key that has made a secret. It tells
// its repetition from another call.
type Request struct {
	ID          Digest `json:"id"`          // of the caller's key and its idempotency key
	Fingerprint Digest `json:"fingerprint"` // of what was asked for
}

// SpentRequest is a request whose secret the key has no more.
type SpentRequest struct {
	ID Digest    `json:"id"`
	At time.Time `json:"at"`
}

// Replies keep what answers a repeated request: the secret that it has made,
// encrypted with a key that only the caller's API key yields, which is not kept.
//
// Implementations MUST be safe for concurrent use, and MUST keep replies apart
// from records: they are in no backup and end with their lifetime, so that an old
// copy of the store yields no secret to whoever has an old API key.
type Replies interface {
	// KeepReply keeps the reply to the request that makes the secret with that
	// digest for a lifetime, to the second. It replaces one that is kept.
	KeepReply(ctx context.Context, digest Digest, sealed []byte, lifetime time.Duration) error
	// Reply returns what is kept, ErrNotFound where nothing is, or is no more.
	Reply(ctx context.Context, digest Digest) ([]byte, error)
}
