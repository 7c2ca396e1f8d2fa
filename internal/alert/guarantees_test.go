package alert

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/kv"
	"github.com/otlpgate/otlpgate/internal/kv/kvtest"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/store/storetest"
)

// No float may make a rate that is exactly the bound exceed it.
func TestARateThatIsExactlyTheBoundIsNotOverIt(t *testing.T) {
	for percent := int64(1); percent < 100; percent++ {
		r := Rules{ErrorRate: float64(percent) / 100, MinRequests: 1, RateWindow: time.Hour}
		for _, requests := range []int64{100, 1000, 700} {
			f := &facts{key: &store.Key{}, requests: requests, errors: requests * percent / 100}
			assert.Empty(t, r.errorRate(f, time.Time{}), "%d %% of %d", percent, requests)
			f.errors++
			assert.Len(t, r.errorRate(f, time.Time{}), 1, "%d %% of %d, and one", percent, requests)
		}
	}
}

func TestTheAddressOfAReceiverIsNeverLogged(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	failed := make(chan struct{}, 100)
	f := newFixture(t, func(o *Options) {
		o.Logger = zap.New(core)
		o.Webhook = &Receiver{URL: "http://127.0.0.1:1/services/s3cr3t?token=s3cr3t", Client: &http.Client{}}
		o.Alertmanager = &Receiver{URL: "http://127.0.0.1:1/s3cr3t", Client: &http.Client{}}
		o.Observe = func(string, Result) { failed <- struct{}{} }
	})
	f.key("a")
	f.after(31 * day)
	<-failed
	<-failed
	require.Eventually(t, func() bool { return logs.Len() >= 2 }, 10*time.Second, time.Millisecond)
	for _, e := range logs.All() {
		assert.NotContains(t, fmt.Sprint(e.Message, e.ContextMap()), "s3cr3t")
	}
}

func TestHowLongAReceiverAsksToWait(t *testing.T) {
	at := time.Now().Add(3 * time.Minute).UTC().Format(http.TimeFormat)
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "-1": 0, "x": 0, "7": 7 * time.Second, "300": 5 * time.Minute, at: 3 * time.Minute,
		time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat): 0,
	} {
		answer := &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {text}}}
		assert.InDelta(t, want.Seconds(), refusalOf(answer).after.Seconds(), 2, text)
	}
}

func TestARedirectIsNoDelivery(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(elsewhere.Close)
	h := newHook(t)
	h.set(func(w http.ResponseWriter) {
		w.Header().Set("Location", elsewhere.URL)
		w.WriteHeader(http.StatusFound)
	})
	results := make(chan Result, 10)
	f := newFixture(t, func(o *Options) { o.Webhook, o.Observe = h.receiver(), func(_ string, r Result) { results <- r } })
	f.key("a")
	f.after(31 * day)
	assert.Equal(t, Dropped, <-results)
}

func TestARedirectThatKeepsTheMethodIsFollowed(t *testing.T) {
	h := newHook(t)
	gate := httptest.NewServer(http.RedirectHandler(h.URL, http.StatusPermanentRedirect))
	t.Cleanup(gate.Close)
	f := newFixture(t, func(o *Options) { o.Webhook = &Receiver{URL: gate.URL, Client: gate.Client()} })
	f.key("a")
	f.after(31 * day)
	h.await(t, 1)
	assert.Equal(t, []string{"firing key_unused"}, h.notices())
}

// The webhook is down, and so is the store, once.
func TestANoticeThatCouldNotBeKeptIsKeptLater(t *testing.T) {
	h := newHook(t)
	h.set(func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) })
	broken := &failingKV{}
	f := newFixture(t, func(o *Options) {
		broken.Store = o.Store
		o.Store, o.Webhook = broken, h.receiver()
	})
	f.key("a")
	onFire := errors.New("disk on fire")
	broken.err.Store(&onFire)
	f.now = f.now.Add(31 * day)
	require.ErrorIs(t, f.Evaluate(t.Context()), onFire)
	broken.err.Store(nil)
	f.after(time.Minute)
	f.restart()
	h.set(nil)
	h.await(t, 1)
	assert.Equal(t, []string{"firing key_unused"}, h.notices())
}

// A backup that was restored, or a new store, may know less keys than were judged.
func TestAlertsOfKeysThatAreGoneEnd(t *testing.T) {
	f := newFixture(t)
	f.key("a")
	f.after(31 * day)
	require.Len(t, f.firingNow(), 1)
	f.Shutdown()
	f.options.Keys = storetest.NewMemory()
	f.start()
	f.evaluate()
	assert.Empty(t, f.firingNow())
}

func TestAlertsOfKeysOnPagesThatCannotBeReadStay(t *testing.T) {
	f := newFixture(t)
	f.key("a")
	f.after(31 * day)
	f.Shutdown()
	f.options.Keys = unreadable{f.keys}
	f.start()
	require.Error(t, f.Evaluate(t.Context()))
	assert.Len(t, f.firingNow(), 1)
}

type unreadable struct{ store.Store }

func (unreadable) ListKeys(context.Context, store.KeyFilter, store.Page) (store.KeyPage, error) {
	return store.KeyPage{}, errors.New("disk on fire")
}

// What goes from memory goes from the store.
func TestAlertsThatAreForgottenAreNotKept(t *testing.T) {
	s := kvtest.NewMemory()
	b := newBook(s)
	now := time.Now().UTC()
	for i := range maxResolved + 5 {
		k := &store.Key{ID: fmt.Sprintf("key_%d", i)}
		b.judged(k, []finding{{kind: KeyUnused}}, now)
		b.judged(k, nil, now.Add(time.Duration(i)))
	}
	require.NoError(t, b.keep(t.Context(), nil))
	require.NoError(t, b.forget(t.Context(), now))
	kept := 0
	require.NoError(t, s.Walk(t.Context(), kv.Range{Prefix: []byte(alertPrefix)}, func(_, _ []byte) (bool, error) {
		kept++
		return true, nil
	}))
	assert.Equal(t, maxResolved, kept)
}

func TestACountryThatCouldNotBeKeptIsKeptLater(t *testing.T) {
	s := &failingKV{Store: kvtest.NewMemory()}
	known := newSightings(s)
	now := time.Now().UTC()
	onFire := errors.New("disk on fire")
	s.err.Store(&onFire)
	seenOnce := []access.Count{{Group: access.Group{KeyID: "a", Outcome: access.Accepted, Minute: now.Unix() / 60}, Country: "FR"}}
	require.Error(t, known.note(t.Context(), seenOnce, now))
	s.err.Store(nil)
	require.NoError(t, known.note(t.Context(), nil, now.Add(2*day)))
	again, err := newSightings(s).list(t.Context(), "a")
	require.NoError(t, err)
	require.Len(t, again, 1)
	assert.Equal(t, "FR", again[0].Country)
}

// Alertmanager takes an alert to have ended that it is not told of for five
// minutes, and keys in use are known for twenty.
func TestEvaluationsAreNeverTooFarApart(t *testing.T) {
	assert.Equal(t, interval, pauseAfter(0))
	assert.Equal(t, 200*time.Second, pauseAfter(2*time.Second))
	for _, took := range []time.Duration{5 * time.Second, time.Minute, time.Hour} {
		assert.LessOrEqual(t, pauseAfter(took), lately/2, "after %s", took)
	}
}

func TestAlertmanagerIsToldAgainBetweenEvaluations(t *testing.T) {
	told := make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { told <- struct{}{} }))
	t.Cleanup(server.Close)
	m := newAlertmanager(Receiver{URL: server.URL, Client: server.Client()}, zap.NewNop(), func(string, Result) {})
	m.every = 10 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); m.run(ctx) }()
	m.tell([]Alert{{ID: "a", Kind: KeyUnused, State: Firing, StartedAt: time.Now()}}, time.Now())
	for range 3 {
		<-told
	}
	cancel()
	<-ended
}

func FuzzHowLongAReceiverAsksToWait(f *testing.F) {
	for _, text := range []string{"", "7", "-1", "9223372036854775807", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		after := refusalOf(&http.Response{Header: http.Header{"Retry-After": {text}}}).after
		assert.GreaterOrEqual(t, after, time.Duration(0))
		assert.LessOrEqual(t, after, longestAsked)
	})
}
