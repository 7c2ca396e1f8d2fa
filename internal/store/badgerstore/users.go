package badgerstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/otlpgate/otlpgate/internal/store"
)

// CreateUser implements store.Users.
func (s *Store) CreateUser(ctx context.Context, user store.User, audit store.Audit) (store.User, error) {
	normal, err := user.Normal()
	if err == nil {
		err = s.write(ctx, func(c *change) error { return c.createUser(&normal, audit) })
	}
	if err != nil {
		return store.User{}, fmt.Errorf("create user %q: %w", user.ID, err)
	}
	return normal, nil
}

// UpdateUser implements store.Users.
func (s *Store) UpdateUser(ctx context.Context, id string, edit func(*store.User) (store.Audit, error)) (store.User, error) {
	var updated store.User
	var refused error
	err := s.write(ctx, func(c *change) error {
		old, err := c.user(id)
		if err != nil {
			return err
		}
		updated = old
		audit, err := edit(&updated)
		if err != nil {
			refused = err
			return err
		}
		return c.updateUser(&old, &updated, audit)
	})
	switch {
	case refused != nil && errors.Is(err, refused):
		return store.User{}, refused
	case err != nil:
		return store.User{}, fmt.Errorf("update user %q: %w", id, err)
	}
	return updated, nil
}

// User implements store.Users.
func (s *Store) User(ctx context.Context, id string) (store.User, error) {
	var user store.User
	err := s.view(ctx, func(v *snapshot) (err error) {
		user, err = v.user(id)
		return err
	})
	if err != nil {
		return store.User{}, fmt.Errorf("read user %q: %w", id, err)
	}
	return user, nil
}

// UserByEmail implements store.Users.
func (s *Store) UserByEmail(ctx context.Context, email string) (store.User, error) {
	var user store.User
	err := s.view(ctx, func(v *snapshot) (err error) {
		user, err = v.userByEmail(email)
		return err
	})
	if err != nil {
		return store.User{}, fmt.Errorf("read user by email %q: %w", email, err)
	}
	return user, nil
}

func (c *change) createUser(user *store.User, audit store.Audit) error {
	if _, err := c.user(user.ID); !vacant(err) {
		return taken(err, "id %q", user.ID)
	}
	c.listUser(user)
	return c.writeUser(nil, user, audit)
}

func (c *change) updateUser(old, edited *store.User, audit store.Audit) error {
	normal, err := edited.Normal()
	if err != nil {
		return err
	}
	if err := checkUnmoved(old.ID, normal.ID, old.CreatedAt, normal.CreatedAt); err != nil {
		return err
	}
	*edited = normal
	return c.writeUser(old, edited, audit)
}

// writeUser stages a user, its email and its audit record. Old is what it
// replaces, nil for a new user.
func (c *change) writeUser(old, user *store.User, audit store.Audit) error {
	user.Revision = c.number
	if err := c.indexEmail(old, user); err != nil {
		return err
	}
	if err := c.putRecord(userKey(user.ID), user); err != nil {
		return err
	}
	return c.putAudit(user.ID, audit)
}

// holdsEmail reports whether others may not take the user's email.
func holdsEmail(u *store.User) bool { return u.Email != "" && u.DeletedAt.IsZero() }

// indexEmail claims the email that user holds and old did not, and gives up the
// one that only old held.
func (c *change) indexEmail(old, user *store.User) error {
	held := old != nil && holdsEmail(old)
	if held && holdsEmail(user) && store.EmailKey(old.Email) == store.EmailKey(user.Email) {
		return nil
	}
	if holdsEmail(user) {
		if _, err := c.userByEmail(user.Email); !vacant(err) {
			return taken(err, "email %q", user.Email)
		}
		c.put(emailKey(user.Email), []byte(user.ID))
	}
	if held {
		c.put(emailKey(old.Email), nil)
	}
	return nil
}

func (c *change) listUser(user *store.User) {
	c.list(join([]byte{userAgeFamily}, position(user.CreatedAt, user.ID)))
}
