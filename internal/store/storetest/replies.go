package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/store"
)

var replyTests = map[string]func(*testing.T, store.Store){
	"a reply is kept by its digest": func(t *testing.T, s store.Store) {
		_, err := s.Reply(t.Context(), Digest(1))
		require.ErrorIs(t, err, store.ErrNotFound)
		require.NoError(t, s.KeepReply(t.Context(), Digest(1), []byte("one"), time.Hour))
		require.NoError(t, s.KeepReply(t.Context(), Digest(2), []byte("two"), time.Hour))
		require.NoError(t, s.KeepReply(t.Context(), Digest(1), []byte("again"), time.Hour))
		requireReply(t, s, 1, "again")
		requireReply(t, s, 2, "two")
	},
	"a reply ends with its lifetime": func(t *testing.T, s store.Store) {
		require.NoError(t, s.KeepReply(t.Context(), Digest(1), []byte("one"), 0))
		require.NoError(t, s.KeepReply(t.Context(), Digest(2), []byte("two"), 50*time.Millisecond))
		require.Eventually(t, func() bool {
			for n := 1; n < 3; n++ {
				if _, err := s.Reply(t.Context(), Digest(n)); err == nil {
					return false
				}
			}
			return true
		}, 10*time.Second, time.Millisecond)
	},
	"replies are no changes": func(t *testing.T, s store.Store) {
		createKey(t, s, Key(1))
		require.NoError(t, s.KeepReply(t.Context(), Digest(1), []byte("one"), time.Hour))
		require.Equal(t, 1, requireWholeAudit(t, s))
		require.EqualValues(t, 2, createKey(t, s, Key(2)).Revision)
	},
}

func requireReply(t *testing.T, s store.Store, n int, want string) {
	t.Helper()
	got, err := s.Reply(t.Context(), Digest(n))
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}
