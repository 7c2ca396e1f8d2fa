// Package alerttest runs a real Alertmanager, Debian's, for tests.
package alerttest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Alertmanager is a running one, with a receiver of the test's behind it. Make it
// with Start.
type Alertmanager struct {
	URL string

	mu  sync.Mutex
	got map[string]bool // "state alertname key_id"
}

// amConfig tells of everything at once.
const amConfig = `
route: {receiver: test, group_by: [alertname, key_id], group_wait: 10ms, group_interval: 100ms, repeat_interval: 1h}
receivers:
  - name: test
    webhook_configs: [{url: "%s", send_resolved: true}]
`

// Start starts an Alertmanager that tells of everything at once, and ends it with
// the test. Where none is installed the test is skipped.
func Start(t *testing.T) *Alertmanager {
	t.Helper()
	program, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		t.Skip("prometheus-alertmanager is not installed: apt-get install prometheus-alertmanager")
	}
	am := &Alertmanager{got: map[string]bool{}}
	receiver := httptest.NewServer(http.HandlerFunc(am.receive))
	t.Cleanup(receiver.Close)
	directory := t.TempDir()
	config := filepath.Join(directory, "alertmanager.yml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, amConfig, receiver.URL), 0o600))
	address := freeAddress(t)
	c := exec.CommandContext(t.Context(), program, "--config.file="+config, "--storage.path="+directory,
		"--web.listen-address="+address, "--cluster.listen-address=")
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 10 * time.Second
	require.NoError(t, c.Start())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = c.Wait() }()
	t.Cleanup(func() { _ = c.Process.Kill(); <-ended })
	am.URL = "http://" + address
	require.Eventually(t, func() bool {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, am.URL+"/-/ready", http.NoBody)
		require.NoError(t, err)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}, 30*time.Second, 20*time.Millisecond, "Alertmanager does not start")
	return am
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func (am *Alertmanager) receive(w http.ResponseWriter, r *http.Request) {
	var message struct {
		Alerts []struct {
			Status string
			Labels map[string]string
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	am.mu.Lock()
	defer am.mu.Unlock()
	for _, a := range message.Alerts {
		am.got[a.Status+" "+a.Labels["alertname"]+" "+a.Labels["key_id"]+" "+a.Labels["country"]+a.Labels["secret"]] = true
	}
}

// Await waits until alerts have come, each given as its state, its name, the id of
// its key and its country or secret, with spaces between.
func (am *Alertmanager) Await(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		assert.Eventually(t, func() bool {
			am.mu.Lock()
			defer am.mu.Unlock()
			return am.got[text]
		}, 30*time.Second, 20*time.Millisecond, text)
	}
}
