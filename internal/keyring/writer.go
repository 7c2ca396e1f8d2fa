package keyring

import (
	"context"

	"github.com/otlpgate/otlpgate/internal/store"
)

// Writer is a store whose changes have taken effect in a keyring before its
// methods return. Whoever changes keys or users must do it through a Writer.
type Writer struct {
	store.Store
	ring *Keyring
}

// NewWriter returns s with every change forgotten by ring.
func NewWriter(s store.Store, ring *Keyring) *Writer { return &Writer{Store: s, ring: ring} }

// CreateKey implements store.Keys. The digest may be remembered as unknown.
func (w *Writer) CreateKey(ctx context.Context, key store.Key, audit store.Audit) (store.Key, error) {
	defer w.forget(key.Secrets)
	return w.Store.CreateKey(ctx, key, audit)
}

// UpdateKey implements store.Keys. The secrets before and after are forgotten
// whether or not an error is returned: it may have come after the commit.
func (w *Writer) UpdateKey(ctx context.Context, id string, edit func(*store.Key) (store.Audit, error)) (store.Key, error) {
	var touched []store.Secret
	defer func() { w.forget(touched) }()
	return w.Store.UpdateKey(ctx, id, func(k *store.Key) (store.Audit, error) {
		touched = append(touched, k.Secrets...)
		audit, err := edit(k)
		touched = append(touched, k.Secrets...)
		return audit, err
	})
}

// CreateUser implements store.Users. Keys may have been refused for want of
// this owner.
func (w *Writer) CreateUser(ctx context.Context, user store.User, audit store.Audit) (store.User, error) {
	defer w.ring.ForgetOwner(user.ID)
	return w.Store.CreateUser(ctx, user, audit)
}

// UpdateUser implements store.Users.
func (w *Writer) UpdateUser(ctx context.Context, id string, edit func(*store.User) (store.Audit, error)) (store.User, error) {
	defer w.ring.ForgetOwner(id)
	return w.Store.UpdateUser(ctx, id, edit)
}

func (w *Writer) forget(secrets []store.Secret) {
	for _, s := range secrets {
		w.ring.ForgetKey(s.Digest)
	}
}
