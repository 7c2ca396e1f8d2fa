package admin

import (
	"cmp"
	"encoding/hex"
	"time"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/clientip"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/store"
)

// view shows a record as the API does, as of now. The owner is nil where there
// is none. Nothing of a secret but its hint is shown.
func (s *service) view(k *store.Key, owner *store.User, now time.Time) api.Key {
	return api.Key{
		ID: k.ID, Name: k.Name, Description: k.Description, Type: k.Type, Environment: k.Environment,
		OwnerID: orNull(k.OwnerID), Role: orNull(roleOf(k, owner)), Scopes: orEmpty(k.Scopes), Projects: orEmpty(k.Projects),
		Plan: s.planOf(k), Limits: orEmpty(k.Limits),
		AllowedIps: clientip.Texts(k.AllowedIPs), ExpectedCountries: orEmpty(k.ExpectedCountries),
		Status: k.StatusAt(now, owner), Hint: k.Hint(), Secrets: secretViews(k), Declared: k.Declared,
		CreatedAt: k.CreatedAt.UTC(), CreatedBy: orNull(k.CreatedBy),
		ExpiresAt: orNever(k.ExpiresAt), RevokedAt: orNever(k.RevokedAt),
	}
}

// roleOf returns the role that bounds the key now, empty where its owner is
// gone.
func roleOf(k *store.Key, owner *store.User) identity.Role {
	switch {
	case k.Type == identity.SystemKey:
		return k.Role
	case owner != nil && owner.DeletedAt.IsZero():
		return owner.Role
	}
	return ""
}

func (s *service) planOf(k *store.Key) string {
	return cmp.Or(k.Plan, s.plans.Default())
}

func secretViews(k *store.Key) []api.KeySecret {
	views := make([]api.KeySecret, len(k.Secrets))
	for i, secret := range k.Secrets {
		ref := secret.Digest.Ref()
		views[i] = api.KeySecret{ID: hex.EncodeToString(ref[:]), Hint: secret.Hint, CreatedAt: secret.CreatedAt.UTC(), ExpiresAt: orNever(secret.ExpiresAt)}
	}
	return views
}

// orNull shows the empty text as null.
func orNull[T ~string](text T) *T {
	if text == "" {
		return nil
	}
	return &text
}

// orNever shows the zero time as null.
func orNever(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// orEmpty shows a nil list as an empty one.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
