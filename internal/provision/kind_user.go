package provision

import (
	"context"
	"errors"
	"iter"

	"github.com/otlpgate/otlpgate/internal/audit"
	"github.com/otlpgate/otlpgate/internal/store"
)

func userKind(s store.Users) kind[store.User] {
	return kind[store.User]{
		name: User, section: "users", identity: "email",
		declareAction: audit.UserDeclare, withdrawAction: audit.UserWithdraw,
		get: s.User, create: s.CreateUser, update: s.UpdateUser,
		list: func(ctx context.Context) iter.Seq2[store.User, error] {
			return store.AllUsers(ctx, s, store.UserFilter{Declared: true})
		},
		holders: func(ctx context.Context, wanted *store.User) ([]store.User, error) {
			return emailHolders(ctx, s, wanted)
		},
		release: releaseEmail,
		merge:   mergeUser, normal: store.User.Normal, changes: audit.UserChanges,
		state: func(u *store.User) state {
			return state{
				id: &u.ID, name: &u.Name, declared: &u.Declared, applied: &u.Applied, withdrawn: &u.Withdrawn,
				createdAt: &u.CreatedAt, updatedAt: &u.UpdatedAt, endedAt: &u.DeletedAt,
			}
		},
	}
}

func mergeUser(current, declared *store.User) store.User {
	merged := *declared
	merged.DeletedAt, merged.Revision = current.DeletedAt, current.Revision
	return merged
}

// releaseEmail leaves the holder alone that has another email by now.
func releaseEmail(holder, wanted *store.User) {
	if store.EmailKey(holder.Email) == store.EmailKey(wanted.Email) {
		holder.Email = ""
	}
}

func emailHolders(ctx context.Context, s store.Users, wanted *store.User) ([]store.User, error) {
	if wanted.Email == "" {
		return nil, nil
	}
	holder, err := s.UserByEmail(ctx, wanted.Email)
	if errors.Is(err, store.ErrNotFound) || (err == nil && holder.ID == wanted.ID) {
		return nil, nil
	}
	return []store.User{holder}, err
}
