package badgerkv

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/kv"
)

// childDirectory makes this test binary a process that writes there until it is
// killed.
const childDirectory = "OTLPGATE_TEST_DIRECTORY"

// writeForEver writes, syncing nothing, and says what is written.
func writeForEver(directory string) {
	s, err := Open(context.Background(), Options{Directory: directory})
	if err != nil {
		panic(err)
	}
	for n := 0; ; n++ {
		newest := kv.Entry{Key: []byte("newest"), Value: fmt.Appendf(nil, "%d", n)}
		if _, err := s.Write(context.Background(), [][]kv.Entry{{entry(n, strings.Repeat("v", 200)), newest}}); err != nil {
			panic(err)
		}
		fmt.Println(n)
	}
}

// killWriter has a child write until it has acknowledged so much, kills it and
// returns the last that it acknowledged.
func killWriter(t *testing.T, directory string, target int) (acknowledged int) {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), childDirectory+"="+directory)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	acknowledged = -1
	for lines := bufio.NewScanner(out); lines.Scan(); {
		_, err := fmt.Sscan(lines.Text(), &acknowledged)
		require.NoError(t, err)
		if acknowledged == target {
			require.NoError(t, c.Process.Kill())
		}
	}
	require.Error(t, c.Wait())
	require.Equal(t, -1, c.ProcessState.ExitCode(), "the child must die of the kill")
	require.GreaterOrEqual(t, acknowledged, target)
	return acknowledged
}

func TestWhatWasAcknowledgedSurvivesAKill(t *testing.T) {
	directory := newDirectory(t)
	for round := range 3 {
		acknowledged := killWriter(t, directory, 15_000*(round+1))
		s, err := Open(t.Context(), Options{Directory: directory})
		require.NoError(t, err)
		for n := range acknowledged + 1 {
			value, err := s.Get(t.Context(), entry(n, "").Key)
			require.NoError(t, err, n)
			require.Len(t, value, 200)
		}
		newest, err := s.Get(t.Context(), []byte("newest"))
		require.NoError(t, err)
		var n int
		_, err = fmt.Sscan(string(newest), &n)
		require.NoError(t, err)
		require.GreaterOrEqual(t, n, acknowledged)
		require.NoError(t, s.Close())
	}
	assert.NoDirExists(t, directory+asideSuffix, "nothing was put aside")
}
