package badgerstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/otlpgate/otlpgate/internal/store"
)

// maxUseKey is the longest id that its length byte can tell; see usePrefix.
const maxUseKey = 255

// KeepUses implements store.Uses. Uses that cannot be kept are left out, and
// reported once the others are kept.
func (s *Store) KeepUses(ctx context.Context, uses []store.Use) error {
	if err := (transient[store.Use]{encodeUse, staleUse}).keep(ctx, s, uses); err != nil {
		return fmt.Errorf("keep last uses: %w", err)
	}
	return nil
}

// LastUses implements store.Uses.
func (s *Store) LastUses(ctx context.Context, keyID string) ([]store.Use, error) {
	var uses []store.Use
	err := s.view(ctx, func(v *snapshot) (err error) {
		uses, err = v.uses(ctx, keyID)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read last uses of key %.80q: %w", keyID, err)
	}
	return uses, nil
}

func (v *snapshot) uses(ctx context.Context, keyID string) ([]store.Use, error) {
	if len(keyID) > maxUseKey {
		return nil, nil
	}
	var uses []store.Use
	prefix := usePrefix(keyID)
	err := v.walk(ctx, scan{prefix: prefix, collect: true}, func(ref, value []byte) (bool, error) {
		use, err := v.use(join(prefix, ref), value)
		uses = append(uses, use)
		return true, err
	})
	return uses, err
}

// AllUses implements store.Uses.
func (s *Store) AllUses(ctx context.Context) iter.Seq2[store.Use, error] {
	return func(yield func(store.Use, error) bool) {
		err := s.view(ctx, func(v *snapshot) error {
			return v.walk(ctx, scan{prefix: []byte{useFamily}, collect: true}, func(rest, value []byte) (bool, error) {
				use, err := v.use(join([]byte{useFamily}, rest), value)
				return err == nil && yield(use, nil), err
			})
		})
		if err != nil {
			yield(store.Use{}, fmt.Errorf("read all last uses: %w", err))
		}
	}
}

// use reads an entry of the family.
func (v *snapshot) use(key, value []byte) (store.Use, error) {
	payload, err := unseal(key, value)
	id, ref, ok := splitUseKey(key)
	if err == nil && !ok {
		err = errors.New("is not of a secret")
	}
	if err != nil {
		return store.Use{}, v.damaged(key, err)
	}
	at, err := v.useTime(key, payload)
	return store.Use{KeyID: id, Secret: ref, At: at}, err
}

func (v *snapshot) useTime(key, payload []byte) (time.Time, error) {
	if len(payload) != 8 {
		return time.Time{}, v.damaged(key, errors.New("is not a time"))
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(payload))).UTC(), nil
}

func encodeUse(u *store.Use) (*badger.Entry, error) {
	if len(u.KeyID) > maxUseKey {
		return nil, fmt.Errorf("that of key %.80q: its id takes %d bytes, must be at most %d: %w",
			u.KeyID, len(u.KeyID), maxUseKey, store.ErrInvalid)
	}
	key := useKey(u.KeyID, u.Secret)
	return badger.NewEntry(key, seal(key, binary.BigEndian.AppendUint64(nil, uint64(u.At.UnixMicro())))), nil
}

// staleUse reports whether a use that is at least as late is kept.
func staleUse(v *snapshot, e *badger.Entry) (bool, error) {
	kept, ok, err := v.get(e.Key)
	if err != nil || !ok {
		return false, err
	}
	at, err := v.useTime(e.Key, kept)
	if err != nil {
		return false, err
	}
	given, err := v.useTime(e.Key, e.Value[sealOverhead:])
	return !given.After(at), err
}
