package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/otlpgate/otlpgate/internal/audit"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// person is somebody of the company.
type person struct {
	handle, name string
	email        string // follows from the name where it is empty
	role         identity.Role
	was          identity.Role // until a promotion, if there was one
	age          float64       // since when there is a user, in days ago
	promoted     float64
	deactivated  float64
	deleted      float64
	acts         string // name of the key that is used for the admin API
	desk         origin // where from

	record store.User // as it is kept
}

// join returns the events of a person's life.
func (w *world) join(p *person) []event {
	at := w.workday(p.age)
	made := at
	events := []event{{at, func(ctx context.Context) error { return w.createUser(ctx, p, made) }}}
	then := func(ago float64, action, endpoint string, edit func(*store.User, time.Time)) {
		if ago == 0 {
			return
		}
		at = later(w.workday(ago), at)
		moment := at
		events = append(events, event{at, func(ctx context.Context) error { return w.updateUser(ctx, p, moment, action, endpoint, edit) }})
	}
	then(p.promoted, audit.UserUpdate, patchUser, func(u *store.User, _ time.Time) { u.Role = p.role })
	then(p.deactivated, audit.UserUpdate, patchUser, func(u *store.User, _ time.Time) { u.Active = false })
	then(p.deleted, audit.UserDelete, deleteUser, func(u *store.User, at time.Time) { u.DeletedAt = at })
	return events
}

func (w *world) createUser(ctx context.Context, p *person, at time.Time) error {
	by := w.administrator(at)
	user := store.User{ID: w.userID(p.handle), Email: p.email, Name: p.name, Role: p.role, Active: true, CreatedAt: at, UpdatedAt: at}
	if p.was != "" {
		user.Role = p.was
	}
	record := store.Audit{Time: at, Actor: by.actor(w), Action: audit.UserCreate, Target: user.ID, Changes: audit.UserChanges(nil, &user)}
	kept, err := w.store.CreateUser(ctx, user, record)
	p.record = kept
	w.called(by, at, postUsers)
	return err
}

func (w *world) updateUser(ctx context.Context, p *person, at time.Time, action, endpoint string, edit func(*store.User, time.Time)) error {
	by := w.administrator(at)
	kept, err := w.store.UpdateUser(ctx, p.record.ID, func(u *store.User) (store.Audit, error) {
		before := *u
		edit(u, at)
		u.UpdatedAt = at
		return store.Audit{Time: at, Actor: by.actor(w), Action: action, Target: u.ID, Changes: audit.UserChanges(&before, u)}, nil
	})
	if err != nil {
		return fmt.Errorf("%s of %s: %w", action, p.handle, err)
	}
	p.record = kept
	w.called(by, at, endpoint)
	return nil
}
