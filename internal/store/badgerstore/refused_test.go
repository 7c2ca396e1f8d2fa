package badgerstore

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

// A caller is told that a key is revoked already, or an id taken: by then that
// must be durable, or the caller believes what a kill undoes.
func TestARefusedWriteReturnsOnlyOnceWhatItHasSeenIsDurable(t *testing.T) {
	errUnchanged := errors.New("unchanged")
	for name, second := range map[string]struct {
		write func(s *Store) error
		want  error
	}{
		"an edit that finds nothing to change": {func(s *Store) error {
			_, err := s.UpdateKey(t.Context(), storetest.Key(1).ID, func(k *store.Key) (store.Audit, error) {
				require.False(t, k.RevokedAt.IsZero(), "it sees the change before it")
				return store.Audit{}, errUnchanged
			})
			return err
		}, errUnchanged},
		"a creation that finds the digest taken": {func(s *Store) error {
			taken := storetest.Key(2)
			taken.Secrets = storetest.Key(1).Secrets
			_, err := s.CreateKey(t.Context(), taken, storetest.Audit("key.create", taken.ID))
			return err
		}, store.ErrExists},
	} {
		t.Run(name, func(t *testing.T) {
			s := openIn(t, t.TempDir())
			_, err := s.CreateKey(t.Context(), storetest.Key(1), storetest.Audit("key.create", storetest.Key(1).ID))
			require.NoError(t, err)

			s.writer.waiting.Add(1) // somebody behind, for whom the batch is left open
			revoked, refused := make(chan error, 1), make(chan error, 1)
			go func() {
				_, err := s.UpdateKey(t.Context(), storetest.Key(1).ID, func(k *store.Key) (store.Audit, error) {
					k.RevokedAt = time.Now()
					return storetest.Audit("key.revoke", k.ID), nil
				})
				revoked <- err
			}()
			require.Eventually(t, func() bool {
				s.writer.mu.Lock()
				defer s.writer.mu.Unlock()
				return s.writer.batch != nil && s.writer.batch.changes == 1
			}, 10*time.Second, time.Millisecond)
			go func() { refused <- second.write(s) }()
			select {
			case err := <-refused:
				t.Fatalf("it returned %v while the change that it saw was not durable", err)
			case <-time.After(50 * time.Millisecond): // nothing announces that it waits
			}
			s.writer.waiting.Add(-1)
			_, err = s.AppendAudit(t.Context(), storetest.Audit("backup.create", ""))
			require.NoError(t, err)
			require.NoError(t, <-revoked)
			require.ErrorIs(t, <-refused, second.want)
		})
	}
}
