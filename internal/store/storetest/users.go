package storetest

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

var userTests = map[string]func(*testing.T, store.Store){
	"a created user is returned by id and by email": func(t *testing.T, s store.Store) {
		want := User(1)
		want.Email, want.Declared, want.Applied, want.Withdrawn = "User1@Example.com", true, true, true
		got := createUser(t, s, want)
		require.NotZero(t, got.Revision)
		want.Revision = got.Revision
		require.Equal(t, want, got)
		byID, err := s.User(t.Context(), want.ID)
		require.NoError(t, err)
		require.Equal(t, want, byID)
		for _, email := range []string{"User1@Example.com", "user1@example.com", "USER1@EXAMPLE.COM"} {
			byEmail, err := s.UserByEmail(t.Context(), email)
			require.NoError(t, err)
			require.Equal(t, want, byEmail)
		}
	},
	"unknown users are not found": func(t *testing.T, s store.Store) {
		createUser(t, s, store.User{ID: "no email"})
		_, err := s.User(t.Context(), "nobody")
		require.ErrorIs(t, err, store.ErrNotFound)
		for _, email := range []string{"", "nobody@example.com"} {
			_, err = s.UserByEmail(t.Context(), email)
			require.ErrorIs(t, err, store.ErrNotFound)
		}
		_, err = s.UpdateUser(t.Context(), "nobody", func(*store.User) (store.Audit, error) { return store.Audit{}, nil })
		require.ErrorIs(t, err, store.ErrNotFound)
	},
	"an id or email that is taken exists": func(t *testing.T, s store.Store) {
		createUser(t, s, User(1))
		sameID, sameEmail := User(2), User(3)
		sameID.ID, sameEmail.Email = User(1).ID, "USER1@example.COM"
		for _, u := range []store.User{sameID, sameEmail} {
			_, err := s.CreateUser(t.Context(), u, Audit("user.create", u.ID))
			require.ErrorIs(t, err, store.ErrExists)
		}
		createUser(t, s, User(4))
		_, err := s.UpdateUser(t.Context(), User(4).ID, func(u *store.User) (store.Audit, error) {
			u.Email = "User1@example.com"
			return Audit("user.update", u.ID), nil
		})
		require.ErrorIs(t, err, store.ErrExists)
		require.Equal(t, 2, requireWholeAudit(t, s))
	},
	"the empty email is never taken": func(t *testing.T, s store.Store) {
		for n := range 3 {
			u := User(n)
			u.Email = ""
			createUser(t, s, u)
		}
	},
	"an email moves with its user": func(t *testing.T, s store.Store) {
		created := createUser(t, s, User(1))
		updated := updateUser(t, s, created.ID, func(u *store.User) {
			require.Equal(t, created, *u)
			u.Email, u.Name, u.Role, u.Active = "new@example.com", "New", identity.Viewer, false
		})
		require.Greater(t, updated.Revision, created.Revision)
		read, err := s.UserByEmail(t.Context(), "new@example.com")
		require.NoError(t, err)
		require.Equal(t, updated, read)
		_, err = s.UserByEmail(t.Context(), created.Email)
		require.ErrorIs(t, err, store.ErrNotFound)
		other := User(2)
		other.Email = created.Email
		createUser(t, s, other)
		updateUser(t, s, created.ID, func(u *store.User) { u.Email = "NEW@example.com" }) // its own
	},
	"a deleted user is found by id only and gives up its email": func(t *testing.T, s store.Store) {
		createUser(t, s, User(1))
		createUser(t, s, User(2))
		deleted := updateUser(t, s, User(1).ID, func(u *store.User) { u.DeletedAt = at(100) })
		read, err := s.User(t.Context(), deleted.ID)
		require.NoError(t, err)
		require.Equal(t, deleted, read)
		_, err = s.UserByEmail(t.Context(), deleted.Email)
		require.ErrorIs(t, err, store.ErrNotFound)
		require.Equal(t, []string{User(2).ID}, userIDs(allUsers(t, s, store.UserFilter{}, 0)))
		_, err = s.CreateUser(t.Context(), User(1), Audit("user.create", deleted.ID))
		require.ErrorIs(t, err, store.ErrExists, "its id stays taken")

		heir := User(3)
		heir.Email = deleted.Email
		createUser(t, s, heir)
		_, err = s.UpdateUser(t.Context(), deleted.ID, func(u *store.User) (store.Audit, error) {
			u.DeletedAt = read.DeletedAt.AddDate(-1, 0, 0)
			return Audit("user.update", u.ID), nil
		})
		require.NoError(t, err)
		read, err = s.UserByEmail(t.Context(), heir.Email)
		require.NoError(t, err)
		require.Equal(t, heir.ID, read.ID)
	},
	"an edit that fails writes nothing and its error comes back as it is": func(t *testing.T, s store.Store) {
		created := createUser(t, s, User(1))
		refusal := errors.New("refused")
		_, err := s.UpdateUser(t.Context(), created.ID, func(u *store.User) (store.Audit, error) {
			u.Email = "new@example.com"
			return Audit("user.update", u.ID), refusal
		})
		require.Same(t, refusal, err)
		read, err := s.UserByEmail(t.Context(), created.Email)
		require.NoError(t, err)
		require.Equal(t, created, read)
	},
	"id and creation time cannot change": func(t *testing.T, s store.Store) {
		created := createUser(t, s, User(1))
		for _, edit := range []func(*store.User){
			func(u *store.User) { u.ID = "other" },
			func(u *store.User) { u.CreatedAt = at(2) },
		} {
			_, err := s.UpdateUser(t.Context(), created.ID, func(u *store.User) (store.Audit, error) {
				edit(u)
				return Audit("user.update", u.ID), nil
			})
			require.ErrorIs(t, err, store.ErrInvalid)
		}
	},
	"users are listed oldest first": func(t *testing.T, s store.Store) {
		for _, n := range []int{3, 1, 4, 0, 2} {
			createUser(t, s, User(n))
		}
		same := User(5) // as old as user 0
		same.CreatedAt = at(0)
		createUser(t, s, same)
		want := []string{User(0).ID, same.ID, User(1).ID, User(2).ID, User(3).ID, User(4).ID}
		for limit := range 7 {
			require.Equal(t, want, userIDs(allUsers(t, s, store.UserFilter{}, limit)))
		}
		_, err := s.ListUsers(t.Context(), store.UserFilter{}, store.Page{Cursor: "nonsense"})
		require.ErrorIs(t, err, store.ErrBadCursor)
	},
	"users are selected by every filter": testUserFilters,
	"cursors of users belong to their filter": func(t *testing.T, s store.Store) {
		for n := range 3 {
			createUser(t, s, User(n))
		}
		yes, no := true, false
		filters := []store.UserFilter{
			{}, {Role: identity.Member}, {Active: &yes}, {Active: &no}, {Declared: true}, {Query: "user"}, {Query: "true"},
		}
		for i, f := range filters {
			page, err := s.ListUsers(t.Context(), f, store.Page{Limit: 1})
			require.NoError(t, err)
			if page.Next == "" { // nothing matches
				continue
			}
			for j, other := range filters {
				_, err = s.ListUsers(t.Context(), other, store.Page{Cursor: page.Next})
				if i == j {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, store.ErrBadCursor)
				}
			}
		}
	},
	"what cannot be kept is invalid": func(t *testing.T, s store.Store) {
		for _, u := range []store.User{{}, {ID: "a\x00"}, {ID: "a", Email: "\xff"}, {ID: "a", Name: "\x00"}} {
			_, err := s.CreateUser(t.Context(), u, Audit("user.create", "a"))
			require.ErrorIs(t, err, store.ErrInvalid)
		}
	},
}

func testUserFilters(t *testing.T, s store.Store) {
	put := func(n int, edit func(*store.User)) {
		u := User(n)
		edit(&u)
		createUser(t, s, u)
	}
	put(1, func(*store.User) {})
	put(2, func(u *store.User) { u.Role = identity.AdminRole })
	put(3, func(u *store.User) { u.Active = false })
	put(4, func(u *store.User) { u.Declared, u.Withdrawn = true, true })
	put(5, func(u *store.User) { u.Declared, u.Name = true, "The ÄPFEL 100% team" })
	put(6, func(u *store.User) { u.DeletedAt, u.Name, u.Declared = at(9), "Deleted", true })
	yes, no := true, false
	for name, want := range map[string]struct {
		filter store.UserFilter
		users  []int
	}{
		"all":          {store.UserFilter{}, []int{1, 2, 3, 4, 5}},
		"role":         {store.UserFilter{Role: identity.AdminRole}, []int{2}},
		"active":       {store.UserFilter{Active: &yes}, []int{1, 2, 5}},
		"inactive":     {store.UserFilter{Active: &no}, []int{3, 4}},
		"declared":     {store.UserFilter{Declared: true}, []int{4, 5}},
		"name":         {store.UserFilter{Query: "äpfel 100% t"}, []int{5}},
		"email":        {store.UserFilter{Query: "USER3@"}, []int{3}},
		"id":           {store.UserFilter{Query: User(4).ID}, []int{4}},
		"no wildcard":  {store.UserFilter{Query: "the %team"}, nil},
		"deleted":      {store.UserFilter{Query: "Deleted"}, nil},
		"all together": {store.UserFilter{Role: identity.Member, Active: &yes, Declared: true, Query: "team"}, []int{5}},
	} {
		t.Run(name, func(t *testing.T) {
			ids := []string{}
			for _, n := range want.users {
				ids = append(ids, User(n).ID)
			}
			for limit := range 4 {
				require.Equal(t, ids, userIDs(allUsers(t, s, want.filter, limit)))
			}
		})
	}
}
