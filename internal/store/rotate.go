package store

import (
	"slices"
	"time"
)

// MaxRetired is how many of the bootstrap key's former secrets are remembered.
const MaxRetired = 64

// Rotate makes secret the key's newest. The one that was the newest stays valid
// for grace from now on, and ends at once where that is zero; any older one is
// given up, so that a key has two secrets at most. It replaces the list of
// secrets and does not write into it.
func (k *Key) Rotate(secret Secret, grace time.Duration, now time.Time) {
	secrets := []Secret{secret}
	if len(k.Secrets) > 0 {
		former := k.Secrets[0]
		if end := now.Add(grace); former.ExpiresAt.IsZero() || end.Before(former.ExpiresAt) {
			former.ExpiresAt = end
		}
		secrets = append(secrets, former)
		k.Retire(k.Secrets[1:])
	}
	k.Secrets = secrets
}

// Retire remembers secrets that the key gives up, newest first, where it is the
// bootstrap key. It replaces the list of digests and does not write into it.
func (k *Key) Retire(secrets []Secret) {
	if !k.Bootstrap {
		return
	}
	var digests []Digest
	for _, s := range secrets {
		digests = append(digests, s.Digest)
	}
	digests = append(digests, k.Retired...)
	k.Retired = slices.Clip(digests[:min(len(digests), MaxRetired)])
}
