package badgerstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/otlpgate/otlpgate/internal/badgerdb"
	"github.com/otlpgate/otlpgate/internal/store"
)

// snapshot reads the store as of one moment. Not safe for concurrent use.
type snapshot struct {
	store *Store
	txn   *badger.Txn
}

// view runs read on a snapshot of all acknowledged changes.
func (s *Store) view(ctx context.Context, read func(*snapshot) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	txn := s.db.NewTransaction(false)
	defer txn.Discard()
	return read(&snapshot{s, txn})
}

// get returns the payload under key and whether there is one.
func (v *snapshot) get(key []byte) ([]byte, bool, error) {
	var value []byte
	err := badgerdb.Guard(func() error {
		item, err := v.txn.Get(key)
		if err != nil {
			return err
		}
		value, err = item.ValueCopy(nil)
		return err
	})
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, false, nil
	}
	if err == nil {
		value, err = unseal(key, value)
	}
	if err != nil {
		return nil, false, v.damaged(key, err)
	}
	return value, true, nil
}

func (v *snapshot) damaged(key []byte, err error) error {
	return damaged(v.store.directory, fmt.Errorf("entry %.80q: %w", key, err))
}

// record fills in the record under key and reports whether there is one.
func (v *snapshot) record(key []byte, into any) (bool, error) {
	payload, ok, err := v.get(key)
	if err != nil || !ok {
		return false, err
	}
	if err := decode(payload, into); err != nil {
		return false, v.damaged(key, err)
	}
	return true, nil
}

// number returns a counter, zero where there is none.
func (v *snapshot) number(key []byte) (uint64, error) {
	payload, ok, err := v.get(key)
	if err != nil || !ok {
		return 0, err
	}
	if len(payload) != 8 {
		return 0, v.damaged(key, errors.New("is not a number"))
	}
	return binary.BigEndian.Uint64(payload), nil
}

// key returns the API key with that id or store.ErrNotFound.
func (v *snapshot) key(id string) (store.Key, error) {
	var k store.Key
	return k, found(v.record(keyKey(id), &k))
}

// user returns the user with that id or store.ErrNotFound.
func (v *snapshot) user(id string) (store.User, error) {
	var u store.User
	return u, found(v.record(userKey(id), &u))
}

func found(ok bool, err error) error {
	if err == nil && !ok {
		return store.ErrNotFound
	}
	return err
}

// keyByDigest follows the digest's index entry. What the entry says is checked
// against the key, so that an old entry that came back resolves to nothing.
func (v *snapshot) keyByDigest(digest store.Digest) (store.Key, error) {
	entry := digestKey(digest)
	id, ok, err := v.get(entry)
	if err != nil {
		return store.Key{}, err
	}
	if !ok || len(id) == 0 {
		return store.Key{}, store.ErrNotFound
	}
	k, err := v.key(string(id))
	if errors.Is(err, store.ErrNotFound) {
		return store.Key{}, v.damaged(keyKey(string(id)), errors.New("is missing, but has a digest"))
	} else if err != nil {
		return store.Key{}, err
	}
	if _, ok := k.Secret(digest); !ok {
		return store.Key{}, store.ErrNotFound
	}
	return k, nil
}

// userByEmail is to emails what keyByDigest is to digests.
func (v *snapshot) userByEmail(email string) (store.User, error) {
	id, ok, err := v.get(emailKey(email))
	if err != nil {
		return store.User{}, err
	}
	if !ok || len(id) == 0 {
		return store.User{}, store.ErrNotFound
	}
	u, err := v.user(string(id))
	if errors.Is(err, store.ErrNotFound) {
		return store.User{}, v.damaged(userKey(string(id)), errors.New("is missing, but has an email"))
	} else if err != nil {
		return store.User{}, err
	}
	if !holdsEmail(&u) || store.EmailKey(u.Email) != store.EmailKey(email) {
		return store.User{}, store.ErrNotFound
	}
	return u, nil
}
