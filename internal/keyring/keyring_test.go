package keyring

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source is a store in memory that counts its reads and can fail or block.
type source struct {
	mu    sync.Mutex
	keys  map[store.Digest]store.Key
	users map[string]store.User
	err   error
	reads atomic.Int64
	// entered and leave, where set, stop a read after it has read.
	entered, leave chan struct{}
}

func newSource() *source {
	return &source{keys: map[store.Digest]store.Key{}, users: map[string]store.User{
		"ada": {ID: "ada", Role: identity.Member, Active: true},
	}}
}

func (s *source) KeyByDigest(ctx context.Context, d store.Digest) (store.Key, error) {
	s.reads.Add(1)
	s.mu.Lock()
	key, ok := s.keys[d]
	err, entered, leave := s.err, s.entered, s.leave
	s.mu.Unlock()
	if entered != nil {
		entered <- struct{}{}
		select {
		case <-leave:
		case <-ctx.Done():
			return store.Key{}, ctx.Err()
		}
	}
	if err != nil {
		return store.Key{}, err
	}
	if !ok {
		return store.Key{}, store.ErrNotFound
	}
	return key, nil
}

func (s *source) User(_ context.Context, id string) (store.User, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.users[id]
	if !ok {
		return store.User{}, store.ErrNotFound
	}
	return u, nil
}

func (s *source) set(f func(*source)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func (s *source) put(k store.Key) {
	s.set(func(s *source) {
		for _, secret := range k.Secrets {
			s.keys[secret.Digest] = k
		}
	})
}

var epoch = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return epoch.Add(time.Duration(c.at.Load())) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

func newRing(t testing.TB, s Source, edit ...func(*Options)) (*Keyring, *clock) {
	t.Helper()
	c := &clock{}
	plans, err := limit.NewPlans(nil, limit.DefaultPlan)
	require.NoError(t, err)
	o := Options{Source: s, MaxKeys: 1000, NegativeTTL: 10 * time.Second, Plans: plans, Now: c.now}
	for _, f := range edit {
		f(&o)
	}
	k, err := New(o)
	require.NoError(t, err)
	t.Cleanup(k.Close)
	return k, c
}

func digestOf(int) credential.Digest {
	return credential.Format{}.Mint(credential.Live).Digest()
}

func userKey(d credential.Digest) store.Key {
	return store.Key{
		ID: "key_a", Name: "a", Type: identity.UserKey, Environment: identity.Live, OwnerID: "ada",
		Scopes: []identity.Scope{identity.TracesWrite}, Secrets: []store.Secret{{Digest: store.Digest(d)}},
	}
}

// settle waits until the caches have taken in what they were given.
func settle(k *Keyring) {
	k.cache.known.Wait()
	k.cache.unknown.Wait()
}

func reasonOf(r *identity.Refusal) identity.Reason {
	if r == nil {
		return ""
	}
	return r.Reason
}

func TestLookupAnswersByTheStateOfKeyAndOwner(t *testing.T) {
	d := digestOf(0)
	tests := []struct {
		name string
		key  func(*store.Key)
		user func(*store.User)
		want identity.Reason
	}{
		{name: "valid"},
		{name: "revoked", key: func(k *store.Key) { k.RevokedAt = epoch }, want: identity.RevokedKey},
		{name: "revoked and expired", key: func(k *store.Key) { k.RevokedAt, k.ExpiresAt = epoch, epoch }, want: identity.RevokedKey},
		{name: "expired", key: func(k *store.Key) { k.ExpiresAt = epoch }, want: identity.ExpiredKey},
		{name: "expires later", key: func(k *store.Key) { k.ExpiresAt = epoch.Add(time.Second) }},
		{name: "secret at end of grace", key: func(k *store.Key) { k.Secrets[0].ExpiresAt = epoch }, want: identity.ExpiredKey},
		{name: "withdrawn", key: func(k *store.Key) { k.Withdrawn = true }, want: identity.DisabledKey},
		{name: "owner deactivated", user: func(u *store.User) { u.Active = false }, want: identity.DisabledKey},
		{name: "owner deleted", user: func(u *store.User) { u.DeletedAt = epoch }, want: identity.DisabledKey},
		{name: "owner missing", key: func(k *store.Key) { k.OwnerID = "nobody" }, want: identity.DisabledKey},
		{name: "system key needs no owner", key: func(k *store.Key) {
			k.Type, k.OwnerID, k.Role = identity.SystemKey, "", identity.AdminRole
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, key, user := newSource(), userKey(d), store.User{ID: "ada", Role: identity.Member, Active: true}
			if tt.key != nil {
				tt.key(&key)
			}
			if tt.user != nil {
				tt.user(&user)
			}
			s.put(key)
			s.set(func(s *source) { s.users["ada"] = user })
			ring, _ := newRing(t, s)
			for _, from := range []string{"store", "memory"} {
				id, refusal := ring.Lookup(t.Context(), d)
				assert.Equal(t, tt.want, reasonOf(refusal), from)
				assert.Equal(t, tt.want != identity.UnknownKey, id != nil, "whose it is, is known of a key that exists: %s", from)
				settle(ring)
			}
			assert.EqualValues(t, 1, s.reads.Load(), "the second look-up is answered from memory")
		})
	}
}

func TestEffectiveScopesNeverExceedTheRole(t *testing.T) {
	tests := []struct {
		name   string
		scopes []identity.Scope
		role   identity.Role
		want   []identity.Scope
	}{
		{"within", []identity.Scope{identity.TracesWrite}, identity.Member, []identity.Scope{identity.TracesWrite}},
		{"write as viewer", []identity.Scope{identity.TracesWrite, identity.TracesRead}, identity.Viewer, []identity.Scope{identity.TracesRead}},
		{"admin as member", []identity.Scope{identity.Admin}, identity.Member, identity.Member.Scopes().List()},
		{"admin as admin", []identity.Scope{identity.Admin}, identity.AdminRole, []identity.Scope{identity.Admin}},
		{"unknown role", []identity.Scope{identity.Admin}, "", []identity.Scope{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, d := newSource(), digestOf(0)
			key := userKey(d)
			key.Scopes = tt.scopes
			s.put(key)
			s.set(func(s *source) { s.users["ada"] = store.User{ID: "ada", Role: tt.role, Active: true} })
			ring, _ := newRing(t, s)
			id, refusal := ring.Lookup(t.Context(), d)
			require.Nil(t, refusal)
			assert.Equal(t, tt.want, id.Scopes.List())
		})
	}
}

func TestExpiryIsExactForCachedKeys(t *testing.T) {
	s, d := newSource(), digestOf(0)
	key := userKey(d)
	key.ExpiresAt = epoch.Add(time.Hour)
	s.put(key)
	ring, c := newRing(t, s)
	for _, step := range []struct {
		advance time.Duration
		want    identity.Reason
	}{{0, ""}, {time.Hour - time.Nanosecond, ""}, {time.Nanosecond, identity.ExpiredKey}} {
		c.advance(step.advance)
		_, refusal := ring.Lookup(t.Context(), d)
		assert.Equal(t, step.want, reasonOf(refusal))
		settle(ring)
	}
	assert.EqualValues(t, 1, s.reads.Load())
}

func TestChangesTakeEffectAtOnce(t *testing.T) {
	d := digestOf(0)
	tests := []struct {
		name   string
		change func(*source, *Keyring)
		want   identity.Reason
	}{
		{"key revoked", func(s *source, k *Keyring) {
			key := userKey(d)
			key.RevokedAt = epoch
			s.put(key)
			k.ForgetKey(store.Digest(d))
		}, identity.RevokedKey},
		{"owner deactivated", func(s *source, k *Keyring) {
			s.set(func(s *source) { s.users["ada"] = store.User{ID: "ada", Role: identity.Member} })
			k.ForgetOwner("ada")
		}, identity.DisabledKey},
		{"secret removed", func(s *source, k *Keyring) {
			s.set(func(s *source) { delete(s.keys, store.Digest(d)) })
			k.ForgetKey(store.Digest(d))
		}, identity.UnknownKey},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSource()
			s.put(userKey(d))
			ring, _ := newRing(t, s)
			_, refusal := ring.Lookup(t.Context(), d)
			require.Nil(t, refusal)
			settle(ring)
			tt.change(s, ring)
			for range 3 { // from the store, then from memory
				_, refusal = ring.Lookup(t.Context(), d)
				assert.Equal(t, tt.want, reasonOf(refusal))
				settle(ring)
			}
			assert.LessOrEqual(t, s.reads.Load(), int64(2), "the refusal is remembered too")
		})
	}
}

func TestAReadInFlightDuringRevocationDoesNotPutTheKeyBack(t *testing.T) {
	s, d := newSource(), digestOf(0)
	s.put(userKey(d))
	s.entered, s.leave = make(chan struct{}, 1), make(chan struct{})
	ring, _ := newRing(t, s)

	first := make(chan *identity.Refusal)
	go func() {
		_, refusal := ring.Lookup(context.Background(), d)
		first <- refusal
	}()
	<-s.entered // it has read the valid key and hangs
	revoked := userKey(d)
	revoked.RevokedAt = epoch
	s.put(revoked)
	s.set(func(s *source) { s.entered = nil })
	ring.ForgetKey(store.Digest(d))

	_, refusal := ring.Lookup(t.Context(), d)
	assert.Equal(t, identity.RevokedKey, reasonOf(refusal), "a look-up after the revocation does not join the flight before it")
	settle(ring) // so that the flight finds an entry to replace
	close(s.leave)
	assert.Nil(t, <-first, "the request that was in flight may pass")
	settle(ring)
	_, refusal = ring.Lookup(t.Context(), d)
	assert.Equal(t, identity.RevokedKey, reasonOf(refusal), "what the flight read is outdated")
}

// slowUsers is a source whose reads of users can fail, or be stopped after they
// have read.
type slowUsers struct {
	*source
	entered, leave chan struct{}
	err            error
}

func (s *slowUsers) User(ctx context.Context, id string) (store.User, error) {
	user, err := s.source.User(ctx, id)
	if s.entered != nil {
		s.entered <- struct{}{}
		<-s.leave
	}
	return user, errors.Join(s.err, err)
}

func TestALookupAfterAnOwnersChangeDoesNotJoinAReadFromBeforeIt(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s, d := &slowUsers{source: newSource(), entered: entered, leave: leave}, digestOf(0)
	s.put(userKey(d))
	ring, _ := newRing(t, s)
	first := make(chan *identity.Refusal)
	go func() {
		_, refusal := ring.Lookup(context.Background(), d)
		first <- refusal
	}()
	<-entered // it has read the active owner and hangs
	s.set(func(s *source) { s.users["ada"] = store.User{ID: "ada", Role: identity.Member} })
	s.entered = nil
	ring.ForgetOwner("ada")

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, refusal := ring.Lookup(ctx, d)
	assert.Equal(t, identity.DisabledKey, reasonOf(refusal))
	settle(ring) // so that the flight finds an entry to replace
	close(leave)
	assert.Nil(t, <-first, "the request that was in flight may pass")
	settle(ring)
	_, refusal = ring.Lookup(t.Context(), d)
	assert.Equal(t, identity.DisabledKey, reasonOf(refusal), "what the flight read is outdated")
}

func TestClosingWhileReadsAreUnderWayIsSafe(t *testing.T) {
	for range 50 {
		c, err := newCache(10)
		require.NoError(t, err)
		var reads sync.WaitGroup
		for range 4 {
			reads.Go(func() {
				for range 200 {
					c.set(&entry{digest: digestOf(0)})
				}
			})
		}
		c.close()
		reads.Wait()
	}
}

func TestConcurrentMissesReadTheStoreOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newSource(), digestOf(0)
		s.put(userKey(d))
		s.entered, s.leave = make(chan struct{}, 100), make(chan struct{})
		ring, _ := newRing(t, s)
		var done sync.WaitGroup
		for range 50 {
			done.Go(func() {
				_, refusal := ring.Lookup(context.Background(), d)
				assert.Nil(t, refusal)
			})
		}
		synctest.Wait() // one is in the store, the others wait for it
		close(s.leave)
		done.Wait()
		assert.EqualValues(t, 1, s.reads.Load())
	})
}

func TestUnknownKeysAreRememberedForTheirTime(t *testing.T) {
	s, d := newSource(), digestOf(0)
	ring, c := newRing(t, s)
	look := func() identity.Reason {
		_, refusal := ring.Lookup(t.Context(), d)
		settle(ring)
		return reasonOf(refusal)
	}
	assert.Equal(t, identity.UnknownKey, look())
	c.advance(10*time.Second - 1)
	assert.Equal(t, identity.UnknownKey, look())
	assert.EqualValues(t, 1, s.reads.Load())
	c.advance(1)
	s.put(userKey(d))
	assert.Empty(t, look(), "the time is over")
}

func TestACreatedKeyWorksAtOnceThoughItWasUnknown(t *testing.T) {
	s, d := newSource(), digestOf(0)
	ring, _ := newRing(t, s)
	_, refusal := ring.Lookup(t.Context(), d)
	require.Equal(t, identity.UnknownKey, reasonOf(refusal))
	settle(ring)
	s.put(userKey(d))
	ring.ForgetKey(store.Digest(d))
	_, refusal = ring.Lookup(t.Context(), d)
	assert.Nil(t, refusal)
}

func TestAStoreOutageIsRetryableAndServesWhatIsHeld(t *testing.T) {
	s, held, other := newSource(), digestOf(0), digestOf(1)
	s.put(userKey(held))
	ring, _ := newRing(t, s)
	_, refusal := ring.Lookup(t.Context(), held)
	require.Nil(t, refusal)
	settle(ring)

	s.set(func(s *source) { s.err = errors.New("disk on fire") })
	_, refusal = ring.Lookup(t.Context(), held)
	assert.Nil(t, refusal)
	_, refusal = ring.Lookup(t.Context(), other)
	require.Equal(t, identity.KeyUnresolvable, reasonOf(refusal))
	assert.GreaterOrEqual(t, refusal.RetryAfter, time.Second)
	assert.NotContains(t, refusal.Message, "fire")

	s.set(func(s *source) { s.err = nil })
	_, refusal = ring.Lookup(t.Context(), other)
	assert.Equal(t, identity.UnknownKey, reasonOf(refusal), "a failure is not remembered")
}

func TestAnOwnerThatCannotBeReadIsNotTakenForMissing(t *testing.T) {
	s, d := &slowUsers{source: newSource(), err: errors.New("disk on fire")}, digestOf(0)
	s.put(userKey(d))
	ring, _ := newRing(t, s)
	_, refusal := ring.Lookup(t.Context(), d)
	assert.Equal(t, identity.KeyUnresolvable, reasonOf(refusal))
	s.err = nil
	_, refusal = ring.Lookup(t.Context(), d)
	assert.Nil(t, refusal)
}

func TestACallerThatGivesUpDoesNotEndTheReadOfOthers(t *testing.T) {
	s, d := newSource(), digestOf(0)
	s.put(userKey(d))
	s.entered, s.leave = make(chan struct{}, 1), make(chan struct{})
	ring, _ := newRing(t, s)
	impatient, giveUp := context.WithCancel(t.Context())
	first := make(chan *identity.Refusal)
	go func() { _, r := ring.Lookup(impatient, d); first <- r }()
	<-s.entered
	giveUp()
	assert.Equal(t, identity.KeyUnresolvable, reasonOf(<-first))
	close(s.leave)
	require.Eventually(t, func() bool { _, _, ok := ring.Cached(d); return ok }, 5*time.Second, time.Millisecond)
	assert.EqualValues(t, 1, s.reads.Load())
}

func TestAStoreThatHangsIsGivenUpInTime(t *testing.T) {
	s, d := newSource(), digestOf(0)
	s.entered, s.leave = make(chan struct{}, 1), make(chan struct{})
	ring, _ := newRing(t, s, func(o *Options) { o.StoreTimeout = time.Millisecond })
	_, refusal := ring.Lookup(t.Context(), d)
	assert.Equal(t, identity.KeyUnresolvable, reasonOf(refusal))
}

func TestACacheSlotSharedByTwoDigestsServesNeitherForTheOther(t *testing.T) {
	s := newSource()
	a := digestOf(0)
	b := a
	b[31] ^= 1 // the slot is made of the first bytes
	require.Equal(t, slot(a), slot(b))
	s.put(userKey(a))
	ring, _ := newRing(t, s)
	for range 3 {
		_, refusal := ring.Lookup(t.Context(), a)
		assert.Nil(t, refusal)
		settle(ring)
		_, refusal = ring.Lookup(t.Context(), b)
		assert.Equal(t, identity.UnknownKey, reasonOf(refusal))
		settle(ring)
	}
}

func TestAStoreThatAnswersWithAnotherKeyIsNotBelieved(t *testing.T) {
	s, d := newSource(), digestOf(0)
	other := userKey(digestOf(1))
	s.set(func(s *source) { s.keys[store.Digest(d)] = other })
	ring, _ := newRing(t, s)
	_, refusal := ring.Lookup(t.Context(), d)
	assert.Equal(t, identity.KeyUnresolvable, reasonOf(refusal))
}

func TestGuessingDoesNotPushOutKnownKeys(t *testing.T) {
	s, d := newSource(), digestOf(0)
	s.put(userKey(d))
	ring, _ := newRing(t, s)
	_, refusal := ring.Lookup(t.Context(), d)
	require.Nil(t, refusal)
	settle(ring)
	for i := range 4 * maxUnknown {
		var guess credential.Digest
		copy(guess[:], fmt.Sprintf("%032d", i))
		ring.Lookup(t.Context(), guess)
	}
	before := s.reads.Load()
	_, refusal = ring.Lookup(t.Context(), d)
	assert.Nil(t, refusal)
	assert.Equal(t, before, s.reads.Load())
}

func TestDefaultPlanStandsInForNone(t *testing.T) {
	for plan, want := range map[string]string{"": "free", "pro": "pro"} {
		assert.Equal(t, want, identityOfKey(t, func(k *store.Key) { k.Plan = plan }).Plan)
	}
}

// identityOfKey returns what a key of ada's stands for.
func identityOfKey(t *testing.T, edit func(*store.Key)) *identity.Identity {
	t.Helper()
	s, d := newSource(), digestOf(0)
	key := userKey(d)
	edit(&key)
	s.put(key)
	ring, _ := newRing(t, s)
	id, refusal := ring.Lookup(t.Context(), d)
	require.Nil(t, refusal)
	return id
}

func TestLimitsAreThoseOfThePlanAndTheKeysOwnInPlaceOfThem(t *testing.T) {
	perMinute := func(on limit.Traffic, n int64) limit.Limit {
		return limit.Limit{On: on, Unit: limit.Requests, Max: n, Window: limit.Window(time.Minute)}
	}
	own := limit.Limit{On: limit.Ingest, Unit: limit.Requests, Max: 7, Window: limit.LongWindow}
	for name, tt := range map[string]struct {
		plan        string
		own         []limit.Limit
		want        []limit.Limit
		concurrency int
	}{
		"no plan":                       {"", nil, []limit.Limit{perMinute(limit.Ingest, 100), perMinute(limit.API, 60)}, 5},
		"a plan":                        {"pro", nil, []limit.Limit{perMinute(limit.Ingest, 1000), perMinute(limit.API, 300)}, 20},
		"a plan that is not there":      {"gone", nil, []limit.Limit{perMinute(limit.Ingest, 100), perMinute(limit.API, 60)}, 5},
		"an unlimited plan":             {"enterprise", nil, nil, 0},
		"limits of its own":             {"pro", []limit.Limit{own}, []limit.Limit{perMinute(limit.API, 300), own}, 20},
		"limits of its own alone":       {"enterprise", []limit.Limit{own}, []limit.Limit{own}, 0},
		"its own on a plan that is not": {"gone", []limit.Limit{own}, []limit.Limit{perMinute(limit.API, 60), own}, 5},
	} {
		id := identityOfKey(t, func(k *store.Key) { k.Plan, k.Limits = tt.plan, tt.own })
		assert.Equal(t, tt.want, id.Limits.Limits(), name)
		assert.Equal(t, tt.concurrency, id.Limits.Concurrency(), name)
	}
}

func TestNoKeyringWithoutPlans(t *testing.T) {
	_, err := New(Options{Source: newSource(), MaxKeys: 1})
	assert.EqualError(t, err, "make keyring: Plans is required")
}
