package provision

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/otlpgate/otlpgate/internal/audit"
	"github.com/otlpgate/otlpgate/internal/store"
)

func keyKind(s store.Keys, now time.Time) kind[store.Key] {
	return kind[store.Key]{
		name: Key, section: "keys", identity: "digest",
		declareAction: audit.KeyDeclare, withdrawAction: audit.KeyWithdraw,
		get: s.Key, create: s.CreateKey, update: s.UpdateKey,
		list: func(ctx context.Context) iter.Seq2[store.Key, error] {
			return store.AllKeys(ctx, s, store.KeyFilter{Declared: true})
		},
		holders: func(ctx context.Context, wanted *store.Key) ([]store.Key, error) {
			return digestHolders(ctx, s, wanted)
		},
		release: releaseDigests,
		merge:   func(current, declared *store.Key) store.Key { return mergeKey(current, declared, now) },
		normal:  store.Key.Normal, changes: audit.KeyChanges,
		state: func(k *store.Key) state {
			return state{
				id: &k.ID, name: &k.Name, declared: &k.Declared, applied: &k.Applied, withdrawn: &k.Withdrawn,
				createdAt: &k.CreatedAt, updatedAt: &k.UpdatedAt, endedAt: &k.RevokedAt,
			}
		},
	}
}

// mergeKey keeps a revocation, and with it the digests of what was revoked: once
// given up, another declaration could bring them back.
func mergeKey(current, declared *store.Key, now time.Time) store.Key {
	merged := *declared
	merged.CreatedBy, merged.Revision, merged.RevokedAt = current.CreatedBy, current.Revision, current.RevokedAt
	merged.Bootstrap, merged.Retired = current.Bootstrap, current.Retired
	merged.Secrets = make([]store.Secret, len(declared.Secrets))
	for i, secret := range declared.Secrets {
		secret.CreatedAt = now
		if known, ok := current.Secret(secret.Digest); ok {
			secret.CreatedAt = known.CreatedAt
		}
		merged.Secrets[i] = secret
	}
	if !current.RevokedAt.IsZero() {
		merged.Secrets = append(merged.Secrets, withoutSecretsOf(current, declared)...)
	}
	return merged
}

// releaseDigests lets a key be given another id and two change places.
func releaseDigests(holder, wanted *store.Key) { holder.Secrets = withoutSecretsOf(holder, wanted) }

// withoutSecretsOf returns the secrets of k that other does not have. It leaves
// those of k as they are: their old state may be shown yet.
func withoutSecretsOf(k, other *store.Key) []store.Secret {
	return slices.DeleteFunc(slices.Clone(k.Secrets), func(s store.Secret) bool {
		_, shared := other.Secret(s.Digest)
		return shared
	})
}

func digestHolders(ctx context.Context, s store.Keys, wanted *store.Key) ([]store.Key, error) {
	var holders []store.Key
	for _, secret := range wanted.Secrets {
		holder, err := s.KeyByDigest(ctx, secret.Digest)
		if errors.Is(err, store.ErrNotFound) || (err == nil && holder.ID == wanted.ID) {
			continue
		}
		if err != nil {
			return nil, err
		}
		holders = append(holders, holder)
	}
	return holders, nil
}
