package session

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otlpgate/otlpgate/internal/credential"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that tests set.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{now: time.Date(2026, 7, 1, 9, 30, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time          { return c.now }
func (c *clock) advance(d time.Duration) { c.now = c.now.Add(d) }

var ada = Subject{UserID: "usr_ada"}

func TestASessionIsResumedByItsTokenAlone(t *testing.T) {
	s := New(Options{})
	subject := Subject{Key: credential.Digest{1}}
	token := s.Begin(subject, "key_a")
	other := s.Begin(ada, ada.UserID)

	got, ok := s.Resume(token)
	require.True(t, ok)
	assert.Equal(t, subject, got.Subject)
	got, ok = s.Resume(other)
	require.True(t, ok)
	assert.Equal(t, ada, got.Subject)
	for _, wrong := range []string{"", token[1:], token + "A", strings.ToUpper(token), strings.ToLower(token)} {
		_, ok := s.Resume(wrong)
		assert.False(t, ok, wrong)
	}
}

func TestTokensAreLongAndNeverTheSame(t *testing.T) {
	s := New(Options{})
	seen := map[string]bool{}
	for range 100 {
		token := s.Begin(ada, ada.UserID)
		assert.Len(t, token, 43, "256 bits")
		assert.False(t, seen[token])
		seen[token] = true
	}
}

func TestASessionEndsWhenItIsIdle(t *testing.T) {
	c := newClock()
	s := New(Options{Idle: time.Hour, Absolute: 10 * time.Hour, Now: c.Now})
	token := s.Begin(ada, ada.UserID)
	for range 3 {
		c.advance(time.Hour - time.Second)
		got, ok := s.Resume(token)
		require.True(t, ok, "its end is put off by each use")
		assert.Equal(t, c.now.Add(time.Hour), got.EndsAt)
	}
	c.advance(time.Hour)
	_, ok := s.Resume(token)
	assert.False(t, ok)
}

func TestASessionEndsHoweverMuchItIsUsed(t *testing.T) {
	c := newClock()
	s := New(Options{Idle: time.Hour, Absolute: 3 * time.Hour, Now: c.Now})
	token := s.Begin(ada, ada.UserID)
	for range 5 {
		c.advance(35 * time.Minute)
		_, ok := s.Resume(token)
		require.True(t, ok)
	}
	c.advance(5 * time.Minute)
	_, ok := s.Resume(token)
	assert.False(t, ok)
}

func TestASessionThatWasEndedIsOver(t *testing.T) {
	s := New(Options{})
	token, other := s.Begin(ada, ada.UserID), s.Begin(ada, ada.UserID)
	got, _ := s.Resume(token)
	s.End(got)
	s.End(got)
	_, ok := s.Resume(token)
	assert.False(t, ok)
	assert.False(t, s.Spend(got, "form"))
	_, ok = s.Resume(other)
	assert.True(t, ok)
}

func TestAFormIsSpentOnce(t *testing.T) {
	s := New(Options{})
	session, _ := s.Resume(s.Begin(ada, ada.UserID))
	other, _ := s.Resume(s.Begin(ada, ada.UserID))
	assert.True(t, s.Spend(session, "a"))
	assert.False(t, s.Spend(session, "a"))
	assert.True(t, s.Spend(session, "b"))
	assert.True(t, s.Spend(other, "a"), "of another session")
	s.Unspend(session, "a")
	assert.True(t, s.Spend(session, "a"))
	for i := range 10 * maxSpent {
		require.True(t, s.Spend(session, strconv.Itoa(i)))
	}
	assert.Len(t, s.records[session.token].spent, maxSpent)
}

func TestSessionsAreBounded(t *testing.T) {
	c := newClock()
	s := New(Options{Max: 10, PerHolder: 3, Now: c.Now})
	var tokens []string
	for range 4 {
		c.advance(time.Second)
		tokens = append(tokens, s.Begin(ada, ada.UserID))
	}
	_, ok := s.Resume(tokens[0])
	assert.False(t, ok, "the one of the subject that was unused for longest")
	_, ok = s.Resume(tokens[1])
	assert.True(t, ok)

	s.Begin(Subject{Key: credential.Digest{1}}, ada.UserID)
	_, ok = s.Resume(tokens[2])
	assert.False(t, ok, "by whichever of the holder's keys")

	c.advance(time.Second)
	for i := range 20 {
		s.Begin(Subject{UserID: strconv.Itoa(i)}, strconv.Itoa(i))
	}
	assert.Len(t, s.records, 10)
	_, ok = s.Resume(tokens[1])
	assert.False(t, ok)
}

func TestSessionsThatHaveEndedTakeNoRoom(t *testing.T) {
	c := newClock()
	s := New(Options{Idle: time.Hour, Now: c.Now})
	for i := range 100 {
		s.Begin(Subject{UserID: strconv.Itoa(i)}, strconv.Itoa(i))
	}
	c.advance(time.Hour)
	s.Begin(ada, ada.UserID)
	assert.Len(t, s.records, 1)
}

func TestAFormIsSpentOnceByConcurrentRequests(t *testing.T) {
	s := New(Options{})
	token := s.Begin(ada, ada.UserID)
	var wins sync.Map
	var wait sync.WaitGroup
	for i := range 16 {
		wait.Go(func() {
			session, ok := s.Resume(token)
			if ok && s.Spend(session, "form") {
				wins.Store(i, true)
			}
		})
	}
	wait.Wait()
	count := 0
	wins.Range(func(any, any) bool { count++; return true })
	assert.Equal(t, 1, count)
}
