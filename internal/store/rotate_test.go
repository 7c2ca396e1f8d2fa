package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otlpgate/otlpgate/internal/store"
)

func secretOf(n byte) store.Secret { return store.Secret{Digest: store.Digest{n}} }

func TestTheBootstrapKeyRemembersWhatItGivesUpNewestFirst(t *testing.T) {
	k := store.Key{Bootstrap: true, Retired: []store.Digest{{1}}}
	list := slices.Clone(k.Retired)
	before := k
	k.Retire([]store.Secret{secretOf(3), secretOf(2)})
	assert.Equal(t, []store.Digest{{3}, {2}, {1}}, k.Retired)
	assert.Equal(t, list, before.Retired)

	k.Secrets = []store.Secret{secretOf(5), secretOf(4)}
	k.Rotate(secretOf(6), time.Hour, time.Now())
	assert.Equal(t, []store.Digest{{4}, {3}, {2}, {1}}, k.Retired, "5 is in its grace period")
}

func TestWhatTheBootstrapKeyRemembersIsBounded(t *testing.T) {
	k := store.Key{Bootstrap: true}
	for n := range byte(store.MaxRetired + 5) {
		k.Retire([]store.Secret{secretOf(n)})
	}
	assert.Len(t, k.Retired, store.MaxRetired)
	assert.Equal(t, store.Digest{store.MaxRetired + 4}, k.Retired[0])
}

func TestOtherKeysRememberNothing(t *testing.T) {
	k := store.Key{}
	k.Retire([]store.Secret{secretOf(1)})
	assert.Empty(t, k.Retired)
}
