package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
)

// patience is how long an event is awaited that comes at once on an idle
// machine.
const patience = 60 * time.Second

// tick is how often a condition is looked at that nothing announces.
const tick = 5 * time.Millisecond

// doors are the lines of a receiver's configuration that name the extension.
type doors string

const (
	both            doors = ", auth: {authenticator: apikeyauth}, middlewares: [{id: apikeyauth}]"
	authOnly        doors = ", auth: {authenticator: apikeyauth}"
	middlewaresOnly doors = ", middlewares: [{id: apikeyauth}]"
	neither         doors = ""
)

func (d doors) name() string {
	return map[doors]string{both: "both", authOnly: "auth", middlewaresOnly: "middlewares", neither: "neither"}[d]
}

// options say how a collector is started; their zero value is the recommended
// configuration with new storage.
type options struct {
	open     bool   // no doors at all
	doors    doors  // both where empty
	storage  string // a new directory where empty
	overlay  string // YAML that is merged over the rest
	vault    *vault // to share between collectors of a test
	sink     *sink
	adminTLS *http.Transport // to reach an admin API with TLS
}

// base is what collectors start from. The addresses that are left to the kernel
// are read from the log.
var base = template.Must(template.New("config").Parse(`
extensions:
  apikeyauth:
    storage: {directory: "{{.Storage}}"}
    admin: {endpoint: "127.0.0.1:0"}
receivers:
  otlp:
    protocols:
      grpc: {endpoint: "127.0.0.1:0"{{.Doors}}}
      http: {endpoint: "127.0.0.1:0"{{.Doors}}}
processors:
  apikey:
exporters:
  nop:
  otlp_grpc:
    endpoint: "{{.Sink}}"
    tls: {insecure: true}
    sending_queue: {enabled: false}
    retry_on_failure: {enabled: false}
service:
  extensions: [apikeyauth]
  telemetry:

    logs: {encoding: json}
    metrics:
      readers: [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: {{.MetricsPort}}, without_type_suffix: true, without_units: true, without_scope_info: true}}}}]
  pipelines:
    traces: {receivers: [otlp], processors: [apikey], exporters: [otlp_grpc]}
    metrics: {receivers: [otlp], processors: [apikey], exporters: [otlp_grpc]}
    logs: {receivers: [otlp], processors: [apikey], exporters: [otlp_grpc]}
    profiles: {receivers: [otlp], processors: [apikey], exporters: [otlp_grpc]}
`))

// process is a running program whose output is kept.
type process struct {
	cmd    *exec.Cmd
	output *output
	exited chan struct{}
}

func run(t testing.TB, program string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(program, args...), output: newOutput(), exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.Dir = t.TempDir()
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait() // ProcessState tells
	}()
	t.Cleanup(func() { p.kill() })
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.exited
}

func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// wait returns the exit code.
func (p *process) wait(t testing.TB) int {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		t.Fatalf("it does not end:\n%s", p.output)
	}
	return p.cmd.ProcessState.ExitCode()
}

// await waits until the output satisfies ok, and reports false if the process
// ends before.
func (p *process) await(t testing.TB, what string, ok func(text string) bool) bool {
	t.Helper()
	deadline := time.After(patience)
	for {
		text, changed := p.output.snapshot()
		if ok(text) {
			return true
		}
		select {
		case <-changed:
		case <-p.exited:
			return ok(p.output.String())
		case <-deadline:
			t.Fatalf("no %s after %s:\n%s", what, patience, p.output)
		}
	}
}

// collector is a running otlpgate.
type collector struct {
	*process
	*admin
	storage, config string
	vault           *vault
	sink            *sink
	grpcAddress     string
	httpAddress     string
	metricsAddress  string
	conn            *grpc.ClientConn
}

// start starts otlpgate and waits until it is ready. At the end of the test it
// must stop cleanly and have leaked no key.
func start(t testing.TB, o options) *collector {
	t.Helper()
	c := launch(t, o)
	if !c.awaitReady(t) {
		t.Fatalf("otlpgate ended with %d:\n%s", c.wait(t), c.output)
	}
	return c
}

// launch starts otlpgate without waiting for it.
func launch(t testing.TB, o options) *collector {
	t.Helper()
	program := binary(t, "otlpgate")
	if o.storage == "" {
		o.storage = filepath.Join(t.TempDir(), "data")
	}
	if o.vault == nil {
		o.vault = newVault(t)
	}
	if o.sink == nil {
		o.sink = newSink(t)
	}
	c := &collector{storage: o.storage, vault: o.vault, sink: o.sink, metricsAddress: freeAddress(t)}
	c.config = c.writeConfig(t, o)
	args := []string{"--feature-gates=service.profilesSupport", "--config", c.config}
	if o.overlay != "" {
		overlay := filepath.Join(filepath.Dir(c.config), "overlay.yaml")
		require.NoError(t, os.WriteFile(overlay, []byte(o.overlay), 0o600))
		args = append(args, "--config", overlay)
	}
	c.process = run(t, program, args...)
	c.admin = newAdmin(c.vault, o.adminTLS)
	t.Cleanup(func() { c.finish(t) })
	return c
}

func (c *collector) writeConfig(t testing.TB, o options) string {
	t.Helper()
	if o.doors == "" && !o.open {
		o.doors = both
	}
	path := filepath.Join(t.TempDir(), "config.yaml")
	f, err := os.Create(path)
	require.NoError(t, err)
	_, port, _ := strings.Cut(c.metricsAddress, ":")
	require.NoError(t, base.Execute(f, map[string]any{
		"Storage": c.storage, "Doors": o.doors, "Sink": c.sink.address, "MetricsPort": port,
	}))
	require.NoError(t, f.Close())
	return path
}

// awaitReady reads from the log where otlpgate listens, and asks it whether it
// is ready. It reports false if otlpgate ends.
func (c *collector) awaitReady(t testing.TB) bool {
	t.Helper()
	if !c.await(t, "readiness", func(text string) bool { return strings.Contains(text, "Everything is ready") }) {
		return false
	}
	for _, e := range parseLog(c.output.String()) {
		switch e.Message {
		case "Starting GRPC server":
			c.grpcAddress = e.Endpoint
		case "Starting HTTP server":
			c.httpAddress = e.Endpoint
		case "serving the admin API":
			c.admin.address = e.Endpoint
		}
	}
	c.conn = dialGRPC(t, c.vault, c.grpcAddress)
	c.admin.connect(t, c.storage)
	require.Equal(t, http.StatusOK, c.admin.get(t, "/readyz").status, "/readyz")
	return true
}

// stop ends otlpgate, which must be clean. A collector says that it is ready a
// moment before it listens to signals: one that is told to end in between dies
// of it.
func (c *collector) stop(t testing.TB) {
	t.Helper()
	require.NoError(t, c.cmd.Process.Signal(syscall.SIGTERM))
	code := c.wait(t)
	ended := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ended.Signaled() && ended.Signal() == syscall.SIGTERM && !strings.Contains(c.output.String(), "Received signal from OS") {
		t.Log("otlpgate was told to end before it listened to signals")
		return
	}
	assert.Zero(t, code, "exit code after SIGTERM")
}

// finish ends the collector's life and looks for leaks.
func (c *collector) finish(t testing.TB) {
	t.Helper()
	if c.running() {
		c.stop(t)
	}
	c.vault.saw("otlpgate's output", c.output.String())
	c.vault.check(t)
	c.vault.checkFiles(t, c.storage)
	assert.NotContains(t, c.output.String(), "panic", "otlpgate's output")
	if t.Failed() {
		t.Logf("otlpgate's output:\n%s", clip(c.output.String()))
	}
}

const clipLength = 6_000

func clip(text string) string {
	if len(text) <= clipLength {
		return text
	}
	return text[:clipLength/2] + "\n…\n" + text[len(text)-clipLength/2:]
}

// eachFile visits the regular files below a directory; those that go away
// meanwhile do not matter.
func eachFile(t testing.TB, directory string, visit func(path string, content []byte)) {
	t.Helper()
	err := filepath.WalkDir(directory, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || (err == nil && !d.Type().IsRegular()) {
			return nil
		}
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		visit(path, content)
		return nil
	})
	require.NoError(t, err)
}
