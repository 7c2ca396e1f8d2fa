package badgerstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

// Tests that need a process of its own, to kill it or to see it die, run the
// test binary again with these variables set.
const (
	childMode      = "OTLPGATE_TEST_CHILD"
	childDirectory = "OTLPGATE_TEST_DIRECTORY"
)

// exitRefused is the exit code of a child whose store did not open.
const exitRefused = 3

func runChild() {
	mode, directory := os.Getenv(childMode), os.Getenv(childDirectory)
	switch mode {
	case "":
		return
	case "open":
		childOpen(directory)
	case "spoil":
		childSpoil(directory)
	case "write":
		childWrite(directory, false)
	case "write and keep":
		childWrite(directory, true)
	case "migrate and die":
		childMigrate(directory)
	}
	os.Exit(0)
}

func childProcess(ctx context.Context, mode, directory string) *exec.Cmd {
	c := exec.CommandContext(ctx, os.Args[0])
	c.Env = append(os.Environ(), childMode+"="+mode, childDirectory+"="+directory)
	return c
}

// child runs a child to its end and returns its exit code and what it printed.
func child(t *testing.T, mode, directory string) (code int, output string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := childProcess(ctx, mode, directory)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	require.NoError(t, ctx.Err(), "the child hangs")
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return c.ProcessState.ExitCode(), out.String()
}

// childOpen opens the store, reads all of it, writes to it and prints how many
// keys and changes there were.
func childOpen(directory string) {
	ctx := context.Background()
	s, err := Open(ctx, Options{Directory: directory, Logger: zap.NewExample(zap.IncreaseLevel(zap.WarnLevel))})
	if err != nil {
		fmt.Println(err)
		os.Exit(exitRefused)
	}
	keys, err := countKeys(ctx, s)
	if err != nil {
		fmt.Println("reading:", err)
		os.Exit(exitRefused)
	}
	childWriteOne(ctx, s, 1_000_000)
	fmt.Println("keys:", keys)
	if err := s.Close(); err != nil {
		fmt.Println("closing:", err)
		os.Exit(exitRefused)
	}
}

func countKeys(ctx context.Context, s *Store) (int, error) {
	n := 0
	for page := (store.Page{Limit: store.MaxLimit}); ; {
		keys, err := s.ListKeys(ctx, store.KeyFilter{}, page)
		if err != nil {
			return n, err
		}
		for _, k := range keys.Keys {
			if byDigest, err := s.KeyByDigest(ctx, k.Secrets[0].Digest); err != nil || byDigest.ID != k.ID {
				return n, fmt.Errorf("%q by digest: %q, %w", k.ID, byDigest.ID, err)
			}
		}
		n += len(keys.Keys)
		if keys.Next == "" {
			return n, nil
		}
		page.Cursor = keys.Next
	}
}

// childSpoil alters, then truncates the tables of an open store while it reads
// it, and fails unless every read says that the store is damaged.
func childSpoil(directory string) {
	ctx := context.Background()
	s, err := Open(ctx, Options{Directory: directory})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	paths, _ := filepath.Glob(filepath.Join(directory, "*.sst"))
	for _, path := range paths {
		data, _ := os.ReadFile(path)
		for i := range data { // every 'x' that is not part of a key
			if data[i] == 'x' {
				data[i] = 'y'
			}
		}
		data = bytes.ReplaceAll(data, []byte(`"for tests"`), []byte(`"for pests"`))
		f, _ := os.OpenFile(path, os.O_WRONLY, 0)
		_, _ = f.Write(data)
	}
	childReadAll(ctx, s, "altered")
	for _, path := range paths {
		_ = os.Truncate(path, 0)
	}
	childReadAll(ctx, s, "truncated")
}

func childReadAll(ctx context.Context, s *Store, what string) {
	_, err1 := s.Key(ctx, storetest.Key(7).ID)
	_, err2 := s.KeyByDigest(ctx, storetest.Digest(9))
	_, err3 := s.ListKeys(ctx, store.KeyFilter{}, store.Page{})
	for _, err := range []error{err1, err2, err3} {
		fmt.Println(what, errors.Is(err, ErrDamaged), errors.Is(err, store.ErrNotFound))
	}
}

// childWrite creates keys from 0 on and revokes every third, in four
// goroutines, and prints each acknowledgement in one write: "c 12", "r 12". It
// may keep counts meanwhile.
func childWrite(directory string, counts bool) {
	ctx := context.Background()
	s, err := Open(ctx, Options{Directory: directory})
	if err != nil {
		fmt.Println(err)
		os.Exit(exitRefused)
	}
	first, err := countKeys(ctx, s)
	if err != nil {
		fmt.Println(err)
		os.Exit(exitRefused)
	}
	var writing sync.WaitGroup
	if counts {
		writing.Go(func() { childKeep(ctx, s) })
	}
	for w := range 4 {
		writing.Go(func() {
			for n := first + w; ; n += 4 {
				childWriteOne(ctx, s, n)
			}
		})
	}
	writing.Wait()
}

func childWriteOne(ctx context.Context, s *Store, n int) {
	k := storetest.Key(n)
	k.ID = fmt.Sprintf("%s_%d", k.ID, os.Getpid()) // lest a key that was not acknowledged is in the way
	k.Secrets[0].Digest = pidDigest(n, os.Getpid())
	if _, err := s.CreateKey(ctx, k, storetest.Audit("key.create", k.ID)); err != nil {
		fmt.Println(err)
		os.Exit(exitRefused)
	}
	_, _ = fmt.Fprintf(os.Stdout, "c %d\n", n)
	if n%3 != 0 {
		return
	}
	_, err := s.UpdateKey(ctx, k.ID, func(k *store.Key) (store.Audit, error) {
		k.RevokedAt = k.CreatedAt
		return storetest.Audit("key.revoke", k.ID), nil
	})
	if err != nil {
		fmt.Println(err)
		os.Exit(exitRefused)
	}
	_, _ = fmt.Fprintf(os.Stdout, "r %d\n", n)
}

// childCounts is the number of records that childKeep keeps. They take several
// transactions.
const childCounts = 12

// childKeep keeps counts now and then, each time those of a new generation, and
// acknowledges them: "q 5".
func childKeep(ctx context.Context, s *Store) {
	_, newest, err := generations(ctx, s)
	if err != nil {
		fmt.Println(err)
		os.Exit(exitRefused)
	}
	for generation := newest + 1; ; generation++ {
		counts := make([]limit.Counts, childCounts)
		data := bytes.Repeat(binary.BigEndian.AppendUint64(nil, generation), 2<<10)
		for i := range counts {
			counts[i] = limit.Counts{Key: storetest.Key(i).ID, Data: data, End: time.Now().Add(time.Hour)}
		}
		if err := s.KeepCounts(ctx, counts); err != nil {
			fmt.Println(err)
			os.Exit(exitRefused)
		}
		_, _ = fmt.Fprintf(os.Stdout, "q %d\n", generation)
		time.Sleep(20 * time.Millisecond)
	}
}

// generations returns the oldest and the newest generation of the counts that
// are kept, zero where none are.
func generations(ctx context.Context, s *Store) (oldest, newest uint64, err error) {
	for i := range childCounts {
		data, err := s.Counts(ctx, storetest.Key(i).ID)
		if err != nil {
			return 0, 0, err
		}
		var generation uint64
		if data != nil {
			generation = binary.BigEndian.Uint64(data)
			if !bytes.Equal(data, bytes.Repeat(data[:8], 2<<10)) {
				return 0, 0, fmt.Errorf("counts %d are of several generations", i)
			}
		}
		if i == 0 || generation < oldest {
			oldest = generation
		}
		newest = max(newest, generation)
	}
	return oldest, newest, nil
}

// childMigrate migrates a store until it has written twice, then kills itself.
func childMigrate(directory string) {
	dying := func(ctx context.Context, s *Store) error {
		writes := 0
		s.free = func(string) (uint64, error) { // asked before each write
			if writes++; writes == 3 {
				self, _ := os.FindProcess(os.Getpid())
				_ = self.Kill()
				select {}
			}
			return minFreeSpace, nil
		}
		return chainAudit(ctx, s)
	}
	s, err := open(context.Background(), Options{Directory: directory}, []migration{dying})
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(exitRefused)
	}
}

func pidDigest(n, pid int) store.Digest { return storetest.Digest(n<<24 | pid) }
