package accesslog

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/access"
	"github.com/otlpgate/otlpgate/internal/identity"
	"github.com/otlpgate/otlpgate/internal/kv"
)

func usualRequest(i int) access.Request {
	return access.Request{
		Group: access.Group{
			KeyID: fmt.Sprintf("key_%020d", i), KeyType: identity.SystemKey, Secret: [8]byte{byte(i), byte(i >> 8), 7}, Endpoint: "traces",
			Transport: access.GRPC, Outcome: access.Accepted, Status: 200, Address: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}),
		},
		Volume:    access.Volume{Requests: int64(10 + i%7), Items: int64(1000 + i), Bytes: int64(100_000 + 37*i), Duration: time.Duration(i) * time.Microsecond},
		UserAgent: "OTel-OTLP-Exporter-Go/1.46.0", Country: "DE",
	}
}

func encodeUsual(n int) []byte {
	return encodeBlock(true, n, func(i int) record {
		r := usualRequest(i)
		return record{&r.Group, &r.Volume, r.UserAgent, r.Country, time.Duration(i) * time.Microsecond}
	})
}

func TestABlockIsReadAsItWasWritten(t *testing.T) {
	minute := epoch.Truncate(time.Minute)
	for _, n := range []int{0, 1, maxEntries} {
		got, err := decodeBlock(encodeUsual(n), minute)
		require.NoError(t, err)
		require.Len(t, got, n)
		for i := range got {
			want := usualRequest(i)
			want.Minute = minute.Unix() / 60
			assert.Equal(t, Entry{
				Time: minute.Add(time.Duration(i) * time.Microsecond), Counted: true, Group: want.Group, Volume: want.Volume,
				UserAgent: want.UserAgent, Country: want.Country,
			}, got[i])
		}
	}
}

func TestABlockIsSmall(t *testing.T) {
	value := encodeUsual(maxEntries)
	assert.Less(t, len(value), kv.MaxValue)
	t.Logf("%.1f bytes an entry", float64(len(value))/maxEntries)
	assert.Less(t, len(value)/maxEntries, 48)
}

func FuzzDecodeBlock(f *testing.F) {
	f.Add([]byte{})
	f.Add(encodeUsual(0))
	f.Add(encodeUsual(3))
	f.Add(encoder.EncodeAll([]byte{1, 1, 0, 0xff, 0xff, 0x7f}, []byte{blockFormat}))
	f.Fuzz(func(_ *testing.T, value []byte) {
		_, _ = decodeBlock(value, epoch)
		_, _ = decodeBlock(encoder.EncodeAll(value, []byte{blockFormat}), epoch) // what is not Zstandard goes no further
	})
}

func BenchmarkEncodeBlock(b *testing.B) {
	for b.Loop() {
		encodeUsual(maxEntries)
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/maxEntries, "ns/entry")
}

func BenchmarkDecodeBlock(b *testing.B) {
	value := encodeUsual(maxEntries)
	for b.Loop() {
		_, _ = decodeBlock(value, epoch)
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/maxEntries, "ns/entry")
}
