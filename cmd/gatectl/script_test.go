// The tests of gatectl are scripts in testdata/script. Each runs gatectl as a
// process of its own against a real admin API over a store of its own, whose
// bootstrap key is where gatectl looks for it.
package main

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/otlpgate/otlpgate/internal/scripttest"
)

// quietLog is for servers whose clients break off on purpose.
var quietLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"gatectl": main})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: setUp,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"refused":  exits(1),
			"misused":  exits(2),
			"capture":  scripttest.Capture,
			"member":   member,
			"declared": declared,
			"damage":   damage,
			"await":    await,
			"fill":     scripttest.Fill,
			"serve":    serve,
		},
	})
}

// serverKey finds the script's adminServer.
type serverKey struct{}

func setUp(env *testscript.Env) error {
	handler, err := startAdmin(env, filepath.Join(env.WorkDir, "otlpgate-data"))
	if err != nil {
		return err
	}
	env.Values[serverKey{}] = handler
	server := httptest.NewServer(handler)
	env.Defer(server.Close)
	env.Setenv("OTLPGATE_ADMIN_URL", server.URL)
	unreliable := httptest.NewUnstartedServer(lossy(handler))
	unreliable.Config.ErrorLog = quietLog
	unreliable.Start()
	env.Defer(unreliable.Close)
	env.Setenv("LOSSY_URL", unreliable.URL)
	tlsURL, err := serveTLS(env, handler)
	if err != nil {
		return err
	}
	env.Setenv("TLS_URL", tlsURL)
	return startStrangers(env)
}

// startStrangers puts the URL of each into a variable, such as SLOW_URL.
func startStrangers(env *testscript.Env) error {
	for name, handler := range strangers() {
		server := httptest.NewUnstartedServer(handler)
		server.Config.ErrorLog = quietLog
		server.Start()
		env.Defer(server.Close)
		env.Setenv(strings.ToUpper(name)+"_URL", server.URL)
	}
	redirect := httptest.NewServer(http.RedirectHandler(env.Getenv("HEADER_URL"), http.StatusTemporaryRedirect))
	env.Defer(redirect.Close)
	env.Setenv("REDIRECT_URL", redirect.URL)
	return nil
}

// exits makes a command that runs another, which must fail with that status, an
// error and a hint, and nothing on standard output.
func exits(status int) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) == 0 {
			ts.Fatalf("usage: refused|misused COMMAND…")
		}
		err := ts.Exec(args[0], args[1:]...)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != status {
			ts.Fatalf("got %v, want exit status %d", err, status)
		}
		if out := ts.ReadFile("stdout"); out != "" {
			ts.Fatalf("unexpected standard output %q", out)
		}
		if !failureLines.MatchString(ts.ReadFile("stderr")) {
			ts.Fatalf("standard error is not an error and a hint")
		}
	}
}

// failureLines is how every failure reads.
var failureLines = regexp.MustCompile(`(?m)(?:^|: )gatectl: error: [^A-Z].*[^.]\n(  .*\n)*gatectl: hint: [^A-Z].*[^.]\n$`)

// member writes the key of a user who is no administrator: member FILE.
func member(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: member FILE")
	}
	key, err := ts.Value(serverKey{}).(*adminServer).addMember()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(key+"\n"), 0o600))
}

// declared makes a declared key: declared VARIABLE.
func declared(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: declared VARIABLE")
	}
	id, err := ts.Value(serverKey{}).(*adminServer).declare()
	ts.Check(err)
	ts.Setenv(args[0], id)
}

// damage writes a file anew with a byte in its middle changed, or without its
// last byte: damage flip|cut FILE COPY.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: damage flip|cut FILE COPY")
	}
	content := []byte(ts.ReadFile(args[1]))
	switch args[0] {
	case "flip":
		content[len(content)/2] ^= 4
	case "cut":
		content = content[:len(content)-1]
	default:
		ts.Fatalf("unknown damage %q", args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), content, 0o600))
}

// serve opens a storage directory as otlpgate does and serves its admin API,
// whose URL goes into a variable: serve DIRECTORY VARIABLE.
func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: serve DIRECTORY VARIABLE")
	}
	handler, err := startAdmin(ts, ts.MkAbs(args[0]))
	ts.Check(err)
	server := httptest.NewServer(handler)
	ts.Defer(server.Close)
	ts.Setenv(args[1], server.URL)
}

// await waits until a file is there: await PATTERN.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await PATTERN")
	}
	for range 1000 {
		found, err := filepath.Glob(ts.MkAbs(args[0]))
		ts.Check(err)
		if len(found) > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("no file %s", args[0])
}
