package gate

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otlpgate/otlpgate/internal/clientip"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/keyring"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
	"github.com/otlpgate/otlpgate/internal/throttle"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

// source is a store in memory that counts its reads.
type source struct {
	mu    sync.Mutex
	keys  map[store.Digest]store.Key
	reads int
}

func (s *source) KeyByDigest(_ context.Context, d store.Digest) (store.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	key, ok := s.keys[d]
	if !ok {
		return store.Key{}, store.ErrNotFound
	}
	return key, nil
}

func (s *source) User(context.Context, string) (store.User, error) {
	return store.User{}, store.ErrNotFound
}

type fixture struct {
	*Gate
	source *source
	ring   *keyring.Keyring
	now    time.Time
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{source: &source{keys: map[store.Digest]store.Key{}}, now: epoch}
	clock := func() time.Time { return f.now }
	plans, err := limit.NewPlans(nil, limit.DefaultPlan)
	require.NoError(t, err)
	ring, err := keyring.New(keyring.Options{Source: f.source, MaxKeys: 1000, Plans: plans, Now: clock})
	require.NoError(t, err)
	t.Cleanup(ring.Close)
	headers, err := credential.NewHeaders(nil)
	require.NoError(t, err)
	f.ring = ring
	f.Gate = New(Options{
		Headers: headers, Keyring: ring, Now: clock,
		Clients:  clientip.NewResolver([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}),
		Throttle: throttle.New(throttle.Options{Burst: 3, PerSecond: 1, MaxAddresses: 100}),
	})
	return f
}

func (f *fixture) key(edit ...func(*store.Key)) string {
	secret := credential.Format{}.Mint(credential.Live)
	k := store.Key{
		ID: "key_a", Type: identity.SystemKey, Role: identity.AdminRole, Scopes: []identity.Scope{identity.TracesWrite},
		Secrets: []store.Secret{{Digest: store.Digest(secret.Digest())}},
	}
	for _, e := range edit {
		e(&k)
	}
	f.source.keys[store.Digest(secret.Digest())] = k
	return secret.Reveal()
}

func request(secret string) Request {
	return Request{Headers: map[string][]string{"X-Api-Key": {secret}}, Peer: netip.MustParseAddr("192.0.2.1")}
}

func mint() string { return credential.Format{}.Mint(credential.Live).Reveal() }

func TestBadCredentialsAreRefusedWithoutTheStore(t *testing.T) {
	f := newFixture(t)
	good := f.key()
	broken := good[:len(good)-1] + "!"
	for name, tt := range map[string]struct {
		headers map[string][]string
		want    identity.Reason
	}{
		"none":        {nil, identity.NoCredential},
		"empty":       {map[string][]string{"X-Api-Key": {""}}, identity.NoCredential},
		"shape":       {map[string][]string{"X-Api-Key": {broken}}, identity.MalformedCredential},
		"checksum":    {map[string][]string{"X-Api-Key": {good[:len(good)-6] + "000000"}}, identity.MalformedCredential},
		"scheme":      {map[string][]string{"Authorization": {"Basic Zm9v"}}, identity.MalformedCredential},
		"conflict":    {map[string][]string{"X-Api-Key": {good, mint()}}, identity.ConflictingKeys},
		"two headers": {map[string][]string{"X-Api-Key": {good}, "Authorization": {"Bearer " + mint()}}, identity.ConflictingKeys},
	} {
		t.Run(name, func(t *testing.T) {
			a, refusal := f.Authenticate(t.Context(), Request{Headers: tt.headers})
			assert.Nil(t, a)
			require.NotNil(t, refusal)
			assert.Equal(t, tt.want, refusal.Reason)
			a, fromMemory, decided := f.AuthenticateFromMemory(Request{Headers: tt.headers})
			assert.Nil(t, a)
			assert.True(t, decided)
			assert.Equal(t, refusal, fromMemory)
		})
	}
	assert.Zero(t, f.source.reads)
}

func TestRefusalsNameTheConfiguredHeadersAndPrefix(t *testing.T) {
	headers, err := credential.NewHeaders([]string{"X-Team-Key"})
	require.NoError(t, err)
	g := New(Options{Format: credential.Format{Prefix: "acme"}, Headers: headers})
	_, refusal := g.Authenticate(t.Context(), Request{})
	require.NotNil(t, refusal)
	assert.Contains(t, refusal.Message, "`x-team-key: <key>`")
	assert.NotContains(t, refusal.Message, "authorization")
	_, refusal = g.Authenticate(t.Context(), Request{Headers: map[string][]string{"X-Team-Key": {mint()}}})
	require.NotNil(t, refusal)
	assert.Contains(t, refusal.Message, "acme_<live|test|sys>_")
	assert.NotContains(t, refusal.Message, "px_")
}

func TestMemoryDecidesOnlyWhatItHolds(t *testing.T) {
	f := newFixture(t)
	r := request(f.key())
	_, _, decided := f.AuthenticateFromMemory(r)
	assert.False(t, decided)
	assert.Zero(t, f.source.reads, "it never reads the store")
	_, refusal := f.Authenticate(t.Context(), r)
	require.Nil(t, refusal)
	require.Eventually(t, func() bool {
		a, refusal, decided := f.AuthenticateFromMemory(r)
		return decided && refusal == nil && a.KeyID == "key_a"
	}, 5*time.Second, time.Millisecond)
}

func TestTheAddressIsThatOfTheClientBehindTrustedProxies(t *testing.T) {
	f := newFixture(t)
	secret := f.key(func(k *store.Key) { k.AllowedIPs = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")} })
	for name, tt := range map[string]struct {
		peer, forwarded string
		allowed         bool
	}{
		"direct, allowed":        {"198.51.100.7", "", true},
		"direct, not allowed":    {"192.0.2.1", "", false},
		"through a proxy":        {"10.0.0.1", "198.51.100.7", true},
		"proxy, other client":    {"10.0.0.1", "192.0.2.1", false},
		"claimed by a stranger":  {"192.0.2.1", "198.51.100.7", false},
		"claimed past the proxy": {"10.0.0.1", "198.51.100.7, 192.0.2.1", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := Request{Headers: map[string][]string{"X-Api-Key": {secret}}, Peer: netip.MustParseAddr(tt.peer)}
			if tt.forwarded != "" {
				r.Headers["X-Forwarded-For"] = []string{tt.forwarded}
			}
			a, refusal := f.Authenticate(t.Context(), r)
			require.Nil(t, refusal)
			got := f.Authorize(a, identity.Traces)
			if tt.allowed {
				assert.Nil(t, got)
				return
			}
			require.NotNil(t, got)
			assert.Equal(t, identity.AddressNotAllowed, got.Reason)
		})
	}
}

func TestAnUnknownAddressIsNotAllowedWhereAddressesAreRestricted(t *testing.T) {
	f := newFixture(t)
	r := request(f.key(func(k *store.Key) { k.AllowedIPs = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")} }))
	r.Peer = netip.Addr{}
	a, refusal := f.Authenticate(t.Context(), r)
	require.Nil(t, refusal)
	assert.NotNil(t, f.Authorize(a, identity.Traces))
}

func TestAuthorizeChecksTheScopeOfTheSignal(t *testing.T) {
	f := newFixture(t)
	a, refusal := f.Authenticate(t.Context(), request(f.key()))
	require.Nil(t, refusal)
	for signal, allowed := range map[identity.Signal]bool{
		identity.Traces: true, identity.Metrics: false, identity.Logs: false, identity.Profiles: false, identity.SignalUnknown: true,
	} {
		got := f.Authorize(a, signal)
		assert.Equal(t, allowed, got == nil, signal)
		if !allowed {
			assert.Equal(t, identity.MissingScope, got.Reason)
			assert.Contains(t, got.Message, signal.String()+":write")
		}
	}
}

func TestGuessingIsThrottledPerAddress(t *testing.T) {
	f := newFixture(t)
	held := request(f.key())
	_, refusal := f.Authenticate(t.Context(), held)
	require.Nil(t, refusal)
	require.Eventually(t, func() bool { _, _, ok := f.AuthenticateFromMemory(held); return ok }, 5*time.Second, time.Millisecond)

	guess := func(addr string) *identity.Denial {
		r := request(mint())
		r.Peer = netip.MustParseAddr(addr)
		_, refusal := f.Authenticate(t.Context(), r)
		return refusal
	}
	for range 3 {
		assert.Equal(t, identity.UnknownKey, guess("192.0.2.1").Reason)
	}
	reads := f.source.reads
	throttled := guess("192.0.2.1")
	assert.Equal(t, identity.TooManyFailures, throttled.Reason)
	assert.Equal(t, reads, f.source.reads, "what is throttled costs no read")
	_, early, decided := f.AuthenticateFromMemory(request(mint()))
	assert.True(t, decided, "nor the decoding of the request")
	assert.Equal(t, throttled, early)
	assert.Equal(t, identity.UnknownKey, guess("192.0.2.2").Reason, "others are not concerned")
	_, refusal = f.Authenticate(t.Context(), held)
	assert.Nil(t, refusal, "keys in memory are not concerned")

	f.now = f.now.Add(throttled.RetryAfter)
	assert.Equal(t, identity.UnknownKey, guess("192.0.2.1").Reason, "the wait was true")
}

func TestGuessesBehindATrustedProxyAreChargedToTheClient(t *testing.T) {
	f := newFixture(t)
	guess := func(client string) identity.Reason {
		r := Request{Peer: netip.MustParseAddr("10.0.0.1"), Headers: map[string][]string{"X-Api-Key": {mint()}, "X-Forwarded-For": {client}}}
		_, refusal := f.Authenticate(t.Context(), r)
		return refusal.Reason
	}
	for range 3 {
		assert.Equal(t, identity.UnknownKey, guess("198.51.100.7"))
	}
	assert.Equal(t, identity.TooManyFailures, guess("198.51.100.7"))
	assert.Equal(t, identity.UnknownKey, guess("198.51.100.8"))
}

func TestKnownKeysThatAreRefusedAreNotGuesses(t *testing.T) {
	f := newFixture(t)
	for range 10 {
		r := request(f.key(func(k *store.Key) { k.RevokedAt = epoch }))
		_, refusal := f.Authenticate(t.Context(), r)
		require.NotNil(t, refusal)
		assert.Equal(t, identity.RevokedKey, refusal.Reason)
	}
}

func TestAnAdmissionIsOfItsGateAlone(t *testing.T) {
	f, other := newFixture(t), newFixture(t)
	a, refusal := f.Authenticate(t.Context(), request(f.key()))
	require.Nil(t, refusal)
	assert.True(t, a.IssuedBy(f.Gate))
	assert.False(t, a.IssuedBy(other.Gate))
}
