package badgerstore

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/store"
)

// killRounds may be overridden by OTLPGATE_KILL_ROUNDS.
func killRounds(t *testing.T) int {
	if text := os.Getenv("OTLPGATE_KILL_ROUNDS"); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err)
		return n
	}
	if testing.Short() {
		return 3
	}
	return 20
}

// acknowledgement is one that a writing child has printed.
type acknowledgement struct {
	pid  int
	kind string // "c", created; "r", revoked; "q", counts of a generation kept
	n    int
}

// TestKilledWriterKeepsWhatItAcknowledged kills a process that creates and
// revokes keys and keeps counts at random moments, start-up included, again and
// again in one directory.
func TestKilledWriterKeepsWhatItAcknowledged(t *testing.T) {
	directory := newDirectory(t)
	var all []acknowledgement
	rounds := killRounds(t)
	created := func(a acknowledgement) bool { return a.kind == "c" }
	for round := 0; round < rounds || !slices.ContainsFunc(all, created); round++ { // a slow machine may take more to acknowledge anything
		all = append(all, killWriter(t, directory, time.Duration(rand.IntN(400)*(1+round/rounds))*time.Millisecond)...)
		s, err := Open(t.Context(), Options{Directory: directory})
		require.NoError(t, err, "round %d", round)
		requireAcknowledged(t, s, all)
		require.NoError(t, s.Close())
	}
	t.Logf("%d acknowledgements kept", len(all))
}

// killWriter kills a writing child after a time and returns what it had
// acknowledged.
func killWriter(t *testing.T, directory string, after time.Duration) []acknowledgement {
	c := childProcess(t.Context(), "write and keep", directory)
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	timer := time.AfterFunc(after, func() { _ = c.Process.Kill() })
	defer timer.Stop()
	var acknowledged []acknowledgement
	for lines := bufio.NewScanner(out); lines.Scan(); {
		a := acknowledgement{pid: c.Process.Pid}
		_, err := fmt.Sscanf(lines.Text(), "%1s %d", &a.kind, &a.n)
		require.NoError(t, err, lines.Text())
		acknowledged = append(acknowledged, a)
	}
	require.Error(t, c.Wait())
	require.Equal(t, -1, c.ProcessState.ExitCode(), "the child must die of the kill")
	return acknowledged
}

func requireAcknowledged(t *testing.T, s *Store, all []acknowledgement) {
	t.Helper()
	listed := listedIDs(t, s)
	kept := 0
	for _, a := range all {
		if a.kind == "q" {
			kept = max(kept, a.n)
			continue
		}
		k, err := s.KeyByDigest(t.Context(), pidDigest(a.n, a.pid))
		require.NoError(t, err, "an acknowledged key must be found")
		require.True(t, strings.HasSuffix(k.ID, "_"+strconv.Itoa(a.pid)))
		require.True(t, listed[k.ID], "a key that is found must be listed")
		if a.kind == "r" {
			require.False(t, k.RevokedAt.IsZero(), "an acknowledged revocation must hold")
		}
	}
	keys, err := countKeys(t.Context(), s) // every listed key is found by its digest
	require.NoError(t, err)
	require.Len(t, listed, keys)
	requireGapless(t, s)
	require.Empty(t, brokenLinks(t, s))
	oldest, _, err := generations(t.Context(), s)
	require.NoError(t, err, "counts are the old or the new")
	require.GreaterOrEqual(t, oldest, uint64(kept), "acknowledged counts must be kept")
}

func listedIDs(t *testing.T, s *Store) map[string]bool {
	ids := map[string]bool{}
	for page := (store.Page{Limit: store.MaxLimit}); ; {
		keys, err := s.ListKeys(t.Context(), store.KeyFilter{}, page)
		require.NoError(t, err)
		for _, k := range keys.Keys {
			require.False(t, ids[k.ID])
			ids[k.ID] = true
		}
		if keys.Next == "" {
			return ids
		}
		page.Cursor = keys.Next
	}
}

// requireGapless checks that audit records, and so changes, are numbered
// without gaps, and that the counter agrees.
func requireGapless(t *testing.T, s *Store) {
	t.Helper()
	require.NoError(t, s.view(context.Background(), func(v *snapshot) error {
		newest, err := v.number(changeKey)
		require.NoError(t, err)
		return v.checkAudit(t.Context(), newest)
	}))
}
