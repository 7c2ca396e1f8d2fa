// Package gate decides who is let through: it finds the credential in a
// request's headers, resolves it, and checks address and scope. The doors, one
// per transport, only translate what it decides.
package gate

import (
	"context"
	"net/netip"
	"time"

	"github.com/otlpgate/otlpgate/internal/clientip"
	"github.com/otlpgate/otlpgate/internal/credential"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/keyring"
	"github.com/otlpgate/otlpgate/internal/limit"
	"github.com/otlpgate/otlpgate/internal/throttle"
)

// Options configure a gate; all fields but the clocks are required.
type Options struct {
	Format   credential.Format
	Headers  credential.Headers
	Keyring  *keyring.Keyring
	Clients  *clientip.Resolver
	Throttle *throttle.Throttle
	// Counter counts what keys spend, by the time of Clock, which must not go
	// back; nil means time.Now.
	Counter limit.Counter
	Clock   func() time.Time
	Now     func() time.Time // nil means time.Now
	// Uses is told of every admission; nil means nobody is.
	Uses Uses
}

// Uses learns when keys are used. Implementations MUST be fast and safe for
// concurrent use.
type Uses interface {
	Used(id *identity.Identity, at time.Time)
}

// Gate admits requests. It is safe for concurrent use.
type Gate struct {
	format   credential.Format
	headers  credential.Headers
	keyring  *keyring.Keyring
	clients  *clientip.Resolver
	throttle *throttle.Throttle
	counter  limit.Counter
	clock    func() time.Time
	now      func() time.Time
	uses     Uses // nil: nobody is told
}

// New returns a gate.
func New(o Options) *Gate {
	g := &Gate{
		format: o.Format, headers: o.Headers, keyring: o.Keyring,
		clients: o.Clients, throttle: o.Throttle, counter: o.Counter, clock: o.Clock, now: o.Now, uses: o.Uses,
	}
	if g.now == nil {
		g.now = time.Now
	}
	if g.clock == nil {
		g.clock = time.Now
	}
	return g
}

// Request is what a door knows of a request before its body.
type Request struct {
	// Headers are HTTP headers or gRPC metadata.
	Headers map[string][]string
	// Peer is the other end of the connection; invalid where unknown.
	Peer netip.Addr
}

// Authenticate says whose request it is; exactly one of its results is set. An
// admission from an address that the key does not allow is returned with that
// refusal recorded in it.
func (g *Gate) Authenticate(ctx context.Context, r Request) (*identity.Admission, *identity.Denial) {
	secret, refusal := g.credential(r)
	return g.authenticate(ctx, r, secret, refusal)
}

// AuthenticateKey is Authenticate with a key that came by other means than the
// headers: a form.
func (g *Gate) AuthenticateKey(ctx context.Context, r Request, key string) (*identity.Admission, *identity.Denial) {
	secret, refusal := g.parse(key)
	return g.authenticate(ctx, r, secret, refusal)
}

func (g *Gate) authenticate(ctx context.Context, r Request, secret credential.Secret, refusal *identity.Refusal) (*identity.Admission, *identity.Denial) {
	arrival := g.arrival(r)
	if refusal != nil {
		return nil, &identity.Denial{Refusal: refusal, Arrival: arrival}
	}
	id, refusal := g.resolve(ctx, arrival, secret.Digest())
	if refusal != nil {
		return nil, g.deny(refusal, arrival, id, secret)
	}
	return g.admit(arrival, id), nil
}

// Resume is Authenticate for a key that was presented before, of which the digest
// was kept.
func (g *Gate) Resume(ctx context.Context, r Request, digest credential.Digest) (*identity.Admission, *identity.Denial) {
	arrival := g.arrival(r)
	id, refusal := g.resolve(ctx, arrival, digest)
	if refusal != nil {
		return nil, &identity.Denial{Refusal: refusal, Arrival: arrival, Key: id}
	}
	return g.admit(arrival, id), nil
}

func (g *Gate) resolve(ctx context.Context, arrival identity.Arrival, digest credential.Digest) (*identity.Identity, *identity.Refusal) {
	id, refusal, cached := g.keyring.Cached(digest)
	if !cached {
		id, refusal = g.fetch(ctx, arrival, digest)
	}
	return id, refusal
}

// AuthenticateFromMemory is Authenticate for callers that must not wait for
// the store. It reports false where only the store can tell.
func (g *Gate) AuthenticateFromMemory(r Request) (*identity.Admission, *identity.Denial, bool) {
	arrival := g.arrival(r)
	secret, refusal := g.credential(r)
	if refusal != nil {
		return nil, &identity.Denial{Refusal: refusal, Arrival: arrival}, true
	}
	id, refusal, cached := g.keyring.Cached(secret.Digest())
	if !cached {
		refusal = g.throttled(arrival)
	}
	if refusal != nil {
		return nil, g.deny(refusal, arrival, id, secret), true
	}
	if !cached {
		return nil, nil, false
	}
	return g.admit(arrival, id), nil, true
}

// Authorize checks the scope for signal. It returns the refusal recorded in
// the admission, if any, before one of its own.
func (g *Gate) Authorize(a *identity.Admission, signal identity.Signal) *identity.Refusal {
	if refusal := a.Refused(); refusal != nil {
		return refusal
	}
	if !a.Scopes.CanIngest(signal) {
		return identity.RefuseScope(signal)
	}
	return nil
}

// ClientAddr returns the address of the client behind any trusted proxies.
func (g *Gate) ClientAddr(r Request) netip.Addr { return g.clients.Resolve(r.Peer, r.Headers) }

// deny makes a denial. Of an address that presents many keys which do not exist
// it does not tell them apart: it has a refusal for all of them.
func (g *Gate) deny(refusal *identity.Refusal, arrival identity.Arrival, id *identity.Identity, secret credential.Secret) *identity.Denial {
	d := &identity.Denial{Refusal: refusal, Arrival: arrival, Key: id}
	if id == nil && refusal.Reason != identity.TooManyFailures {
		d.Hint = secret.Hint()
	}
	return d
}

func (g *Gate) arrival(r Request) identity.Arrival {
	return identity.Arrival{At: g.now(), Address: g.ClientAddr(r)}
}

func (g *Gate) admit(arrival identity.Arrival, id *identity.Identity) *identity.Admission {
	a := identity.NewAdmission(id, g)
	a.Arrival = arrival
	a.Tab = limit.NewTab(g.counter, g.clock, id.KeyID, id.Limits)
	if len(id.AllowedIPs) > 0 && !id.AllowsAddress(arrival.Address) {
		a.Refuse(refuseAddress)
		return a // the key was shown where it must not be, which is no use of it
	}
	if g.uses != nil {
		g.uses.Used(id, arrival.At)
	}
	return a
}

// Judge says what a key stands for, wherever it is used from, and does not
// charge it; with a refusal the identity is nil. It is for callers that are
// trusted: guessing is not throttled.
func (g *Gate) Judge(ctx context.Context, key string) (*identity.Identity, *identity.Refusal) {
	secret, refusal := g.parse(key)
	if refusal != nil {
		return nil, refusal
	}
	return g.JudgeDigest(ctx, secret.Digest())
}

// JudgeDigest is Judge for a key of which the digest was kept.
func (g *Gate) JudgeDigest(ctx context.Context, digest credential.Digest) (*identity.Identity, *identity.Refusal) {
	id, refusal := g.keyring.Lookup(ctx, digest)
	if refusal != nil {
		return nil, refusal
	}
	return id, nil
}

// Credential returns the key of a request, the zero Secret where there is none
// in good form.
func (g *Gate) Credential(r Request) credential.Secret {
	secret, _ := g.credential(r)
	return secret
}

// credential finds the key in the headers and checks its form, which needs no
// store.
func (g *Gate) credential(r Request) (credential.Secret, *identity.Refusal) {
	text, err := g.headers.Find(r.Headers)
	if err != nil {
		return credential.Secret{}, refuseCredential(err)
	}
	return g.parse(text)
}

func (g *Gate) parse(text string) (credential.Secret, *identity.Refusal) {
	secret, err := g.format.Parse(text)
	if err != nil {
		return credential.Secret{}, refuseCredential(err)
	}
	return secret, nil
}

// throttled refuses a client that has presented too many unknown keys: what is
// not in memory then waits. It returns nil for any other.
func (g *Gate) throttled(arrival identity.Arrival) *identity.Refusal {
	ok, wait := g.throttle.Allow(arrival.At, arrival.Address)
	if ok {
		return nil
	}
	return identity.NewRetryableRefusal(identity.TooManyFailures,
		"too many unknown API keys from this address: check the configured key, then retry later", wait)
}

// fetch asks the store, unless the client is throttled.
func (g *Gate) fetch(ctx context.Context, arrival identity.Arrival, digest credential.Digest) (*identity.Identity, *identity.Refusal) {
	if refusal := g.throttled(arrival); refusal != nil {
		return nil, refusal
	}
	id, refusal := g.keyring.Fetch(ctx, digest)
	if refusal != nil && refusal.Reason == identity.UnknownKey {
		g.throttle.Fail(g.now(), arrival.Address)
	}
	return id, refusal
}
