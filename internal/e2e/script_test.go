package e2e

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/scripttest"
)

// TestGatectlManagesALiveCollector runs each script in testdata/script in a
// folder where a collector of its own runs, which gatectl finds by itself.
func TestGatectlManagesALiveCollector(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/script/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	tools := filepath.Dir(binary(t, "gatectl"))
	for _, file := range files {
		c := start(t, options{})
		testscript.Run(t, testscript.Params{
			Files: []string{file},
			Setup: func(env *testscript.Env) error {
				env.Setenv("PATH", tools+string(os.PathListSeparator)+env.Getenv("PATH"))
				env.Setenv("OTLPGATE_ADMIN_URL", "http://"+c.admin.address)
				env.Setenv("OTLPGATE_DATA_DIR", c.storage)
				return nil
			},
			Cmds: map[string]func(*testscript.TestScript, bool, []string){"capture": scripttest.Capture, "fill": scripttest.Fill, "send": c.sendInScript(t)},
		})
	}
}

// sendInScript makes a command that sends a trace over HTTP with a key, and
// checks the status: send STATUS KEY.
func (c *collector) sendInScript(t *testing.T) func(*testscript.TestScript, bool, []string) {
	t.Helper()
	body := marshalProto(t, traces.request())
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 2 {
			ts.Fatalf("usage: send STATUS KEY")
		}
		r, err := http.NewRequest(http.MethodPost, "http://"+c.httpAddress+traces.path, bytes.NewReader(body))
		ts.Check(err)
		r.Header.Set("Content-Type", protobufType)
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(args[1]))
		answer, err := http.DefaultClient.Do(r)
		ts.Check(err)
		defer answer.Body.Close()
		if strconv.Itoa(answer.StatusCode) != args[0] {
			ts.Fatalf("status %d, want %s", answer.StatusCode, args[0])
		}
	}
}
