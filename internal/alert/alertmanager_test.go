package alert

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

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/store"
)

// realAlertmanager is Debian's, with a receiver of the test's behind it.
type realAlertmanager struct {
	url string

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

func startAlertmanager(t *testing.T) *realAlertmanager {
	t.Helper()
	program, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		t.Skip("prometheus-alertmanager is not installed: apt-get install prometheus-alertmanager")
	}
	am := &realAlertmanager{got: map[string]bool{}}
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
	am.url = "http://" + address
	require.Eventually(t, func() bool {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, am.url+"/-/ready", http.NoBody)
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

func (am *realAlertmanager) receive(w http.ResponseWriter, r *http.Request) {
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

// await waits until an alert came.
func (am *realAlertmanager) await(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		assert.Eventually(t, func() bool {
			am.mu.Lock()
			defer am.mu.Unlock()
			return am.got[text]
		}, 30*time.Second, 20*time.Millisecond, text)
	}
}

func TestARealAlertmanagerIsToldOfEveryKindAndOfItsEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Alertmanager")
	}
	am := startAlertmanager(t)
	f := newFixture(t, func(o *Options) {
		o.Alertmanager = &Receiver{URL: am.url, Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	})
	f.key("unused")
	f.key("failing")
	f.key("abroad", func(k *store.Key) { k.ExpectedCountries = []string{"DE"} })
	f.key("ending", func(k *store.Key) { k.ExpiresAt = f.now.Add(40 * day) })
	f.after(31 * day)
	for _, id := range []string{"failing", "abroad", "ending"} {
		f.use(id, 1)
	}
	f.key("rotated", func(k *store.Key) {
		k.Secrets = append(k.Secrets, store.Secret{Digest: digest("rotated", 2), Hint: "px_live_old…2222", CreatedAt: f.now, ExpiresAt: f.now.Add(4 * time.Hour)})
	})
	f.now = f.now.Add(3*time.Hour + time.Minute)
	f.use("rotated", 2)
	f.send("failing", "DE", access.Refused, 1000)
	f.send("abroad", "FR", access.Accepted, 1)
	f.evaluate()
	am.await(t, "firing OtlpgateKeyUnused unused ", "firing OtlpgateErrorRate failing ", "firing OtlpgateUnexpectedCountry abroad FR",
		"firing OtlpgateKeyExpiring ending ", "firing OtlpgateOldSecretUsed rotated px_live_old…2222")
	require.False(t, t.Failed())

	f.use("unused", 1)
	f.change("ending", func(k *store.Key) { k.ExpiresAt = f.now.Add(40 * day) })
	f.change("abroad", func(k *store.Key) { k.ExpectedCountries = append(k.ExpectedCountries, "FR") })
	f.change("rotated", func(k *store.Key) { k.Secrets = k.Secrets[:1] })
	f.after(2 * time.Hour)
	f.after(5 * time.Minute)
	am.await(t, "resolved OtlpgateKeyUnused unused ", "resolved OtlpgateErrorRate failing ", "resolved OtlpgateUnexpectedCountry abroad FR",
		"resolved OtlpgateKeyExpiring ending ", "resolved OtlpgateOldSecretUsed rotated px_live_old…2222")
}
