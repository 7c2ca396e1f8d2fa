package badgerstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/otlpgate/otlpgate/internal/store"
)

// reply is what KeepReply is given.
type reply struct {
	digest store.Digest
	sealed []byte
	end    time.Time
}

// KeepReply implements store.Replies.
func (s *Store) KeepReply(ctx context.Context, digest store.Digest, sealed []byte, lifetime time.Duration) error {
	replies := []reply{{digest, sealed, time.Now().Add(lifetime)}}
	if err := (transient[reply]{encode: encodeReply}).keep(ctx, s, replies); err != nil {
		return fmt.Errorf("keep reply of digest %x…: %w", digest[:4], err)
	}
	return nil
}

func encodeReply(r *reply) (*badger.Entry, error) {
	key := replyKey(r.digest)
	payload := binary.BigEndian.AppendUint64(nil, uint64(r.end.UnixMicro()))
	e := badger.NewEntry(key, seal(key, append(payload, r.sealed...)))
	e.ExpiresAt = uint64(r.end.Unix()) + 1 // Badger lets it go at this second, not behind it
	return e, nil
}

// Reply implements store.Replies.
func (s *Store) Reply(ctx context.Context, digest store.Digest) ([]byte, error) {
	var sealed []byte
	err := s.view(ctx, func(v *snapshot) (err error) {
		sealed, err = v.reply(digest, time.Now())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read reply of digest %x…: %w", digest[:4], err)
	}
	return sealed, nil
}

func (v *snapshot) reply(digest store.Digest, now time.Time) ([]byte, error) {
	key := replyKey(digest)
	payload, ok, err := v.get(key)
	if err := found(ok, err); err != nil {
		return nil, err
	}
	if len(payload) < endLength {
		return nil, v.damaged(key, errors.New("is too short for a reply"))
	}
	if end := time.UnixMicro(int64(binary.BigEndian.Uint64(payload))); !now.Before(end) {
		return nil, store.ErrNotFound
	}
	return payload[endLength:], nil
}
