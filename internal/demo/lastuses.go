package demo

import (
	"context"
	"time"

	"github.com/otlpgate/otlpgate/internal/store"
)

// lastUses knows when secrets were last used, by key.
type lastUses map[string]map[store.SecretRef]time.Time

func (l lastUses) note(keyID string, secret store.SecretRef, at time.Time) {
	if l[keyID] == nil {
		l[keyID] = map[store.SecretRef]time.Time{}
	}
	if at.After(l[keyID][secret]) {
		l[keyID][secret] = at
	}
}

// of implements alert.LastUses.
func (l lastUses) of(_ context.Context, keyID string) ([]store.Use, error) {
	var uses []store.Use
	for secret, at := range l[keyID] {
		uses = append(uses, store.Use{KeyID: keyID, Secret: secret, At: at})
	}
	return uses, nil
}

// keep writes them all.
func (l lastUses) keep(ctx context.Context, s store.Uses) error {
	var all []store.Use
	for keyID := range l {
		uses, _ := l.of(ctx, keyID)
		all = append(all, uses...)
	}
	return s.KeepUses(ctx, all)
}
