package admin

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/admin/api"
	"github.com/otlpgate/otlpgate/internal/store"
)

// viewWithUses is view with the last use of each secret.
func (s *service) viewWithUses(ctx context.Context, k *store.Key, owner *store.User, now time.Time) api.Key {
	view := s.view(k, owner, now)
	s.showUses(ctx, &view, k)
	return view
}

// showUses adds to the view of a key when it was last used. Where that cannot be
// read the key is shown without, as with quotas.
func (s *service) showUses(ctx context.Context, view *api.Key, k *store.Key) {
	uses, err := s.lastUses(ctx, k.ID)
	if err != nil {
		s.log.Error("admin API: read when a key was last used", zap.String("key", k.ID), zap.String("cause", s.redact(err.Error())))
		return
	}
	latest := make(map[store.SecretRef]time.Time, len(uses))
	for _, use := range uses {
		latest[use.Secret] = use.At
	}
	for i, secret := range k.Secrets {
		used := latest[secret.Digest.Ref()]
		view.Secrets[i].LastUsedAt = orNever(used)
		if !used.IsZero() && (view.LastUsedAt == nil || used.After(*view.LastUsedAt)) {
			view.LastUsedAt = orNever(used)
		}
	}
}
