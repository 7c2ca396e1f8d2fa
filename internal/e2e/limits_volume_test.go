package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestItemsAndBytesAreLimitedExactlyForEverySignal(t *testing.T) {
	for _, d := range []doors{both, authOnly, middlewaresOnly} {
		t.Run(d.name(), func(t *testing.T) {
			t.Parallel()
			c := start(t, options{doors: d})
			for _, s := range senders {
				for _, sig := range signals {
					size := func(items int) int { return len(marshalProto(t, sig.manyOf(items))) }
					for _, tt := range []struct {
						unit string
						most int
						cost func(items int) int
					}{
						{"items", 7 + 3, func(items int) int { return items }},
						{"bytes", size(7) + size(3), size},
					} {
						t.Run(s.name+"/"+sig.name+"/"+tt.unit, func(t *testing.T) {
							k := c.create(t, limitedTo(
								fmt.Sprintf("%d %s in 1m on %s", tt.most, tt.unit, sig.name),
								fmt.Sprintf("%d %s in 1h on ingest", 100*tt.most, tt.unit),
								"100 requests in 1m on ingest"))
							used := func(requests int, items ...int) {
								cost := 0
								for _, n := range items {
									cost += tt.cost(n)
								}
								assert.Equal(t, []int64{int64(cost), int64(cost), int64(requests)}, c.used(t, k.id))
							}
							send := func(items int) answer { return s.send(t, c, sig, sig.manyOf(items), k.bearer()) }
							passed := c.sink.requests.Load()
							tooLarge(t, send(100))
							used(0)
							accepted(t, send(7))
							used(1, 7)
							overLimit(t, send(4), time.Minute)
							tooLarge(t, send(100))
							used(1, 7)
							accepted(t, send(3))
							used(2, 7, 3)
							overLimit(t, send(1), time.Minute)
							used(2, 7, 3)
							assert.EqualValues(t, 2, c.sink.requests.Load()-passed, "nothing else passes")
						})
					}
				}
			}
		})
	}
}

func TestBytesAreThoseOfTheDecodedTelemetryHoweverItIsSent(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	size := int64(len(marshalProto(t, traces.manyOf(100))))
	k := c.create(t, limitedTo("1000000 bytes in 1m on traces"))
	var sent int64
	for _, s := range senders {
		accepted(t, s.send(t, c, traces, traces.manyOf(100), k.bearer()))
		sent += size
		assert.Equal(t, []int64{sent}, c.used(t, k.id), s.name)
	}
	for name := range compressors {
		h := k.bearer()
		h["Content-Encoding"] = name
		accepted(t, sendHTTP(t, c, traces, protobufType, compress(t, name, marshalProto(t, traces.manyOf(100))), h))
		sent += size
		assert.Equal(t, []int64{sent}, c.used(t, k.id), name)
	}
}

func TestItemsOfProjectsThatAreRefusedAreNotCharged(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	for _, s := range senders {
		for _, sig := range signals {
			k := c.create(t, projects("mine"), limitedTo("10 items in 1m on "+sig.name))
			a := s.send(t, c, sig, sig.request("mine", "theirs", "mine", ""), k.bearer())
			accepted(t, a)
			assert.EqualValues(t, 2, a.rejected)
			assert.Equal(t, []int64{2}, c.used(t, k.id), "%s over %s", sig.name, s.name)
		}
	}
}
