package alert

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/alert/alerttest"
	"github.com/otlpgate/otlpgate/internal/store"
)

func TestARealAlertmanagerIsToldOfEveryKindAndOfItsEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Alertmanager")
	}
	am := alerttest.Start(t)
	f := newFixture(t, func(o *Options) {
		o.Alertmanager = &Receiver{URL: am.URL, Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
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
	am.Await(t, "firing OtlpgateKeyUnused unused ", "firing OtlpgateErrorRate failing ", "firing OtlpgateUnexpectedCountry abroad FR",
		"firing OtlpgateKeyExpiring ending ", "firing OtlpgateOldSecretUsed rotated px_live_old…2222")
	require.False(t, t.Failed())

	f.use("unused", 1)
	f.change("ending", func(k *store.Key) { k.ExpiresAt = f.now.Add(40 * day) })
	f.change("abroad", func(k *store.Key) { k.ExpectedCountries = append(k.ExpectedCountries, "FR") })
	f.change("rotated", func(k *store.Key) { k.Secrets = k.Secrets[:1] })
	f.after(2 * time.Hour)
	f.after(5 * time.Minute)
	am.Await(t, "resolved OtlpgateKeyUnused unused ", "resolved OtlpgateErrorRate failing ", "resolved OtlpgateUnexpectedCountry abroad FR",
		"resolved OtlpgateKeyExpiring ending ", "resolved OtlpgateOldSecretUsed rotated px_live_old…2222")
}
