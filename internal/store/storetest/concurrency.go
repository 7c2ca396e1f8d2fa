package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/store"
)

// writers is the number of goroutines of a concurrency test, rounds what each does.
const (
	writers = 8
	rounds  = 12
)

// together runs f in every writer and fails the test with its errors.
func together(t *testing.T, f func(writer int) error) {
	t.Helper()
	errs := make([]error, writers)
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() { errs[w] = f(w) })
	}
	running.Wait()
	require.NoError(t, errors.Join(errs...))
}

var concurrencyTests = map[string]func(*testing.T, store.Store){
	"no update is lost": func(t *testing.T, s store.Store) {
		k := Key(1)
		k.Description = ""
		createKey(t, s, k)
		together(t, func(w int) error {
			for r := range rounds {
				_, err := s.UpdateKey(t.Context(), k.ID, func(k *store.Key) (store.Audit, error) {
					k.Description += fmt.Sprintf("[%d.%d]", w, r)
					return Audit("key.update", k.ID), nil
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		read, err := s.Key(t.Context(), k.ID)
		require.NoError(t, err)
		for w := range writers {
			for r := range rounds {
				require.Equal(t, 1, strings.Count(read.Description, fmt.Sprintf("[%d.%d]", w, r)))
			}
		}
		require.Equal(t, 1+writers*rounds, requireWholeAudit(t, s))
	},
	"revisions are unique and grow": func(t *testing.T, s store.Store) {
		var mu sync.Mutex
		seen := map[uint64]bool{}
		together(t, func(w int) error {
			var last uint64
			for r := range rounds {
				created, err := s.CreateKey(t.Context(), Key(w*100+r), Audit("key.create", Key(w*100+r).ID))
				if err != nil {
					return err
				}
				mu.Lock()
				taken := seen[created.Revision]
				seen[created.Revision] = true
				mu.Unlock()
				if taken || created.Revision <= last {
					return fmt.Errorf("revision %d after %d, taken: %t", created.Revision, last, taken)
				}
				last = created.Revision
			}
			return nil
		})
		require.Equal(t, writers*rounds, requireWholeAudit(t, s))
		require.Len(t, allKeys(t, s, store.KeyFilter{}, 7), writers*rounds)
	},
	"records of their own and those of changes make one chain": func(t *testing.T, s store.Store) {
		createUser(t, s, User(1))
		together(t, func(w int) error {
			for r := range rounds {
				_, err1 := s.AppendAudit(t.Context(), refusal(Key(w*100+r).ID))
				_, err2 := s.CreateKey(t.Context(), Key(w*100+r), Audit("key.create", Key(w*100+r).ID))
				_, err3 := s.UpdateUser(t.Context(), User(1).ID, func(u *store.User) (store.Audit, error) {
					return Audit("user.update", u.ID), nil
				})
				if err := errors.Join(err1, err2, err3); err != nil {
					return err
				}
			}
			return nil
		})
		require.Equal(t, 1+3*writers*rounds, requireWholeAudit(t, s))
	},
	"one of many takes an id, a digest, an email": func(t *testing.T, s store.Store) {
		for r := range rounds {
			var mu sync.Mutex
			taken := map[string]int{}
			take := func(what string, err error) error {
				if err == nil {
					mu.Lock()
					defer mu.Unlock()
					taken[what]++
				} else if !errors.Is(err, store.ErrExists) {
					return err
				}
				return nil
			}
			together(t, func(w int) error {
				sameID, sameDigest, sameEmail := Key(w), Key(r*100+w), User(r*100+w)
				sameID.ID, sameID.Secrets = fmt.Sprintf("same_%d", r), nil
				sameDigest.Secrets[0].Digest, sameEmail.Email = Digest(-1-r), fmt.Sprintf("same%d@example.com", r)
				_, err1 := s.CreateKey(t.Context(), sameID, Audit("", ""))
				_, err2 := s.CreateKey(t.Context(), sameDigest, Audit("", ""))
				_, err3 := s.CreateUser(t.Context(), sameEmail, Audit("", ""))
				return errors.Join(take("id", err1), take("digest", err2), take("email", err3))
			})
			require.Equal(t, map[string]int{"id": 1, "digest": 1, "email": 1}, taken)
		}
		require.Equal(t, 3*rounds, requireWholeAudit(t, s))
	},
	"readers see whole records that never go back": testReaders,
	"a failing writer harms no other": func(t *testing.T, s store.Store) {
		createKey(t, s, Key(0))
		together(t, func(w int) error {
			for r := range rounds {
				var err error
				switch w % 4 {
				case 0: // refused
					_, err = s.UpdateKey(t.Context(), Key(0).ID, func(*store.Key) (store.Audit, error) { return store.Audit{}, errors.ErrUnsupported })
					if errors.Is(err, errors.ErrUnsupported) {
						err = nil
					}
				case 1: // cancelled
					ctx, cancel := context.WithCancel(t.Context())
					cancel()
					_, err = s.CreateKey(ctx, Key(9000+w*100+r), Audit("key.create", ""))
					if errors.Is(err, context.Canceled) {
						err = nil
					}
				case 2: // panics
					func() {
						defer func() { _ = recover() }()
						_, _ = s.UpdateKey(t.Context(), Key(0).ID, func(*store.Key) (store.Audit, error) { panic("edit") })
						err = errors.New("the panic of an edit must reach its caller")
					}()
				default:
					_, err = s.CreateKey(t.Context(), Key(100+w*100+r), Audit("key.create", ""))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		require.Equal(t, 1+writers/4*rounds, requireWholeAudit(t, s))
		require.Len(t, allKeys(t, s, store.KeyFilter{}, 0), 1+writers/4*rounds)
	},
}

// testReaders updates name and description to the same number, and swaps the
// secret, while others read.
func testReaders(t *testing.T, s store.Store) {
	k := Key(1)
	k.Name, k.Description = "0", "0"
	createKey(t, s, k)
	stop := make(chan struct{})
	var reading sync.WaitGroup
	for range 4 {
		reading.Go(func() {
			var last uint64
			for {
				select {
				case <-stop:
					return
				default:
				}
				read, err := s.Key(t.Context(), k.ID)
				if err != nil || read.Name != read.Description || read.Revision < last {
					t.Errorf("read %q and %q, revision %d after %d: %v", read.Name, read.Description, read.Revision, last, err)
					return
				}
				last = read.Revision
				page, err := s.ListKeys(t.Context(), store.KeyFilter{}, store.Page{})
				if err != nil || len(page.Keys) != 1 || page.Keys[0].Revision < last {
					t.Errorf("listed %d keys: %v", len(page.Keys), err)
					return
				}
				byDigest, err := s.KeyByDigest(t.Context(), read.Secrets[0].Digest)
				if err != nil && !errors.Is(err, store.ErrNotFound) || err == nil && byDigest.Secrets[0].Digest != read.Secrets[0].Digest {
					t.Errorf("by digest: %v", err)
					return
				}
			}
		})
	}
	for r := 1; r <= 5*rounds; r++ {
		updated := updateKey(t, s, k.ID, func(k *store.Key) {
			k.Name, k.Description = strconv.Itoa(r), strconv.Itoa(r)
			k.Secrets[0].Digest = Digest(r)
		})
		read, err := s.KeyByDigest(t.Context(), Digest(r))
		require.NoError(t, err, "a write must be seen once it has returned")
		require.Equal(t, updated, read)
		_, err = s.KeyByDigest(t.Context(), Digest(r-1))
		require.True(t, r == 1 || errors.Is(err, store.ErrNotFound))
	}
	close(stop)
	reading.Wait()
}
