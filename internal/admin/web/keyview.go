package web

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/otlpgate/otlpgate/internal/admin/client"
)

// keyView is a key as pages show it.
type keyView struct {
	client.Key
	Owner *client.User // nil for system keys
	now   time.Time
}

func (p *pages) keyView(ctx context.Context, known *people, k *client.Key) keyView {
	view := keyView{Key: *k, now: p.now()}
	if k.OwnerID != nil {
		owner := known.of(ctx, *k.OwnerID)
		view.Owner = &owner
	}
	return view
}

// soon is how long before its end a key is said to expire.
const soon = 14 * 24 * time.Hour

// State is the status of the key for people: expiring and rotating are active.
func (k keyView) State() string {
	switch {
	case k.Status != client.KeyStatusActive:
		return string(k.Status)
	case k.Expiring():
		return "expiring"
	case k.Rotating():
		return "rotating"
	}
	return "active"
}

// Expiring reports whether the key ends soon.
func (k keyView) Expiring() bool {
	return k.Status == client.KeyStatusActive && k.ExpiresAt != nil && k.ExpiresAt.Sub(k.now) < soon
}

// Rotating reports whether a secret that was replaced is still valid.
func (k keyView) Rotating() bool { return k.OldSecret() != nil }

// OldSecret returns the secret that was replaced and is still valid, nil where
// there is none.
func (k keyView) OldSecret() *client.KeySecret {
	if k.Status != client.KeyStatusActive { // then none is
		return nil
	}
	for i := 1; i < len(k.Secrets); i++ {
		if end := k.Secrets[i].ExpiresAt; end != nil && k.now.Before(*end) {
			return &k.Secrets[i]
		}
	}
	return nil
}

// Usable reports whether there is anything left to be changed about the key.
func (k keyView) Usable() bool { return k.Status != client.KeyStatusRevoked }

// Changeable reports whether the pages can change it.
func (k keyView) Changeable() bool { return k.Usable() && !k.Declared }

// System reports whether it is a system key.
func (k keyView) System() bool { return k.Type == client.KeyTypeSystem }

// Ago tells how long ago a time is, or how long it is to come.
func (k keyView) Ago(t time.Time) string { return ago(t, k.now) }

// ScopeNames are the names of the scopes.
func (k keyView) ScopeNames() []string { return texts(k.Scopes) }

// FirstScopes are those of which a list has room for the names.
func (k keyView) FirstScopes() []string { return texts(first(k.Scopes, 2)) }

// MoreScopes is how many there are beyond FirstScopes.
func (k keyView) MoreScopes() int { return max(0, len(k.Scopes)-2) }

// Grants says in a word or two what the key may do, where its scopes are those of
// a preset; empty elsewhere.
func (k keyView) Grants() string {
	p, _ := permissionOf(k.Scopes)
	return p.Title
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, element := range list {
		out[i] = string(element)
	}
	return out
}

// sameElements compares lists whose order says nothing.
func sameElements[T cmp.Ordered](a, b []T) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
