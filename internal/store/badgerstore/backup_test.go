package badgerstore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

// fullStore has keys, users and edits of every kind.
func fullStore(t *testing.T) *Store {
	s := openIn(t, newDirectory(t))
	for n := range 20 {
		create(t, s, n)
	}
	for n := range 5 {
		u := storetest.User(n)
		_, err := s.CreateUser(t.Context(), u, storetest.Audit("user.create", u.ID))
		require.NoError(t, err)
	}
	edit(t, s, 1, func(k *store.Key) { k.RevokedAt = k.CreatedAt })
	edit(t, s, 2, func(k *store.Key) { k.Secrets[0].Digest = storetest.Digest(222) })
	edit(t, s, 3, func(k *store.Key) { k.OwnerID = storetest.User(3).ID })
	_, err := s.UpdateUser(t.Context(), storetest.User(4).ID, func(u *store.User) (store.Audit, error) {
		u.DeletedAt = u.CreatedAt
		return storetest.Audit("user.delete", u.ID), nil
	})
	require.NoError(t, err)
	return s
}

func create(t testing.TB, s *Store, n int) store.Key {
	t.Helper()
	k, err := s.CreateKey(context.Background(), storetest.Key(n), storetest.Audit("key.create", storetest.Key(n).ID))
	require.NoError(t, err)
	return k
}

func edit(t testing.TB, s *Store, n int, change func(*store.Key)) {
	t.Helper()
	_, err := s.UpdateKey(context.Background(), storetest.Key(n).ID, func(k *store.Key) (store.Audit, error) {
		change(k)
		return storetest.Audit("key.update", k.ID), nil
	})
	require.NoError(t, err)
}

func backup(t *testing.T, s *Store) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, s.Backup(t.Context(), &out, nil))
	return out.Bytes()
}

func restoreInto(t *testing.T, directory string, whole []byte) {
	t.Helper()
	require.NoError(t, Restore(t.Context(), directory, bytes.NewReader(whole), nil))
}

// entries are all entries of a store but stale listings and tombstones.
func entries(t *testing.T, s *Store) map[string]string {
	all := map[string]string{}
	require.NoError(t, s.view(t.Context(), func(v *snapshot) error {
		return v.walk(t.Context(), scan{collect: true}, func(key, value []byte) (bool, error) {
			if key[0] == digestFamily || key[0] == emailFamily {
				if id, err := unseal(key, value); err != nil || len(id) == 0 {
					return true, err
				}
			}
			all[string(key)] = string(value)
			return true, nil
		})
	}))
	return all
}

func TestRestoredStoreEqualsItsBackup(t *testing.T) {
	s := fullStore(t)
	var told uint64
	var out bytes.Buffer
	require.NoError(t, s.Backup(t.Context(), &out, func(n uint64) { told = n }))
	require.EqualValues(t, 20+5+29, told)

	directory := newDirectory(t)
	told = 0
	require.NoError(t, Restore(t.Context(), directory, bytes.NewReader(out.Bytes()), func(n uint64) { told = n }))
	require.EqualValues(t, 20+5+29, told)
	info, err := os.Stat(directory)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())

	restored := openIn(t, directory)
	require.Equal(t, entries(t, s), entries(t, restored))
	require.Equal(t, create(t, s, 99), create(t, restored, 99), "revisions go on where they were")
}

func TestBackupOfAnEmptyStore(t *testing.T) {
	s := openIn(t, newDirectory(t))
	directory := newDirectory(t)
	require.NoError(t, Restore(t.Context(), directory, bytes.NewReader(backup(t, s)), nil))
	create(t, openIn(t, directory), 1)
}

// TestBackupIsOfOneMoment backs up while others write two keys at a time.
func TestBackupIsOfOneMoment(t *testing.T) {
	s := openIn(t, newDirectory(t))
	for n := range 300 {
		create(t, s, n)
	}
	stop := make(chan struct{})
	var writing sync.WaitGroup
	for w := range 4 {
		writing.Go(func() {
			for n := 1000 * (w + 1); ; n++ {
				select {
				case <-stop:
					return
				default:
					create(t, s, n)
					edit(t, s, w, func(k *store.Key) { k.Name = strconv.Itoa(n) })
				}
			}
		})
	}
	var backups [][]byte
	for range 5 {
		backups = append(backups, backup(t, s))
	}
	close(stop)
	writing.Wait()
	for _, b := range backups { // Restore checks that changes have no gap and index everything
		directory := newDirectory(t)
		require.NoError(t, Restore(t.Context(), directory, bytes.NewReader(b), nil))
		restored := openIn(t, directory)
		keys, err := countKeys(t.Context(), restored)
		require.NoError(t, err)
		require.GreaterOrEqual(t, keys, 300)
	}
}

func TestDamagedBackupIsRefusedAndLeavesNothing(t *testing.T) {
	whole := backup(t, fullStore(t))
	refused := func(t *testing.T, data []byte) {
		t.Helper()
		directory := newDirectory(t)
		require.ErrorIs(t, Restore(t.Context(), directory, bytes.NewReader(data), nil), ErrBadBackup)
		require.NoDirExists(t, directory)
	}
	step := len(whole)/12 + 1
	for n := 0; n < len(whole); n += step {
		refused(t, whole[:n])
	}
	refused(t, whole[:len(whole)-1])
	refused(t, append(bytes.Clone(whole), 'x'))
	refused(t, []byte("not a backup at all, but long enough to hold its header"))
	for n := 40; n < len(whole); n += step { // behind the header, whose versions have errors of their own
		flipped := bytes.Clone(whole)
		flipped[n] ^= 4
		refused(t, flipped)
	}
	headless := bytes.Clone(whole)
	headless[len(backupMagic)+2+4+7]++ // the number of the newest change
	refused(t, headless)
}

func TestBackupOfANewerReleaseIsRefused(t *testing.T) {
	whole := backup(t, fullStore(t))
	format, schema := bytes.Clone(whole), bytes.Clone(whole)
	format[len(backupMagic)+1] = 2
	schema[len(backupMagic)+2+3] = 9
	for text, data := range map[string][]byte{
		"backup has format version 2, this release knows 1":      format,
		"backup has schema version 9, this release knows 1 to 2": schema,
	} {
		directory := newDirectory(t)
		require.ErrorContains(t, Restore(t.Context(), directory, bytes.NewReader(data), nil), text)
		require.NoDirExists(t, directory)
	}
}

func TestRestoreOnlyIntoAnEmptyDirectory(t *testing.T) {
	s := fullStore(t)
	whole := backup(t, s)
	require.ErrorContains(t, Restore(t.Context(), s.directory, bytes.NewReader(whole), nil), "must be empty")

	full := newDirectory(t)
	require.NoError(t, os.MkdirAll(full, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(full, "notes.txt"), []byte("mine"), 0o600))
	require.ErrorContains(t, Restore(t.Context(), full, bytes.NewReader(whole), nil), `"notes.txt": must be empty`)
	require.FileExists(t, filepath.Join(full, "notes.txt"))

	empty := newDirectory(t)
	require.NoError(t, os.MkdirAll(filepath.Join(empty, "lost+found"), 0o700))
	require.Error(t, Restore(t.Context(), empty, bytes.NewReader(whole[:100]), nil))
	left, err := os.ReadDir(empty)
	require.NoError(t, err)
	require.Len(t, left, 1, "the directory must be as it was")
	require.NoError(t, Restore(t.Context(), empty, bytes.NewReader(whole), nil))
	openIn(t, empty)
}

func TestInterruptedRestoreIsNotOpened(t *testing.T) {
	directory := newDirectory(t)
	require.NoError(t, os.MkdirAll(filepath.Join(directory, stagingName), 0o700))
	_, err := Open(t.Context(), Options{Directory: directory})
	require.ErrorContains(t, err, "interrupted restore")
	require.NoError(t, Restore(t.Context(), directory, bytes.NewReader(backup(t, fullStore(t))), nil))
	openIn(t, directory)
}

func TestBackupAndRestoreStop(t *testing.T) {
	s := fullStore(t)
	whole := backup(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Backup(ctx, io.Discard, nil), context.Canceled)
	directory := newDirectory(t)
	require.ErrorIs(t, Restore(ctx, directory, bytes.NewReader(whole), nil), context.Canceled)
	require.NoDirExists(t, directory)
	require.ErrorIs(t, s.Backup(t.Context(), failing{}, nil), errFull)
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Backup(t.Context(), io.Discard, nil), store.ErrClosed)
}

var errFull = errors.New("disk is full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }
