package store

import (
	"context"
	"iter"
)

// KeyLister is the part of Keys that AllKeys needs.
type KeyLister interface {
	ListKeys(ctx context.Context, filter KeyFilter, page Page) (KeyPage, error)
}

// UserLister is the part of Users that AllUsers needs.
type UserLister interface {
	ListUsers(ctx context.Context, filter UserFilter, page Page) (UserPage, error)
}

// AllKeys walks the keys of every page, up to the first error.
func AllKeys(ctx context.Context, s KeyLister, filter KeyFilter) iter.Seq2[Key, error] {
	return allPages(func(page Page) ([]Key, string, error) {
		found, err := s.ListKeys(ctx, filter, page)
		return found.Keys, found.Next, err
	})
}

// AllUsers walks the users of every page, up to the first error.
func AllUsers(ctx context.Context, s UserLister, filter UserFilter) iter.Seq2[User, error] {
	return allPages(func(page Page) ([]User, string, error) {
		found, err := s.ListUsers(ctx, filter, page)
		return found.Users, found.Next, err
	})
}

func allPages[T any](list func(Page) (records []T, next string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		page := Page{Limit: MaxLimit}
		for {
			records, next, err := list(page)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for i := range records {
				if !yield(records[i], nil) {
					return
				}
			}
			if page.Cursor = next; next == "" {
				return
			}
		}
	}
}
