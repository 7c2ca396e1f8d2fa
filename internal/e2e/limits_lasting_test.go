package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lasting are limits whose windows outlive the process, with one that does not.
var lasting = limitedTo("6 requests in 1h on ingest", "20 items in 31d on traces", "100 requests in 1m on ingest")

func TestLongLimitsSurviveARestart(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	keys := map[string]key{}
	for _, s := range senders {
		keys[s.name] = c.create(t, lasting)
		for range 4 {
			accepted(t, s.send(t, c, traces, traces.manyOf(3), keys[s.name].bearer()))
		}
	}
	c = c.restart(t, "")
	for _, s := range senders {
		k := keys[s.name]
		assert.Equal(t, []int64{4, 12, 0}, c.used(t, k.id), "a clean end forgives nothing, and short windows are not kept")
		overLimit(t, s.send(t, c, traces, traces.manyOf(9), k.bearer()), 31*24*time.Hour)
		for range 2 {
			accepted(t, s.send(t, c, traces, traces.manyOf(4), k.bearer()))
		}
		refused := s.send(t, c, logs, logs.request(), k.bearer())
		overLimit(t, refused, time.Hour)
		assert.Greater(t, refused.retry, 59*time.Minute)
	}
	c = c.restart(t, "")
	for _, k := range keys {
		assert.Equal(t, []int64{6, 20, 0}, c.used(t, k.id))
	}
}

func TestAKillForgivesOfLongLimitsAtMostWhatWasSpentSinceTheLastFlush(t *testing.T) {
	t.Parallel()
	const flushed, since = 4, 2
	storage := options{overlay: "extensions: {apikeyauth: {limits: {flush_interval: 1s}}}"}
	c := start(t, storage)
	storage.storage, storage.vault, storage.sink = c.storage, c.vault, c.sink
	keys := map[string]key{}
	for _, s := range senders {
		keys[s.name] = c.create(t, lasting)
		for range flushed {
			accepted(t, s.send(t, c, traces, traces.request(), keys[s.name].bearer()))
		}
	}
	time.Sleep(2 * time.Second) // an interval has passed, which nothing announces, and the time that a flush takes
	for _, s := range senders {
		for range since {
			accepted(t, s.send(t, c, traces, traces.request(), keys[s.name].bearer()))
		}
	}
	c.kill()
	c = start(t, storage)
	for _, s := range senders {
		k := keys[s.name]
		used := c.used(t, k.id)
		for _, n := range used[:2] {
			assert.GreaterOrEqual(t, n, int64(flushed), "what was flushed is not forgiven")
			assert.LessOrEqual(t, n, int64(flushed+since), "nothing is counted twice")
		}
		assert.Equal(t, used[0], used[1], "the limits of a key are kept together")
		for range 6 - used[0] {
			accepted(t, s.send(t, c, traces, traces.request(), k.bearer()))
		}
		overLimit(t, s.send(t, c, traces, traces.request(), k.bearer()), time.Hour)
	}
}

func TestKillsInARowForgiveNothingThatWasFlushed(t *testing.T) {
	t.Parallel()
	o := options{overlay: "extensions: {apikeyauth: {limits: {flush_interval: 1s}}}"}
	c := start(t, o)
	o.storage, o.vault, o.sink = c.storage, c.vault, c.sink
	k := c.create(t, lasting)
	for spent := range int64(2) {
		require.Equal(t, []int64{spent, spent}, c.used(t, k.id)[:2])
		accepted(t, sendGRPC(t, c, traces, traces.request(), k.bearer()))
		time.Sleep(2 * time.Second) // an interval, as above
		c.kill()
		c = start(t, o)
	}
	assert.Equal(t, []int64{2, 2, 0}, c.used(t, k.id))
}
