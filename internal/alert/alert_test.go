package alert

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/kv"
	"github.com/otlpgate/otlpgate/internal/kv/kvtest"
	"github.com/otlpgate/otlpgate/internal/store"
)

func TestAKeyThatIsNotUsedIsTold(t *testing.T) {
	f := newFixture(t)
	f.key("never")
	f.key("once")
	f.after(time.Hour)
	f.use("once", 1)
	f.after(30*day - time.Hour - time.Second)
	assert.Empty(t, f.firingNow())
	f.after(time.Second)
	assert.Equal(t, []string{"key_unused never"}, f.firingNow())
	f.after(time.Hour)
	assert.ElementsMatch(t, []string{"key_unused never", "key_unused once"}, f.firingNow())
	f.use("never", 1)
	f.change("once", func(k *store.Key) { k.RevokedAt = f.now })
	f.after(0)
	assert.Empty(t, f.firingNow())
	ended := f.list(Filter{State: Resolved})
	require.Len(t, ended, 2)
	assert.Equal(t, f.now, ended[0].ResolvedAt)
	assert.Equal(t, "info", ended[0].Severity)
}

func TestARateOfErrorsIsToldAndEndsWhenItIsOverForAWhile(t *testing.T) {
	f := newFixture(t)
	f.key("a")
	f.use("a", 1)
	f.send("a", "", access.Accepted, 94)
	f.send("a", "", access.Refused, 5)
	f.after(time.Minute)
	assert.Empty(t, f.firingNow(), "too few to judge by")
	f.send("a", "", access.Accepted, 1)
	f.after(time.Minute)
	assert.Empty(t, f.firingNow(), "exactly 5 % are not over 5 %")
	f.send("a", "", access.Failed, 3)
	f.after(time.Minute)
	assert.Equal(t, []string{"error_rate a"}, f.firingNow())
	f.send("a", "", access.Accepted, 1000)
	f.after(time.Minute)
	assert.Equal(t, []string{"error_rate a"}, f.firingNow(), "it lingers")
	f.after(4 * time.Minute)
	assert.Equal(t, []string{"error_rate a"}, f.firingNow())
	f.after(time.Minute)
	assert.Empty(t, f.firingNow())
	f.send("a", "", access.Refused, 500)
	f.after(time.Minute)
	assert.Equal(t, []string{"error_rate a"}, f.firingNow())
	f.after(2 * time.Hour) // nobody sends any more
	f.after(5 * time.Minute)
	assert.Empty(t, f.firingNow())
}

func TestARateThatComesBackWhileItsAlertLingersIsTheSameAlert(t *testing.T) {
	h := newHook(t)
	f := newFixture(t, func(o *Options) { o.Webhook = h.receiver() })
	f.key("a")
	f.use("a", 1)
	for range 10 {
		f.send("a", "", access.Refused, 100_000)
		f.after(time.Minute)
		f.send("a", "", access.Accepted, 10_000_000)
		f.after(2 * time.Minute)
		f.send("a", "", access.Refused, 10_000_000)
		f.after(time.Minute)
	}
	h.await(t, 1)
	assert.Equal(t, []string{"firing error_rate"}, h.notices())
}

func TestAKeyThatIsAboutToExpireIsTold(t *testing.T) {
	f := newFixture(t)
	f.key("a", func(k *store.Key) { k.ExpiresAt = f.now.Add(20 * day) })
	f.after(6*day - time.Second)
	assert.Empty(t, f.firingNow())
	f.after(time.Second)
	assert.Equal(t, []string{"key_expiring a"}, f.firingNow())
	f.change("a", func(k *store.Key) { k.ExpiresAt = f.now.Add(20 * day) })
	f.after(0)
	assert.Empty(t, f.firingNow(), "it was extended")
	f.after(10 * day)
	assert.Equal(t, []string{"key_expiring a"}, f.firingNow())
	f.after(10 * day)
	assert.Empty(t, f.firingNow(), "it has expired")
}

func TestACountryThatIsNotExpectedIsTold(t *testing.T) {
	f := newFixture(t)
	f.key("listed", func(k *store.Key) { k.ExpectedCountries = []string{"DE"} })
	f.use("listed", 1)
	f.send("listed", "DE", access.Accepted, 1)
	f.send("listed", "ZZ", access.Accepted, 1)
	f.send("listed", "FR", access.Refused, 1)
	f.after(time.Minute)
	assert.Empty(t, f.firingNow(), "what is refused came to nothing")
	f.send("listed", "FR", access.Failed, 1)
	f.send("listed", "US", access.Accepted, 1)
	f.after(time.Minute)
	assert.ElementsMatch(t, []string{"unexpected_country listed FR", "unexpected_country listed US"}, f.firingNow())
	f.change("listed", func(k *store.Key) { k.ExpectedCountries = []string{"DE", "FR"} })
	f.after(time.Minute)
	assert.Equal(t, []string{"unexpected_country listed US"}, f.firingNow())
	f.after(day)
	assert.Empty(t, f.firingNow(), "nothing has come from there for a day")
}

func TestACountryThatIsNewToAKeyWithAHistoryIsTold(t *testing.T) {
	f := newFixture(t)
	f.key("a")
	f.use("a", 1)
	f.send("a", "DE", access.Accepted, 1)
	f.send("a", "AT", access.Accepted, 1)
	f.after(time.Minute)
	assert.Empty(t, f.firingNow(), "the first days show where it is at home")
	f.now = f.now.Add(7 * day)
	f.send("a", "DE", access.Accepted, 1)
	f.send("a", "FR", access.Accepted, 1)
	f.after(time.Minute)
	assert.Equal(t, []string{"unexpected_country a FR"}, f.firingNow())
	f.restart()
	f.after(time.Minute)
	assert.Equal(t, []string{"unexpected_country a FR"}, f.firingNow(), "it is known after a restart")
	for range 7 {
		f.now = f.now.Add(day - time.Hour)
		f.send("a", "FR", access.Accepted, 1)
		f.after(time.Hour)
	}
	assert.Empty(t, f.firingNow(), "after a week it is new no more")
}

func TestAnOldSecretThatIsStillUsedNearItsEndIsTold(t *testing.T) {
	f := newFixture(t)
	rotated := func(grace time.Duration) func(*store.Key) {
		return func(k *store.Key) {
			k.Secrets = append(k.Secrets, store.Secret{Digest: digest(k.ID, 2), Hint: "px_live_old…2222", CreatedAt: f.now.Add(-day), ExpiresAt: f.now.Add(grace)})
		}
	}
	f.key("short", rotated(4*time.Hour))
	f.key("long", rotated(20*day))
	f.key("left", rotated(4*time.Hour))
	began := f.now
	f.use("left", 2)
	f.now = began.Add(2*time.Hour + 59*time.Minute)
	f.use("short", 2)
	f.evaluate()
	assert.Empty(t, f.firingNow(), "the last quarter has not begun")
	f.after(2 * time.Minute)
	assert.Equal(t, []string{"old_secret_used short px_live_old…2222"}, f.firingNow())
	f.after(time.Hour)
	assert.Empty(t, f.firingNow(), "it has ended")
	f.now = began.Add(18 * day)
	f.use("long", 2)
	f.evaluate()
	assert.Empty(t, f.firingNow())
	f.after(day + time.Minute)
	assert.Empty(t, f.firingNow(), "used a day ago, which is before the last day")
	f.use("long", 2)
	f.after(time.Minute)
	assert.Equal(t, []string{"old_secret_used long px_live_old…2222"}, f.firingNow())
	f.change("long", func(k *store.Key) { k.Secrets = k.Secrets[:1] })
	f.after(0)
	assert.Empty(t, f.firingNow(), "it was taken away")
}

func TestEveryKindCanBeTurnedOff(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Rules = Rules{MinRequests: 1, ErrorRate: 1} })
	f.key("a", func(k *store.Key) {
		k.ExpiresAt, k.ExpectedCountries = f.now.Add(40*day), []string{"DE"}
		k.Secrets = append(k.Secrets, store.Secret{Digest: digest("a", 2), CreatedAt: f.now, ExpiresAt: f.now.Add(40 * day)})
	})
	f.now = f.now.Add(39 * day)
	f.use("a", 2)
	f.send("a", "FR", access.Accepted, 1)
	f.send("a", "FR", access.Refused, 1000)
	f.after(time.Minute)
	assert.Empty(t, f.firingNow())
}

func TestAlertsSurviveARestartAndAreToldOnce(t *testing.T) {
	h := newHook(t)
	f := newFixture(t, func(o *Options) { o.Webhook = h.receiver() })
	f.key("a")
	f.after(31 * day)
	began := f.list(Filter{})[0]
	h.await(t, 1)
	for range 3 {
		f.restart()
		f.after(time.Minute)
	}
	again := f.list(Filter{})[0]
	assert.Equal(t, began.StartedAt, again.StartedAt)
	f.use("a", 1)
	f.after(time.Minute)
	h.await(t, 2)
	f.restart()
	f.after(time.Minute)
	assert.Equal(t, []string{"firing key_unused", "resolved key_unused"}, h.notices())
	assert.Equal(t, Resolved, f.list(Filter{})[0].State)
	f.after(30 * day)
	f.restart()
	assert.Empty(t, f.list(Filter{State: Resolved}), "what ended long ago is forgotten")
}

func TestAKeyThatCannotBeReadKeepsItsAlerts(t *testing.T) {
	fail := false
	f := newFixture(t)
	f.Shutdown()
	uses := f.uses.LastUses
	f.options.LastUses = func(ctx context.Context, id string) ([]store.Use, error) {
		if fail && id == "a" {
			return nil, errors.New("disk on fire")
		}
		return uses(ctx, id)
	}
	f.start()
	f.key("a")
	f.key("b")
	f.after(31 * day)
	assert.Len(t, f.firingNow(), 2)
	fail = true
	f.use("a", 1)
	f.use("b", 1)
	require.ErrorContains(t, f.Evaluate(t.Context()), "judge key a: disk on fire")
	assert.Equal(t, []string{"key_unused a"}, f.firingNow())
	fail = false
	f.evaluate()
	assert.Empty(t, f.firingNow())
}

func TestAStoreThatCannotBeWrittenDoesNotKeepAlertsFromBeingTold(t *testing.T) {
	h := newHook(t)
	f := newFixture(t, func(o *Options) { o.Webhook = h.receiver() })
	f.Shutdown()
	broken := &failingKV{Store: f.kv}
	f.options.Store = broken
	f.start()
	f.key("a")
	onFire := errors.New("disk on fire")
	broken.err.Store(&onFire)
	f.now = f.now.Add(31 * day)
	require.ErrorIs(t, f.Evaluate(t.Context()), onFire)
	h.await(t, 1)
	broken.err.Store(nil)
	f.after(time.Minute)
	f.restart()
	assert.Equal(t, []string{"key_unused a"}, f.firingNow(), "it is kept once it can be")
}

func TestAWebhookThatIsDownIsToldLaterInOrderAndOverRestarts(t *testing.T) {
	h := newHook(t)
	h.set(func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) })
	f := newFixture(t, func(o *Options) { o.Webhook = h.receiver() })
	f.key("a")
	f.after(31 * day)
	<-h.came
	f.use("a", 1)
	f.after(time.Minute)
	f.restart()
	<-h.came
	h.set(nil)
	h.await(t, 2)
	assert.Equal(t, []string{"firing key_unused", "resolved key_unused"}, h.notices())
	f.restart()
	f.evaluate()
	n, ok := f.webhook.first()
	assert.False(t, ok, "nothing waits any more: %v", n)
}

func TestAWebhookThatRefusesForGoodIsNotAskedAgain(t *testing.T) {
	h := newHook(t)
	h.set(func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) })
	results := make(chan Result, 100)
	f := newFixture(t, func(o *Options) { o.Webhook, o.Observe = h.receiver(), func(_ string, r Result) { results <- r } })
	f.key("a")
	f.after(31 * day)
	assert.Equal(t, Dropped, <-results)
	h.set(nil)
	f.use("a", 1)
	f.after(time.Minute)
	h.await(t, 1)
	assert.Equal(t, Delivered, <-results)
	assert.Equal(t, []string{"resolved key_unused"}, h.notices())
}

func TestRetryAfterIsHonoured(t *testing.T) {
	h := newHook(t)
	h.set(func(w http.ResponseWriter) {
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	f := newFixture(t, func(o *Options) { o.Webhook = h.receiver() })
	f.key("a")
	f.after(31 * day)
	<-h.came
	asked := time.Now()
	h.set(nil)
	h.await(t, 1)
	assert.GreaterOrEqual(t, time.Since(asked), 1900*time.Millisecond)
}

func TestAReceiverThatHangsHoldsNobodyUp(t *testing.T) {
	hanging := make(chan struct{})
	h := newHook(t)
	f := newFixture(t, func(o *Options) {
		o.Webhook = h.receiver()
		o.Alertmanager = &Receiver{URL: "http://hang.invalid", Client: &http.Client{Transport: hang(hanging)}}
	})
	f.key("a")
	f.after(31 * day)
	<-hanging
	f.use("a", 1)
	f.after(time.Minute)
	h.await(t, 2)
	began := time.Now()
	f.Shutdown()
	assert.Less(t, time.Since(began), 10*time.Second)
}

// hang is a transport that answers only when the request is given up.
type hang chan struct{}

func (h hang) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case h <- struct{}{}:
	default:
	}
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestWhatWaitsForAWebhookIsBounded(t *testing.T) {
	memory, dropped := kvtest.NewMemory(), 0
	observe := func(_ string, r Result) { dropped += map[Result]int{Dropped: 1}[r] }
	h := newWebhook(Receiver{}, memory, zap.NewNop(), observe)
	var notices []numbered
	groups := make([][]kv.Entry, maxWaiting+10)
	for i := range groups {
		n, entry, err := h.prepare(&Alert{ID: strconv.Itoa(i)})
		require.NoError(t, err)
		notices, groups[i] = append(notices, n), []kv.Entry{entry}
	}
	_, err := memory.Write(t.Context(), groups)
	require.NoError(t, err)
	require.NoError(t, h.push(t.Context(), notices))
	assert.Len(t, h.waiting, maxWaiting)
	assert.Equal(t, 10, dropped)
	again := newWebhook(Receiver{}, memory, zap.NewNop(), observe)
	require.NoError(t, again.load(t.Context()))
	require.Len(t, again.waiting, maxWaiting, "those that were dropped are not kept")
	assert.Equal(t, h.waiting[0].number, again.waiting[0].number)
}

func TestListingsFilterAndPagesJoin(t *testing.T) {
	f := newFixture(t)
	for i := range 25 {
		f.key(fmt.Sprintf("key_%02d", i), func(k *store.Key) { k.ExpiresAt = f.now.Add(41 * day) })
		f.now = f.now.Add(time.Minute)
	}
	for range 30 {
		f.after(day)
	}
	require.Len(t, f.list(Filter{}), 50)
	for name, filter := range map[string]Filter{
		"all": {}, "kind": {Kind: KeyUnused}, "key": {KeyID: "key_03"}, "keys": {Keys: map[string]bool{"key_01": true, "key_02": true}},
		"none": {Keys: map[string]bool{}}, "firing": {State: Firing}, "resolved": {State: Resolved},
	} {
		var want []string
		for _, a := range f.list(Filter{}) {
			if filter.matches(&a) {
				want = append(want, a.ID)
			}
		}
		var got []string
		for page := (store.Page{Limit: 3}); ; {
			p, err := f.List(t.Context(), filter, page)
			require.NoError(t, err)
			for _, a := range p.Alerts {
				got = append(got, a.ID)
			}
			if page.Cursor = p.Next; page.Cursor == "" {
				break
			}
		}
		assert.Equal(t, want, got, name)
	}
	_, err := f.List(t.Context(), Filter{}, store.Page{Cursor: "garbage"})
	require.ErrorIs(t, err, store.ErrBadCursor)
	assert.Equal(t, 25, f.Firing()[KeyUnused])
	assert.Zero(t, f.Firing()[OldSecretUsed])
}
