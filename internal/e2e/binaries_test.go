package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the repository's.
const root = "../.."

// required says that nothing may be skipped for want of what `make test` builds
// and installs.
func required() bool { return os.Getenv("CI") != "" || os.Getenv("OTLPGATE_E2E") == "required" }

// missing skips the test, visibly, or fails it where everything is required.
func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if required() {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// binary returns the path of a program that the Makefile builds.
func binary(t testing.TB, name string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("end-to-end tests are skipped with -short")
	}
	path, err := filepath.Abs(filepath.Join(root, "bin", name))
	require.NoError(t, err)
	if _, err := os.Stat(path); err != nil {
		missing(t, "bin/%s is missing: run make build", name)
	}
	return path
}

// node returns the path of Node.js and the folder of the scripts for it.
func node(t *testing.T) (program, scripts string) {
	t.Helper()
	program, err := exec.LookPath("node")
	if err != nil {
		missing(t, "node is missing: run make test-deps")
	}
	scripts, err = filepath.Abs(filepath.Join(root, "testdata", "js"))
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(scripts, "node_modules", "@opentelemetry")); err != nil {
		missing(t, "testdata/js/node_modules is missing: run make test-deps")
	}
	return program, scripts
}

// Ports below those that the kernel gives out, so that nobody gets one between
// its choice and its use.
const (
	firstPort = 20000
	lastPort  = 32000
)

var portsTried atomic.Int32

// freeAddress is for the few servers of a collector that do not log theirs.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range lastPort - firstPort {
		n := (os.Getpid()*97 + int(portsTried.Add(1))) % (lastPort - firstPort)
		address := fmt.Sprintf("127.0.0.1:%d", firstPort+n)
		if l, err := net.Listen("tcp", address); err == nil {
			require.NoError(t, l.Close())
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}
