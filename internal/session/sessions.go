package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"sync"
	"time"
)

// What the zero Options mean.
const (
	DefaultIdle      = time.Hour
	DefaultAbsolute  = 12 * time.Hour
	DefaultMax       = 10_000
	DefaultPerHolder = 20
)

// Options configure New. A value that is not positive means its default.
type Options struct {
	Idle      time.Duration // after which a session ends that nothing resumes
	Absolute  time.Duration // after which every session ends
	Max       int           // how many there are at once; beyond, the one unused for longest ends
	PerHolder int           // how many of one holder; beyond, likewise
	Now       func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Idle <= 0 {
		o.Idle = DefaultIdle
	}
	if o.Absolute <= 0 {
		o.Absolute = DefaultAbsolute
	}
	if o.Max <= 0 {
		o.Max = DefaultMax
	}
	if o.PerHolder <= 0 {
		o.PerHolder = DefaultPerHolder
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// token is the SHA-256 of what whoever is signed in holds: who reads memory, or
// times a look-up, learns of no session. Of a form it keeps no more than that,
// however long its name is.
type token [sha256.Size]byte

// Sessions are those of one collector, in memory: a restart ends them. Safe for
// concurrent use; it has no goroutine and needs no closing.
type Sessions struct {
	options Options

	mu       sync.Mutex // guards what follows
	records  map[token]*record
	sweeping time.Time // when those that have ended are dropped next
}

// New makes Sessions that hold none.
func New(o Options) *Sessions {
	return &Sessions{options: o.withDefaults(), records: map[token]*record{}}
}

// Absolute is how long a session lasts at most.
func (s *Sessions) Absolute() time.Duration { return s.options.Absolute }

// Begin begins a session and returns the text that resumes it, which has 256 bits
// of randomness and is kept nowhere. The holder is who answers for it: a user with
// many keys must not have so many sessions that others lose theirs.
func (s *Sessions) Begin(subject Subject, holder string) string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	text := base64.RawURLEncoding.EncodeToString(raw[:])
	now := s.options.Now()

	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	s.makeRoom(holder)
	t := tokenOf(text)
	s.records[t] = &record{token: t, subject: subject, holder: holder, began: now, seen: now}
	return text
}

func tokenOf(text string) token { return sha256.Sum256([]byte(text)) }

// Resume returns the session of a text, and puts its idle end off. It reports
// false where there is none, or none any more.
func (s *Sessions) Resume(text string) (Session, bool) {
	if text == "" {
		return Session{}, false
	}
	now := s.options.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.live(tokenOf(text), now)
	if r == nil {
		return Session{}, false
	}
	if now.After(r.seen) {
		r.seen = now
	}
	return Session{Subject: r.subject, BeganAt: r.began, EndsAt: r.end(&s.options), token: r.token}, true
}

// End ends a session, if it has not ended.
func (s *Sessions) End(session Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, session.token)
}

// maxSpent is how many forms a session remembers.
const maxSpent = 200

// Spend reports whether a form, named by a random text, is sent for the first time
// in a session that has not ended.
func (s *Sessions) Spend(session Session, form string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, name := s.live(session.token, s.options.Now()), tokenOf(form)
	if r == nil || slices.Contains(r.spent, name) {
		return false
	}
	r.spent = append(r.spent, name)
	r.spent = r.spent[max(0, len(r.spent)-maxSpent):]
	return true
}

// Unspend lets a form be sent again, since nothing came of it.
func (s *Sessions) Unspend(session Session, form string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.records[session.token]; r != nil {
		name := tokenOf(form)
		r.spent = slices.DeleteFunc(r.spent, func(spent token) bool { return spent == name })
	}
}

// live returns a session that has not ended, nil where there is none. The lock
// must be held.
func (s *Sessions) live(t token, now time.Time) *record {
	r := s.records[t]
	if r == nil {
		return nil
	}
	if !now.Before(r.end(&s.options)) {
		delete(s.records, t)
		return nil
	}
	return r
}

// sweepEvery is how often those that have ended are dropped, at most.
const sweepEvery = time.Minute

func (s *Sessions) sweep(now time.Time) {
	if now.Before(s.sweeping) {
		return
	}
	s.sweeping = now.Add(sweepEvery)
	for t, r := range s.records {
		if !now.Before(r.end(&s.options)) {
			delete(s.records, t)
		}
	}
}

// makeRoom ends sessions where there are as many as there may be.
func (s *Sessions) makeRoom(holder string) {
	var oldest, own *record
	count := 0
	for _, r := range s.records {
		if oldest == nil || r.seen.Before(oldest.seen) {
			oldest = r
		}
		if r.holder != holder {
			continue
		}
		count++
		if own == nil || r.seen.Before(own.seen) {
			own = r
		}
	}
	switch {
	case count >= s.options.PerHolder:
		delete(s.records, own.token)
	case len(s.records) >= s.options.Max:
		delete(s.records, oldest.token)
	}
}
